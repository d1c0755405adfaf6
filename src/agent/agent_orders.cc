// Orders: pulled, enacted and acknowledged.
#include <algorithm>
#include <utility>

#include "agent/lost_enactments.h"
#include "allot/agent/agent.h"
#include "allot/model/timeline.h"

namespace allot::agent {
namespace {

/// How soon to look again for a session that the report turns have yet to open.
constexpr int64_t kSessionPollMs = 20;
constexpr Seconds kRemovalInterval = Days(1);

}  // namespace

int64_t Agent::OrderTurn() {
  const int64_t session = session_.load();
  if (stopping_.load() || session == 0) return kSessionPollMs;
  RemoveOldRecords();
  // With an order under way the next look is ours to time.
  const Seconds wait = under_way_ ? Seconds{0} : options_.order_wait;
  // As old as they may be: an answer can lie unread while this process is stopped.
  const int64_t asked_ms = steady_ms_();
  const Answer<PulledOrders> answer = connection_.PullOrders(session, wait);
  if (const auto* failure = std::get_if<Failure>(&answer)) {
    Note("PullOrders", session, *failure);
    return pull_backoff_.NextMs();
  }
  pull_backoff_.Reset();
  const auto& pulled = std::get<PulledOrders>(answer);
  orders_session_ = session;
  pulled_ms_ = asked_ms;
  under_way_ = false;
  under_way_retry_ms_ = options_.inventory_poll_ms;
  bool settled = false;
  bool stuck = false;
  bool begun = false;
  if (pulled.orders.empty()) answer_was_late_ = false;
  for (const UnreadableOrder& order : pulled.unreadable) {
    if (stopping_.load()) return 0;
    log_(LogLevel::kError, "an order that this agent cannot read",
         {{"order", order.id.str()}, {"cause", order.why}});
    Acknowledge(order.id, {false, order.why});
    stuck = true;
  }
  for (const Order& order : pulled.orders) {
    if (stopping_.load()) return 0;
    // What was tried comes again once the others had their turn.
    if (tried_.contains(order.id)) continue;
    if (OrdersAreOld()) return begun ? 0 : AnswerWasLate();
    begun = true;
    answer_was_late_ = false;
    tried_.insert(order.id);
    const Settled result = Settle(order);
    settled |= result == Settled::kYes;
    under_way_ |= result == Settled::kUnderWay;
    stuck |= result == Settled::kNotYet;
  }
  tried_.clear();
  if (settled || !stuck) stuck_backoff_.Reset();
  // What is still open comes back at once with the next pull: without a pause this would spin.
  if (stuck && !settled) return stuck_backoff_.NextMs();
  if (under_way_ && !settled) return under_way_retry_ms_;
  return 0;
}

/// A question that waited for its first order is answered late once; a server that takes so long
/// each time is not to be asked without a pause.
int64_t Agent::AnswerWasLate() {
  if (!std::exchange(answer_was_late_, true)) return 0;
  log_(LogLevel::kWarn, "orders come too late to be begun, so they are asked for again",
       {{"took_ms", steady_ms_() - pulled_ms_}, {"at_most_ms", options_.order_age_max_ms}});
  return stuck_backoff_.NextMs();
}

bool Agent::OrdersAreOld() const { return steady_ms_() - pulled_ms_ > options_.order_age_max_ms; }

// Nothing depends on these records any more. A release that comes again is enacted again, which the
// adapter takes as done; the provision of an attempt is withdrawn before its release is ordered.
void Agent::RemoveOldRecords() {
  const Instant now = clock_.Now();
  if (now < next_removal_) return;
  next_removal_ = now + kRemovalInterval;
  const Result<int> removed = state_.RemoveEndedBefore(now - options_.record_retention);
  if (!removed.ok()) {
    log_(LogLevel::kError, "old records cannot be removed; it will be tried again tomorrow",
         {{"cause", removed.error().message}});
  } else if (*removed > 0) {
    log_(LogLevel::kInfo, "old records removed", {{"records", int64_t{*removed}}});
  }
}

Agent::Settled Agent::Settle(const Order& order) {
  const Result<Progress> progress = Enact(order);
  if (!progress.ok()) {
    log_(LogLevel::kError, "an order cannot be recorded, so it waits",
         {{"order", order.id.str()},
          {"allocation", order.allocation.str()},
          {"cause", progress.error().message}});
    return Settled::kNotYet;
  }
  if (progress->state == Progress::State::kUnderWay) {
    under_way_retry_ms_ = std::min(under_way_retry_ms_, std::max(progress->retry_ms, int64_t{1}));
    return Settled::kUnderWay;
  }
  if (progress->state == Progress::State::kNotYet) {
    log_(LogLevel::kError, "an order waits",
         {{"order", order.id.str()},
          {"kind", std::string(Name(order.kind))},
          {"allocation", order.allocation.str()},
          {"attempt", int64_t{order.attempt}},
          {"cause", progress->message}});
    return Settled::kNotYet;
  }
  const bool done = progress->state == Progress::State::kDone;
  const std::initializer_list<LogField> fields = {
      {"order", order.id.str()},
      {"kind", std::string(Name(order.kind))},
      {"allocation", order.allocation.str()},
      {"attempt", int64_t{order.attempt}},
      {"nodes", static_cast<int64_t>(order.nodes.size())},
      {"epoch", order.epoch},
      {"cause", progress->message}};
  log_(done ? LogLevel::kInfo : LogLevel::kError, done ? "order enacted" : "order failed", fields);
  if (!Acknowledge(order.id, {done, progress->message})) return Settled::kNotYet;
  // The server keeps a release that failed open: the GPUs are held until it is done.
  return done || order.kind == OrderKind::kProvision ? Settled::kYes : Settled::kNotYet;
}

bool Agent::Acknowledge(const OrderId& order, const Outcome& outcome) {
  const Answer<Ok> answer = connection_.Acknowledge(orders_session_, order, outcome);
  const auto* failure = std::get_if<Failure>(&answer);
  if (failure == nullptr) return true;
  if (failure->kind == Failure::Kind::kOrderNotCurrent) {
    // What was handed over for it stays on record until its release is ordered.
    log_(LogLevel::kInfo, "the order is no longer wanted",
         {{"order", order.str()}, {"cause", failure->message}});
    return true;
  }
  Note("AcknowledgeOrder", orders_session_, *failure);
  return false;
}

// ---- Enactment: what the record allows, the record, the adapter, the record

Result<Progress> Agent::Enact(const Order& order) {
  if (order.kind == OrderKind::kProvision) {
    ALLOT_ASSIGN_OR_RETURN(const Progress way, lost_->MakeWayFor(order, orders_session_));
    if (way.state != Progress::State::kDone) return way;
  }
  Result<std::optional<Enactment>> found = state_.Find(order.allocation, order.attempt);
  if (!found.ok() && order.kind == OrderKind::kProvision) {
    return Progress::NotYet("what became of this attempt is not known: " + found.error().message);
  }
  // What is taken back needs no record: the adapter knows what it holds, and the pool decides.
  std::optional<Enactment> record = found.ok() ? *std::move(found) : std::nullopt;
  // Epoch 0: no leader decided, but the allocation's owner; nothing can be newer than that.
  if (record && order.epoch != 0 && order.epoch < record->epoch) {
    return Progress::Failed("the order's epoch " + std::to_string(order.epoch) +
                            " is older than epoch " + std::to_string(record->epoch) +
                            ", which was enacted for this attempt");
  }
  return order.kind == OrderKind::kProvision ? Provision(order, std::move(record))
                                             : Release(order, std::move(record));
}

Result<Progress> Agent::Provision(const Order& order, std::optional<Enactment> record) {
  if (record && IsOfEarlierTimeline(record->epoch, order.epoch)) {
    // The pool's database was restored since: what it orders now is so, whatever became of it then.
    const bool has_them = record->state == EnactmentState::kProvisioned ||
                          record->state == EnactmentState::kProvisioning;
    if (!has_them || record->nodes != order.nodes) {
      record.reset();
    } else {
      record->epoch = order.epoch;
      ALLOT_RETURN_IF_ERROR(state_.Write(*record));
    }
  }
  if (record) {
    switch (record->state) {
      case EnactmentState::kReleasing:
      case EnactmentState::kReleased:
        return Progress::Failed("this attempt was released already");
      case EnactmentState::kFailed:
        return Progress::Failed(record->message);
      case EnactmentState::kProvisioned:
      case EnactmentState::kProvisioning:
        if (record->nodes != order.nodes) {
          return Progress::Failed("this attempt was provisioned on other GPUs already");
        }
        if (record->state == EnactmentState::kProvisioned) return Progress::Done();
        break;
    }
  } else {
    record = Enactment{.allocation = order.allocation,
                       .attempt = order.attempt,
                       .state = EnactmentState::kProvisioning,
                       .epoch = order.epoch,
                       .order = order.id,
                       .nodes = order.nodes,
                       .window = order.window,
                       .update_time = clock_.Now(),
                       .message = {}};
    // Before the adapter acts: whatever happens, the record says what may have been handed over.
    ALLOT_RETURN_IF_ERROR(state_.Write(*record));
  }
  if (OrdersAreOld()) return Progress::NotYet("recording it took long: it is asked for anew");
  const Progress progress = adapter_.Provision(order, orders_session_);
  const bool ended =
      progress.state == Progress::State::kDone || progress.state == Progress::State::kFailed;
  if (!ended) return progress;
  const bool done = progress.state == Progress::State::kDone;
  record->state = done ? EnactmentState::kProvisioned : EnactmentState::kFailed;
  record->epoch = std::max(record->epoch, order.epoch);
  record->order = order.id;
  record->update_time = clock_.Now();
  record->message = progress.message;
  ALLOT_RETURN_IF_ERROR(state_.Write(*record));
  return progress;
}

Result<Progress> Agent::Release(const Order& order, std::optional<Enactment> record) {
  if (record && record->state == EnactmentState::kReleased) return Progress::Done();
  Enactment release{.allocation = order.allocation,
                    .attempt = order.attempt,
                    .state = EnactmentState::kReleasing,
                    .epoch = std::max(record ? record->epoch : 0, order.epoch),
                    .order = order.id,
                    .nodes = record ? record->nodes : order.nodes,
                    .window = order.window,
                    .update_time = clock_.Now(),
                    .message = {}};
  if (!record || record->state != EnactmentState::kReleasing) {
    ALLOT_RETURN_IF_ERROR(state_.Write(release));
  }
  // Also when nothing is on record: a state folder may have been lost, the adapter's work not.
  const Progress progress = adapter_.Release(order, orders_session_);
  if (progress.state != Progress::State::kDone) return progress;
  release.state = EnactmentState::kReleased;
  release.update_time = clock_.Now();
  ALLOT_RETURN_IF_ERROR(state_.Write(release));
  return progress;
}

}  // namespace allot::agent
