#include "agent/lost_enactments.h"

#include <algorithm>
#include <string>
#include <utility>

#include "allot/model/timeline.h"

namespace allot::agent {
namespace {

bool IsHeld(const Enactment& enactment) {
  return enactment.state == EnactmentState::kProvisioning ||
         enactment.state == EnactmentState::kProvisioned ||
         enactment.state == EnactmentState::kReleasing;
}

bool IsOf(const Enactment& enactment, const Order& order) {
  return enactment.allocation == order.allocation && enactment.attempt == order.attempt;
}

bool ShareGpus(const std::vector<OrderedNode>& a, const std::vector<OrderedNode>& b) {
  return std::ranges::any_of(a, [&](const OrderedNode& one) {
    return std::ranges::any_of(b, [&](const OrderedNode& other) {
      return one.node == other.node && (one.gpus & other.gpus) != 0;
    });
  });
}

/// An attempt that is ordered once more on the GPUs it has keeps them.
bool IsInTheWay(const Enactment& enactment, const Order& order) {
  if (!IsOf(enactment, order)) return ShareGpus(enactment.nodes, order.nodes);
  return enactment.state == EnactmentState::kReleasing || enactment.nodes != order.nodes;
}

}  // namespace

Result<Progress> LostEnactments::MakeWayFor(const Order& order, int64_t session) {
  // In the first timeline nothing is of an earlier one.
  if (!IsOfEarlierTimeline(0, order.epoch)) return Progress::Done();
  if (!as_of_epoch_ || IsOfEarlierTimeline(*as_of_epoch_, order.epoch) || !unreadable_.empty()) {
    ALLOT_RETURN_IF_ERROR(Look(order.epoch));
  }
  if (!unreadable_.empty()) {
    return Progress::NotYet(
        "whether it holds GPUs that were handed over before the pool's database was restored "
        "is not known: " +
        unreadable_.front());
  }
  while (!held_.empty()) {
    const auto found = std::ranges::find_if(
        held_, [&](const Enactment& enactment) { return IsInTheWay(enactment, order); });
    if (found == held_.end()) break;
    // It may have been ordered once more, or released, since.
    ALLOT_ASSIGN_OR_RETURN(auto present, state_.Find(found->allocation, found->attempt));
    if (present && IsHeld(*present) && IsOfEarlierTimeline(present->epoch, order.epoch)) {
      ALLOT_ASSIGN_OR_RETURN(const Progress progress,
                             TakeBack(*std::move(present), order, session));
      if (progress.state != Progress::State::kDone) return progress;
    }
    held_.erase(found);
  }
  return Progress::Done();
}

Status LostEnactments::Look(int64_t epoch) {
  ALLOT_ASSIGN_OR_RETURN(Records records, state_.List());
  held_ = std::move(records.enactments);
  unreadable_ = std::move(records.unreadable);
  std::erase_if(held_, [&](const Enactment& enactment) {
    return !IsHeld(enactment) || !IsOfEarlierTimeline(enactment.epoch, epoch);
  });
  as_of_epoch_ = epoch;
  return Ok{};
}

// The record keeps its epoch: should the pool come to this attempt again, that is another one.
Result<Progress> LostEnactments::TakeBack(Enactment enactment, const Order& order,
                                          int64_t session) {
  const Order release{.id = enactment.order,
                      .cluster = order.cluster,
                      .allocation = enactment.allocation,
                      .attempt = enactment.attempt,
                      .kind = OrderKind::kRelease,
                      .nodes = enactment.nodes,
                      .window = enactment.window,
                      .epoch = order.epoch};
  if (enactment.state != EnactmentState::kReleasing) {
    enactment.state = EnactmentState::kReleasing;
    enactment.update_time = clock_.Now();
    ALLOT_RETURN_IF_ERROR(state_.Write(enactment));
  }
  const Progress progress = adapter_.Release(release, session);
  if (progress.state != Progress::State::kDone) {
    if (progress.state == Progress::State::kUnderWay) return progress;
    return Progress::NotYet(
        "what was handed over to " + enactment.allocation.str() +
        " before the pool's database was restored cannot be taken back: " + progress.message);
  }
  enactment.state = EnactmentState::kReleased;
  enactment.update_time = clock_.Now();
  ALLOT_RETURN_IF_ERROR(state_.Write(enactment));
  log_(LogLevel::kWarn, "taken back what was handed over before the pool's database was restored",
       {{"allocation", enactment.allocation.str()},
        {"attempt", int64_t{enactment.attempt}},
        {"nodes", static_cast<int64_t>(enactment.nodes.size())},
        {"for", order.allocation.str()}});
  return progress;
}

}  // namespace allot::agent
