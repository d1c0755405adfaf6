#include "bench/bounds/week.h"

#include <algorithm>
#include <string>
#include <utility>

#include "allot/base/check.h"
#include "allot/sim/simulate.h"
#include "bench/bounds/orders.h"

namespace allot::bounds {
namespace {

using sim::Workload;

int SlotAt(const Workload& workload, Instant t) {
  const Seconds since = Between(workload.first, t);
  ALLOT_CHECK(since.count % kWeekSlot.count == 0);
  return static_cast<int>(since.count / kWeekSlot.count);
}

Seconds RoundedUp(Seconds length) {
  return {(length.count + kWeekSlot.count - 1) / kWeekSlot.count * kWeekSlot.count};
}

std::string Numbered(std::size_t number) {
  const std::string digits = std::to_string(number);
  return "job" + std::string(9 - std::min<std::size_t>(digits.size(), 8), '0') + digits;
}

/// One pass a slot; limits are runs, so that nothing ends early.
class OrderedLoop {
 public:
  OrderedLoop(const Workload& workload, const Order& order, Ahead ahead)
      : workload_(workload), order_(order), ahead_(ahead) {
    snapshot_ = workload.pool;
    policy_.planning_horizon = Days(60);
    starts_.resize(workload.jobs.size());
  }

  std::vector<int> Run() {
    std::size_t arrived = 0;
    for (int slot = 0; arrived < workload_.jobs.size() || !snapshot_.pending.empty(); ++slot) {
      snapshot_.now = workload_.first + Seconds{slot * kWeekSlot.count};
      End();
      for (; arrived < workload_.jobs.size(); ++arrived) {
        if (workload_.jobs[arrived].submit > snapshot_.now) break;
        Arrive(arrived);
      }
      Pass(slot);
    }
    return starts_;
  }

 private:
  void End() {
    std::erase_if(snapshot_.claims, [&](const scheduler::SnapshotClaim& claim) {
      if (claim.until > snapshot_.now) return false;
      auto& usage = snapshot_.projects[static_cast<std::size_t>(claim.project)].usage;
      usage = AddHeld(usage, CountGpus(claim.gpus), *TimeWindow::Make(claim.start, claim.until),
                      policy_.usage_half_life);
      return true;
    });
  }

  void Arrive(std::size_t number) {
    const sim::Job& job = workload_.jobs[number];
    scheduler::SnapshotPending pending;
    pending.id = AllocationId(Numbered(number));
    pending.project = job.project;
    pending.request = job.request;
    pending.request.duration = job.run;
    pending.create_time = job.submit;
    snapshot_.pending.push_back(std::move(pending));
    waiting_.push_back(number);
  }

  void Pass(int slot) {
    const std::vector<scheduler::Placement> placements =
        ahead_ == Ahead::kReserved ? PlaceInOrder(snapshot_, policy_, order_(snapshot_))
                                   : StartInOrder(snapshot_, policy_, order_(snapshot_));
    std::vector<bool> started(waiting_.size(), false);
    for (const scheduler::Placement& placement : placements) {
      if (placement.window.start() > snapshot_.now) continue;
      const auto position = static_cast<std::size_t>(placement.pending);
      started[position] = true;
      starts_[waiting_[position]] = slot;
      const scheduler::SnapshotPending& pending = snapshot_.pending[position];
      for (const scheduler::PlacedNode& node : placement.nodes) {
        snapshot_.claims.push_back({pending.id, pending.project, node.node, node.gpus,
                                    snapshot_.now, placement.window.end()});
      }
    }
    Forget(started);
  }

  void Forget(const std::vector<bool>& started) {
    std::size_t kept = 0;
    for (std::size_t i = 0; i < started.size(); ++i) {
      if (started[i]) continue;
      if (kept != i) {
        waiting_[kept] = waiting_[i];
        snapshot_.pending[kept] = std::move(snapshot_.pending[i]);
      }
      ++kept;
    }
    waiting_.resize(kept);
    snapshot_.pending.resize(kept);
  }

  const Workload& workload_;
  const Order& order_;
  const Ahead ahead_;
  Policy policy_;
  scheduler::Snapshot snapshot_;
  // Positions of jobs, beside the rows of the snapshot.
  std::vector<std::size_t> waiting_;
  std::vector<int> starts_;
};

}  // namespace

Workload WeekInSlots(const sim::LoadOptions& options, bool limits_known) {
  Workload workload = sim::LoadSynthetic(options);
  for (sim::Job& job : workload.jobs) {
    const Seconds since = Between(workload.first, job.submit);
    job.submit = workload.first + Seconds{since.count / kWeekSlot.count * kWeekSlot.count};
    job.run = RoundedUp(job.run);
    job.request.duration = limits_known ? job.run : RoundedUp(job.request.duration);
  }
  workload.pass_every = kWeekSlot;
  return workload;
}

StartProblem ProblemOf(const Workload& workload, int reach) {
  StartProblem problem;
  problem.reach = reach;
  problem.gpus_only = true;
  problem.pools.resize(kGpuModelCount, Pool{{Blocks{}}});
  for (const scheduler::SnapshotNode& node : workload.pool.nodes) {
    const auto& cluster = workload.pool.clusters[static_cast<std::size_t>(node.cluster)];
    Blocks& free = problem.pools[static_cast<std::size_t>(cluster.model)].free.front();
    free.front() += kGpusPerNode;
  }
  for (const sim::Job& row : workload.jobs) {
    Job job;
    job.weight = std::max(1, workload.pool.projects[static_cast<std::size_t>(row.project)].merit);
    job.shape = row.request.shape;
    job.slots = static_cast<int>(row.run.count / kWeekSlot.count);
    job.release = SlotAt(workload, row.submit);
    for (const GpuModel model : row.request.models) job.pools.push_back(static_cast<int>(model));
    std::sort(job.pools.begin(), job.pools.end());
    problem.jobs.push_back(std::move(job));
  }
  return problem;
}

std::vector<int> SimulatedStarts(const Workload& workload, sim::Discipline discipline) {
  const sim::Outcome outcome =
      sim::Simulate(workload, {.discipline = discipline, .policy = Policy{}});
  ALLOT_CHECK(outcome.violations.empty());
  std::vector<int> starts;
  for (const sim::JobOutcome& job : outcome.jobs) starts.push_back(SlotAt(workload, job.start));
  return starts;
}

std::vector<int> StartsInOrder(const Workload& workload, const Order& order, Ahead ahead) {
  return OrderedLoop(workload, order, ahead).Run();
}

}  // namespace allot::bounds
