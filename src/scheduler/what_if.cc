#include "allot/scheduler/what_if.h"

#include <algorithm>
#include <map>
#include <optional>
#include <type_traits>

#include "allot/model/tenant.h"

namespace allot::scheduler {
namespace {

constexpr Seconds kWeek = Days(7);
constexpr int kQuotaMax = kGpusMax;

template <class Row, class Id>
Row* Find(std::vector<Row>& rows, const Id& id) {
  const auto found =
      std::lower_bound(rows.begin(), rows.end(), id,
                       [](const Row& row, const Id& wanted) { return row.id < wanted; });
  return found == rows.end() || found->id != id ? nullptr : &*found;
}

Error NotFound(const std::string& what, const std::string& id) {
  return FieldError(Reason::kNotFound, what, id, "a " + what + " of this pass");
}

Status Carry(const SetMerit& change, Snapshot& snapshot) {
  SnapshotProject* project = Find(snapshot.projects, change.project);
  if (project == nullptr) return NotFound("project", change.project.str());
  if (change.merit < 0 || change.merit > kMeritMax) {
    return FieldError(Reason::kMeritOutOfRange, "merit", std::to_string(change.merit),
                      "0 to " + std::to_string(kMeritMax));
  }
  project->merit = change.merit;
  return Ok{};
}

Status Carry(const SetQuota& change, Snapshot& snapshot) {
  SnapshotProject* project = Find(snapshot.projects, change.project);
  if (project == nullptr) return NotFound("project", change.project.str());
  if (change.gpus < 0 || change.gpus > kQuotaMax) {
    return FieldError(Reason::kQuotaOutOfRange, "quota", std::to_string(change.gpus),
                      "0 to " + std::to_string(kQuotaMax));
  }
  project->concurrent_gpus[static_cast<std::size_t>(change.model)] = change.gpus;
  return Ok{};
}

Status Carry(const Drain& change, Snapshot& snapshot) {
  bool found = false;
  for (SnapshotNode& node : snapshot.nodes) {
    const auto& cluster = snapshot.clusters[static_cast<std::size_t>(node.cluster)].id;
    if (node.id.str() != change.place && cluster.str() != change.place) continue;
    found = true;
    node.draining = true;
    node.schedulable = false;
  }
  if (!found) return NotFound("node or cluster", change.place);
  return Ok{};
}

Status Carry(const Withdraw& change, Snapshot& snapshot) {
  const SnapshotPending* row = Find(snapshot.pending, change.allocation);
  if (row == nullptr) return NotFound("waiting allocation", change.allocation.str());
  snapshot.pending.erase(snapshot.pending.begin() + (row - snapshot.pending.data()));
  // Whoever was to start after it waits for nobody any more.
  for (SnapshotPending& other : snapshot.pending) {
    if (other.after == change.allocation) other.after.reset();
  }
  return Ok{};
}

Status Carry(const SetUrgent& change, Snapshot& snapshot) {
  SnapshotPending* row = Find(snapshot.pending, change.allocation);
  if (row == nullptr) return NotFound("waiting allocation", change.allocation.str());
  if (row->request.borrow) {
    return StateError(Reason::kTransitionNotAllowed,
                      "What borrows goes behind all others, and is never urgent.");
  }
  row->urgent = true;
  return Ok{};
}

Status Carry(const SetConsolidate& change, Snapshot& snapshot) {
  SnapshotPending* row = Find(snapshot.pending, change.allocation);
  if (row == nullptr) return NotFound("waiting allocation", change.allocation.str());
  if (row->request.preemptible || row->after) {
    return StateError(Reason::kConsolidationImpossible,
                      "No room is made for what may be stopped itself, or starts after another.");
  }
  row->consolidate = true;
  return Ok{};
}

Status Carry(const Submit& change, Snapshot& snapshot) {
  const SnapshotProject* project = Find(snapshot.projects, change.project);
  if (project == nullptr) return NotFound("project", change.project.str());
  SnapshotPending row;
  row.project = static_cast<int>(project - snapshot.projects.data());
  row.request = change.request;
  row.create_time = snapshot.now;
  int n = 1;
  do {
    row.id = SubmittedId(change.project, n++);
  } while (Find(snapshot.pending, row.id) != nullptr);
  const auto behind = std::ranges::upper_bound(snapshot.pending, row.id, {}, &SnapshotPending::id);
  snapshot.pending.insert(behind, std::move(row));
  return Ok{};
}

/// GPU-seconds of a window that lie in the week from now.
int64_t InWeek(Instant now, Instant start, Instant end, int gpus) {
  const auto within = TimeWindow::Make(std::max(start, now), std::min(end, now + kWeek));
  return within ? within->length().count * gpus : 0;
}

/// Starts by allocation; nothing for whom is deferred.
std::map<AllocationId, std::optional<Instant>> StartsOf(const Snapshot& snapshot,
                                                        const Plan& plan) {
  std::map<AllocationId, std::optional<Instant>> starts;
  for (const SnapshotPending& row : snapshot.pending) starts.emplace(row.id, std::nullopt);
  for (const Placement& placement : plan.placements) {
    const auto& row = snapshot.pending[static_cast<std::size_t>(placement.pending)];
    // Due now, whenever it was promised.
    starts[row.id] = std::max(placement.window.start(), plan.now);
  }
  return starts;
}

}  // namespace

AllocationId SubmittedId(const ProjectId& project, int n) {
  // No name of an allocation begins with a plus.
  return AllocationId(project.str() + "/+" + std::to_string(n));
}

Status Apply(const Change& change, Snapshot& snapshot) {
  return std::visit([&](const auto& one) { return Carry(one, snapshot); }, change);
}

PlanSummary Summarise(const Snapshot& snapshot, const Plan& plan) {
  PlanSummary summary;
  summary.deferred = static_cast<int>(plan.deferrals.size());
  summary.slips = static_cast<int>(plan.slips.size());
  summary.preemptions = static_cast<int>(plan.preemptions.size());
  int64_t held = 0;
  for (const SnapshotClaim& claim : snapshot.claims) {
    if (claim.start <= snapshot.now) summary.gpus_now += CountGpus(claim.gpus);
    // What runs on a node that drains is no use of what is left.
    if (!snapshot.nodes[static_cast<std::size_t>(claim.node)].schedulable) continue;
    held += InWeek(snapshot.now, claim.start, claim.until, CountGpus(claim.gpus));
  }
  for (const Placement& placement : plan.placements) {
    const auto& request = snapshot.pending[static_cast<std::size_t>(placement.pending)].request;
    const int gpus = request.ShapeOn(placement.model).gpus();
    const bool now = placement.window.start() <= snapshot.now;
    ++(now ? summary.starts_now : summary.planned);
    if (!now && placement.promised) ++summary.promised;
    if (now) summary.gpus_now += gpus;
    held += InWeek(snapshot.now, placement.window.start(), placement.window.end(), gpus);
  }
  const auto nodes = std::count_if(snapshot.nodes.begin(), snapshot.nodes.end(),
                                   [](const SnapshotNode& node) { return node.schedulable; });
  const int64_t there = static_cast<int64_t>(nodes) * kGpusPerNode * kWeek.count;
  summary.week_permille = there == 0 ? 0 : static_cast<int>(held * 1000 / there);
  return summary;
}

std::vector<ProjectShift> ComparePlans(const Snapshot& snapshot, const Plan& plan,
                                       const Snapshot& changed, const Plan& changed_plan) {
  const auto before = StartsOf(snapshot, plan);
  const auto after = StartsOf(changed, changed_plan);
  std::map<ProjectId, ProjectShift> shifts;
  for (const auto& [id, start] : before) {
    const auto found = after.find(id);
    if (found == after.end() || found->second == start) continue;
    ProjectShift& shift = shifts[ProjectOf(id)];
    shift.project = ProjectOf(id);
    if (!start) {
      ++shift.gained;
    } else if (!found->second) {
      ++shift.lost;
    } else if (*found->second < *start) {
      ++shift.sooner;
      shift.seconds_sooner += Between(*found->second, *start).count;
    } else {
      ++shift.later;
      shift.seconds_later += Between(*start, *found->second).count;
    }
  }
  std::vector<ProjectShift> by_id;
  by_id.reserve(shifts.size());
  for (auto& [id, shift] : shifts) by_id.push_back(std::move(shift));
  return by_id;
}

}  // namespace allot::scheduler
