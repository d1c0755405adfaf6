#include "allot/model/quota.h"

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "allot/base/text.h"

namespace allot {
namespace {

/// "256 of H200 and 128 of B200", for the models asked for, in their order.
std::string ByModel(const std::vector<GpuModel>& models,
                    const std::array<int, kGpuModelCount>& counts) {
  std::string text;
  for (const GpuModel model : models) {
    if (!text.empty()) text += " and ";
    text +=
        FormatCount(counts[static_cast<std::size_t>(model)]) + " of " + std::string(Name(model));
  }
  return text;
}

/// Keeps the models with at least `needed`, in the order of preference.
std::vector<GpuModel> WithAtLeast(const std::vector<GpuModel>& models,
                                  const std::array<int, kGpuModelCount>& counts, int needed) {
  std::vector<GpuModel> kept;
  for (const GpuModel model : models) {
    if (counts[static_cast<std::size_t>(model)] >= needed) kept.push_back(model);
  }
  return kept;
}

std::string Gpus(int count) { return FormatCount(count) + (count == 1 ? " GPU" : " GPUs"); }
std::string Nodes(int count) { return FormatCount(count) + (count == 1 ? " node" : " nodes"); }

Error Refusal(Reason reason, std::string field, std::string value, std::string limit,
              std::string message) {
  return {reason, std::move(field), std::move(value), std::move(limit), std::move(message)};
}

Status AdmitGpuTime(const Quota& quota, const Usage& usage, const Request& request) {
  const auto cost = CostOf(request);
  const GpuSeconds left = GpuTimeLeft(quota.gpu_time, usage.used, usage.committed);
  if (cost && *cost <= left) return Ok{};
  const std::string asked = cost ? FormatGpuHours(*cost) : "more than can be counted";
  const std::string available = FormatGpuHours(std::max(left, GpuSeconds()));
  return Refusal(Reason::kGpuHoursExhausted, "duration", asked, available + " left",
                 "Asks " + asked + "; " + available + " of the project's " +
                     FormatGpuHours(quota.gpu_time) + " are left: " + FormatGpuHours(usage.used) +
                     " used, " + FormatGpuHours(usage.committed) + " set aside.");
}

/// What requests like this may hold of a project at the same time.
GpusByModel AtOnce(const Quota& quota, const Policy& policy, const Request& request) {
  if (!request.borrow) return quota.concurrent_gpus;
  GpusByModel borrowed{};
  borrowed.fill(policy.borrowed_gpus_max);
  return borrowed;
}

}  // namespace

GpuSeconds GpuTimeLeft(GpuSeconds budget, GpuSeconds used, GpuSeconds reserved) {
  constexpr auto kOverdrawn = GpuSeconds::FromCount(std::numeric_limits<int64_t>::min());
  const auto taken = used.Plus(reserved);
  return taken ? budget.Minus(*taken).value_or(kOverdrawn) : kOverdrawn;
}

Result<Request> Admit(const Project& project, const Quota& quota, const Usage& usage,
                      const LargestClusterByModel& largest, const Policy& policy,
                      const Request& request) {
  if (!project.open) {
    return Refusal(Reason::kProjectClosed, "project.open", project.id.str(), "an open project",
                   "The project takes no new allocations.");
  }
  const ProgrammeCaps* caps = FindCaps(policy, project.programme);
  if (caps == nullptr) {
    return Refusal(Reason::kProgrammeCapExceeded, "project.programme", project.programme.str(),
                   "a programme of the policy",
                   "Programme " + project.programme.str() + " takes no requests.");
  }
  const std::string programme = "programme " + caps->programme.str();
  if (request.duration > caps->duration_max) {
    const std::string asked = FormatDuration(request.duration);
    const std::string limit = FormatDuration(caps->duration_max);
    return Refusal(Reason::kProgrammeCapExceeded, "duration", asked, "at most " + limit,
                   "Asks " + asked + "; " + programme + " allows at most " + limit + ".");
  }

  const int gpus = request.shape.gpus();
  const int nodes = request.shape.node_count();
  Request admitted = request;
  std::vector<GpuModel>& models = admitted.models;

  std::vector<GpuModel> kept = WithAtLeast(models, caps->gpus_max, gpus);
  if (kept.empty()) {
    const std::string limit = ByModel(models, caps->gpus_max);
    return Refusal(Reason::kProgrammeCapExceeded, "gpus", std::to_string(gpus), "at most " + limit,
                   "Asks " + Gpus(gpus) + "; " + programme + " allows at most " + limit + ".");
  }
  models = std::move(kept);

  kept = WithAtLeast(models, largest, nodes);
  if (kept.empty()) {
    const std::string limit = ByModel(models, largest);
    return Refusal(Reason::kLargerThanPool, "node_shape.nodes", std::to_string(nodes),
                   "at most " + limit + " in one cluster",
                   "Asks " + Nodes(nodes) + " in one cluster; the largest clusters of " +
                       programme + " have " + limit + ".");
  }
  models = std::move(kept);

  const GpusByModel at_once = AtOnce(quota, policy, request);
  kept = WithAtLeast(models, at_once, gpus);
  if (kept.empty()) {
    const std::string limit = ByModel(models, at_once);
    return Refusal(Reason::kQuotaExceeded, "gpus", std::to_string(gpus), "at most " + limit,
                   "Asks " + Gpus(gpus) + "; the project may " +
                       (request.borrow ? "borrow" : "hold") + " at most " + limit +
                       " at the same time.");
  }
  models = std::move(kept);

  ALLOT_RETURN_IF_ERROR(AdmitGpuTime(quota, usage, request));
  return admitted;
}

}  // namespace allot
