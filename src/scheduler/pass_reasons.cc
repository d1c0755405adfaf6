#include <algorithm>
#include <optional>
#include <string>
#include <tuple>

#include "scheduler/at.h"
#include "scheduler/describe.h"
#include "scheduler/pass.h"

// Why a pending allocation gets no start.

namespace allot::scheduler {

Deferral Pass::Defer(int pending, DeferralReason reason, const std::string& why) const {
  return {pending, reason, DescribeAsk(Pending(pending).request) + "; " + why};
}

Deferral Pass::DeferOverBudget(int pending, GpuSeconds cost) const {
  const GpuSeconds left = std::max(At(gpu_time_left_, Pending(pending).project), GpuSeconds());
  return Defer(pending, DeferralReason::kGpuHoursExhausted,
               "this takes " + FormatGpuHours(cost) + ", its project has " + FormatGpuHours(left) +
                   " left after what it used, what it holds and what is planned before this");
}

Deferral Pass::DeferTooLarge(int pending, const std::vector<Cluster*>& open) const {
  if (open.empty()) {
    return Defer(
        pending, DeferralReason::kLargerThanPool,
        "no cluster of " + DescribeModels(Pending(pending).request) + " serves its programme");
  }
  const Cluster* largest =
      *std::max_element(open.begin(), open.end(), [](const Cluster* a, const Cluster* b) {
        return std::tuple(a->schedulable, a->nodes) < std::tuple(b->schedulable, b->nodes);
      });
  return Defer(pending, DeferralReason::kLargerThanPool,
               "the largest cluster open to it now, " +
                   At(snapshot_.clusters, largest->position).id.str() + ", has " +
                   Count(largest->schedulable, "schedulable node") + " of " +
                   std::to_string(largest->nodes));
}

Deferral Pass::DeferBehindPredecessor(int pending) const {
  return Defer(pending, DeferralReason::kPredecessorUnfinished,
               "it starts after " + Pending(pending).after->str() + ", which has no start yet");
}

Deferral Pass::DeferWithoutStart(int pending, const std::vector<Cluster*>& fitting,
                                 const Span& span) {
  const SnapshotPending& row = Pending(pending);
  const std::string horizon = FormatRfc3339(grid_.horizon_end());
  if (span.not_before >= grid_.horizon_end()) {
    return Defer(pending, DeferralReason::kNoCapacity,
                 (row.after ? "it starts after " + row.after->str() + "; " : "") +
                     "its earliest start " + FormatRfc3339(span.not_before) +
                     " is not before the end of the planning horizon, " + horizon);
  }
  // The quota is to blame when it alone leaves no start in any model that has a cluster for it.
  const QuotaCalendar& quota = QuotaOf(row);
  const int first = grid_.SlotOf(span.not_before);
  const int last = grid_.last_start_slot();
  std::string limits;
  bool quota_allows = false;
  bool quota_is_large_enough = false;
  std::optional<GpuModel> told;
  for (const Cluster* cluster : fitting) {
    const int gpus = row.request.ShapeOn(cluster->model).gpus();
    if (quota.EarliestStart(cluster->model, gpus, span, first, last) <= last) quota_allows = true;
    if (quota.Limit(cluster->model) >= gpus) quota_is_large_enough = true;
    if (told == cluster->model) continue;
    told = cluster->model;
    if (!limits.empty()) limits += ", ";
    limits += std::to_string(quota.Limit(cluster->model)) + " " + std::string(Name(cluster->model));
  }
  if (!quota_allows) {
    std::string why = std::string("its project may ") + (row.request.borrow ? "borrow " : "hold ") +
                      limits + " GPUs at the same time, this asks " +
                      std::to_string(row.request.shape.gpus());
    if (row.request.exchanged) {
      why += " or by the exchange rate " + std::to_string(row.request.exchanged->shape.gpus()) +
             " " + std::string(Name(row.request.exchanged->model));
    }
    if (quota_is_large_enough) {
      why += ", and what it holds and has planned leaves no room before " + horizon;
    }
    return Defer(pending, DeferralReason::kQuotaExhausted, why);
  }
  return Defer(
      pending, DeferralReason::kNoCapacity,
      "no " + Count(row.request.shape.node_count(), "node") +
          " come free together, within its project's quota, before the end of the planning "
          "horizon, " +
          horizon);
}

}  // namespace allot::scheduler
