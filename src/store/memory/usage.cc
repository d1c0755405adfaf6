#include "store/memory/memory_tx.h"

namespace allot::store {
namespace {

/// The GPUs an allocation takes: of the model it holds; before, the most it may take.
int64_t GpusOf(const Allocation& allocation, const std::optional<GpuModel>& held) {
  const Request& request = allocation.request;
  const int64_t asked = request.shape.gpus();
  if (!request.exchanged) return asked;
  const int64_t exchanged = request.exchanged->shape.gpus();
  if (held) return *held == request.exchanged->model ? exchanged : asked;
  const bool accepts =
      std::ranges::find(request.models, request.exchanged->model) != request.models.end();
  if (!accepts) return asked;
  return request.models.size() == 1 ? exchanged : std::max(asked, exchanged);
}

}  // namespace

Result<Usage> MemoryTx::UsageOf(const ProjectId& id) {
  return Verb([&] {
    Usage usage;
    int64_t committed = 0;
    int64_t reserved = 0;
    const auto& rows = state_.allocations.rows();
    for (auto row = rows.lower_bound(AllocationId(id.str() + "/"));
         row != rows.end() && ProjectOf(row->first) == id; ++row) {
      const Allocation& allocation = *row->second;
      if (IsFinal(allocation.state)) continue;
      const bool holds = HoldsGpus(allocation.state);
      const Seconds whole = ToServe(allocation).duration;
      const Seconds window = allocation.window ? allocation.window->length() : Seconds{0};
      Seconds duration = whole;
      if (allocation.grows) {
        // What adds to another goes as far as that one does, or as what is left of it.
        const Allocation* const base = state_.allocations.Find(*allocation.grows);
        duration = holds || base == nullptr
                       ? window
                       : std::min(allocation.remaining.value_or(ToServe(*base).duration),
                                  ToServe(*base).duration);
      }
      std::optional<GpuModel> model;
      if (const Cluster* const at = holds ? state_.clusters.Find(allocation.cluster) : nullptr) {
        model = at->model;
      }
      const int64_t gpus = GpusOf(allocation, model);
      committed += gpus * duration.count;
      if (!holds) continue;
      const bool as_held = allocation.preempt_requested || allocation.grows.has_value();
      reserved += gpus * (as_held ? window : whole).count;
      // What was lost with a node is not held any more, though nobody confirmed it.
      const auto of_attempt = [&](const Booking& booking) {
        return booking.claim.attempt == allocation.attempt && !booking.claim.released_at;
      };
      auto& held = allocation.request.borrow ? usage.borrowed_gpus : usage.held_gpus;
      const auto& bookings = state_.bookings.rows();
      for (auto booking = bookings.lower_bound({allocation.id, 0, NodeId()});
           booking != bookings.end() && std::get<0>(booking->first) == allocation.id; ++booking) {
        if (!of_attempt(*booking->second)) continue;
        const Cluster* const cluster = state_.clusters.Find(ClusterOf(booking->second->claim.node));
        held[static_cast<std::size_t>(cluster->model)] += CountGpus(booking->second->claim.gpus);
      }
    }
    if (const ProjectUsage* const used = state_.usages.Find(id)) usage.used = used->used;
    usage.committed = GpuSeconds::FromCount(committed);
    usage.reserved = GpuSeconds::FromCount(reserved);
    return usage;
  });
}

Result<std::vector<Budget>> MemoryTx::BudgetsOf(std::span<const ProjectId> ids) {
  std::vector<Budget> budgets;
  for (const ProjectId& id : std::set(ids.begin(), ids.end())) {
    ALLOT_ASSIGN_OR_RETURN(const auto quota, FindQuota(id));
    if (!quota) continue;
    ALLOT_ASSIGN_OR_RETURN(const Usage usage, UsageOf(id));
    budgets.push_back({.quota = *quota, .used = usage.used, .committed = usage.committed});
  }
  return budgets;
}

Result<ProjectUsage> MemoryTx::ProjectUsageOf(const ProjectId& id) {
  ALLOT_ASSIGN_OR_RETURN(const auto usage, FindOne(state_.usages, id));
  if (!usage) return StateError(Reason::kNotFound, "There is no such project.");
  return *usage;
}

Status MemoryTx::UpdateProjectUsage(const ProjectUsage& usage) {
  ALLOT_RETURN_IF_ERROR(MayWrite());
  if (usage.used < GpuSeconds() || usage.decayed.value < 0) return Refuse();
  if (state_.usages.Find(usage.project) == nullptr) return Conflict();
  ALLOT_RETURN_IF_ERROR(RequireHeld(Lock::kProject, usage.project));
  // Shown with the quota, so it is the quota that changed.
  Changed(ResourceKind::kQuota, usage.project);
  state_.usages.Put(undo_, usage.project, usage);
  return Ok{};
}

}  // namespace allot::store
