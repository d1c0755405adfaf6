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

/// "16", or "16 of H200 or 8 of B200" where it takes less of one model than of the other.
std::string Asked(const Request& request, int (Shape::*count)() const) {
  if (!request.exchanged) return FormatCount((request.shape.*count)());
  std::string text;
  for (const GpuModel model : request.models) {
    text += (text.empty() ? "" : " or ") + FormatCount((request.ShapeOn(model).*count)()) + " of " +
            std::string(Name(model));
  }
  return text;
}

/// Drops the models that have fewer than it asks of them; false when none is left, and all stay.
bool KeepThoseWithEnough(Request& request, const std::array<int, kGpuModelCount>& counts,
                         int (Shape::*count)() const) {
  std::vector<GpuModel> kept;
  for (const GpuModel model : request.models) {
    const int needed = (request.ShapeOn(model).*count)();
    if (counts[static_cast<std::size_t>(model)] >= needed) kept.push_back(model);
  }
  if (kept.empty()) return false;
  request.models = std::move(kept);
  return true;
}

std::string Gpus(const Request& request) {
  return Asked(request, &Shape::gpus) + (request.shape.gpus() == 1 ? " GPU" : " GPUs");
}
std::string Nodes(const Request& request) {
  return Asked(request, &Shape::node_count) +
         (request.shape.node_count() == 1 ? " node" : " nodes");
}

Error Refusal(Reason reason, std::string field, std::string value, std::string limit,
              std::string message) {
  return {reason, std::move(field), std::move(value), std::move(limit), std::move(message)};
}

Status AdmitGpuTime(const Quota& quota, const Usage& usage, const Request& request) {
  const auto cost = HighestCost(request);
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

namespace {

Result<Request> AdmitSize(const Project& project, const Quota& quota, const Usage& usage,
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

  Request admitted = request;
  if (!KeepThoseWithEnough(admitted, caps->gpus_max, &Shape::gpus)) {
    const std::string limit = ByModel(admitted.models, caps->gpus_max);
    return Refusal(Reason::kProgrammeCapExceeded, "gpus", std::to_string(admitted.shape.gpus()),
                   "at most " + limit,
                   "Asks " + Gpus(admitted) + "; " + programme + " allows at most " + limit + ".");
  }
  if (!KeepThoseWithEnough(admitted, largest, &Shape::node_count)) {
    const std::string limit = ByModel(admitted.models, largest);
    return Refusal(Reason::kLargerThanPool, "node_shape.nodes",
                   std::to_string(admitted.shape.node_count()),
                   "at most " + limit + " in one cluster",
                   "Asks " + Nodes(admitted) + " in one cluster; the largest clusters of " +
                       programme + " have " + limit + ".");
  }
  const GpusByModel at_once = AtOnce(quota, policy, request);
  if (!KeepThoseWithEnough(admitted, at_once, &Shape::gpus)) {
    const std::string limit = ByModel(admitted.models, at_once);
    return Refusal(
        Reason::kQuotaExceeded, "gpus", std::to_string(admitted.shape.gpus()), "at most " + limit,
        "Asks " + Gpus(admitted) + "; the project may " + (request.borrow ? "borrow" : "hold") +
            " at most " + limit + " at the same time.");
  }
  ALLOT_RETURN_IF_ERROR(AdmitGpuTime(quota, usage, admitted));
  return admitted;
}

}  // namespace

Result<Request> Admit(const Project& project, const Quota& quota, const Usage& usage,
                      const LargestClusterByModel& largest, const Policy& policy,
                      const Request& request) {
  ALLOT_ASSIGN_OR_RETURN(auto admitted, AdmitSize(project, quota, usage, largest, policy, request));
  if (!request.gpus_max) return admitted;
  Request whole = admitted;
  whole.shape = ShapeForGpus(*request.gpus_max);
  const auto grown = AdmitSize(project, quota, usage, largest, policy, whole);
  if (!grown.ok()) {
    Error refusal = grown.error();
    refusal.field = "gpus_max";
    refusal.message += " It may not grow so far.";
    return refusal;
  }
  // A model that could never hold all of it is none for its start.
  admitted.models = grown->models;
  return admitted;
}

}  // namespace allot
