#include "allot/sim/simulate.h"

#include <algorithm>
#include <queue>
#include <tuple>

#include "sim/entitlement.h"
#include "sim/floor.h"

namespace allot::sim {
namespace {

constexpr Seconds kSampleEvery = Hours(1);

std::string Numbered(std::size_t number) {
  const std::string digits = std::to_string(number);
  return "job/p/" + std::string(9 - std::min<std::size_t>(digits.size(), 8), '0') + digits;
}

class Simulation {
 public:
  Simulation(const Workload& workload, const SimulationOptions& options)
      : workload_(workload),
        options_(options),
        snapshot_(workload.pool),
        floor_(workload.pool),
        entitlement_(workload.pool) {
    outcome_.discipline = options.discipline;
    outcome_.jobs.resize(workload.jobs.size());
    outcome_.entitled_gpu_seconds.resize(workload.pool.projects.size());
    outcome_.held_gpu_seconds.resize(workload.pool.projects.size());
  }

  Outcome Run() {
    now_ = workload_.first;
    next_sample_ = workload_.begin;
    while (arrived_ < workload_.jobs.size() || !waiting_.empty() || !running_.empty()) {
      const Instant next = NextTick();
      Account(next);
      now_ = next;
      End();
      Arrive();
      Pass();
    }
    // All may have ended before `end`: from then on the pool stands empty.
    Account(workload_.end);
    return std::move(outcome_);
  }

 private:
  struct Running {
    Instant end;
    std::size_t job = 0;
    friend bool operator>(const Running& a, const Running& b) {
      return std::tie(a.end, a.job) > std::tie(b.end, b.job);
    }
  };

  const Job& JobAt(std::size_t job) const { return workload_.jobs[job]; }

  /// The first multiple of pass_every, not before now, at which there is something to do.
  Instant NextTick() const {
    Instant next = next_planned_.value_or(kEndOfTime);
    if (arrived_ < workload_.jobs.size()) next = std::min(next, JobAt(arrived_).submit);
    if (!running_.empty()) next = std::min(next, running_.top().end);
    ALLOT_CHECK(next < kEndOfTime);
    const int64_t step = workload_.pass_every.count;
    const int64_t after = std::max<int64_t>(Between(workload_.first, next).count, 0);
    const Instant tick = workload_.first + Seconds{(after + step - 1) / step * step};
    return ticked_ ? std::max(tick, now_ + workload_.pass_every) : tick;
  }

  /// Carries all sums from now_ to `next`; nothing changes in between.
  void Account(Instant next) {
    const Instant from = std::max(now_, workload_.begin);
    const Instant to = std::min(next, workload_.end);
    if (to <= from) return;
    const int64_t length = Between(from, to).count;
    outcome_.stranded_gpu_seconds += int64_t{floor_.StrandedGpus()} * length;
    for (; next_sample_ < to; next_sample_ = next_sample_ + kSampleEvery) {
      const int64_t worth = std::min(kSampleEvery, Between(next_sample_, workload_.end)).count;
      const auto fair = entitlement_.Shares();
      for (std::size_t p = 0; p < fair.size(); ++p) {
        outcome_.entitled_gpu_seconds[p] += fair[p] * worth;
        outcome_.held_gpu_seconds[p] += entitlement_.Held(p) * worth;
      }
      outcome_.samples.push_back(
          {next_sample_, static_cast<int>(entitlement_.HeldInAll()), floor_.StrandedGpus()});
      if (options_.on_day && next_sample_.seconds() % Days(1).count == 0) {
        options_.on_day(next_sample_, static_cast<int>(waiting_.size()),
                        static_cast<int>(running_.size()));
      }
    }
  }

  void End() {
    while (!running_.empty() && running_.top().end <= now_) {
      const std::size_t job = running_.top().job;
      running_.pop();
      const Job& ended = JobAt(job);
      floor_.Free(job);
      entitlement_.Release(ended.project, ended.request.shape.gpus());
      const auto held = TimeWindow::Make(outcome_.jobs[job].start, now_);
      if (!held) continue;
      auto& usage = snapshot_.projects[static_cast<std::size_t>(ended.project)].usage;
      usage = AddHeld(usage, HeldShape(options_.discipline, ended.request.shape).gpus(), *held,
                      options_.policy.usage_half_life);
    }
  }

  void Arrive() {
    for (; arrived_ < workload_.jobs.size() && JobAt(arrived_).submit <= now_; ++arrived_) {
      const Job& job = JobAt(arrived_);
      scheduler::SnapshotPending pending;
      pending.id = AllocationId(Numbered(arrived_));
      pending.project = job.project;
      pending.request = job.request;
      pending.request.shape = HeldShape(options_.discipline, job.request.shape);
      pending.create_time = job.submit;
      snapshot_.pending.push_back(std::move(pending));
      waiting_.push_back(arrived_);
      entitlement_.Want(job.project, job.request.shape.gpus());
    }
    outcome_.largest_queue = std::max(outcome_.largest_queue, static_cast<int>(waiting_.size()));
  }

  void Pass() {
    ticked_ = true;
    next_planned_.reset();
    if (waiting_.empty()) return;
    ++outcome_.passes;
    snapshot_.now = now_;
    snapshot_.revision = outcome_.passes;
    snapshot_.claims = floor_.Claims();
    const auto placements = Decide(options_.discipline, snapshot_, options_.policy);
    std::vector<bool> started(waiting_.size(), false);
    for (const scheduler::Placement& placement : placements) {
      const auto position = static_cast<std::size_t>(placement.pending);
      JobOutcome& job = outcome_.jobs[waiting_[position]];
      const Instant start = placement.window.start();
      if (!job.first_forecast) job.first_forecast = start;
      if (placement.promised && start > now_) {
        job.promised = std::min(job.promised.value_or(start), start);
        snapshot_.pending[position].promise = {placement.window, placement.nodes};
      }
      if (start > now_) {
        next_planned_ = std::min(next_planned_.value_or(kEndOfTime), start);
        continue;
      }
      Start(waiting_[position], placement);
      started[position] = true;
    }
    Forget(started);
  }

  void Start(std::size_t job, const scheduler::Placement& placement) {
    const Job& starts = JobAt(job);
    outcome_.jobs[job].start = now_;
    if (options_.keep_nodes) outcome_.jobs[job].nodes = placement.nodes;
    running_.push({now_ + starts.run, job});
    const auto problem =
        floor_.Take(job, starts, HeldShape(options_.discipline, starts.request.shape), placement);
    if (problem) outcome_.violations.push_back(*problem + " at " + FormatRfc3339(now_));
    entitlement_.Hold(starts.project, starts.request.shape.gpus());
    const auto within = TimeWindow::Make(std::max(now_, workload_.begin),
                                         std::min(now_ + starts.run, workload_.end));
    if (within) {
      outcome_.useful_gpu_seconds += within->length().count * starts.request.shape.gpus();
    }
  }

  /// Those that started wait no more; the others keep their order.
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
  const SimulationOptions& options_;
  Outcome outcome_;
  Instant now_;
  bool ticked_ = false;
  Instant next_sample_;
  std::size_t arrived_ = 0;
  /// Positions of jobs, in the order of arrival; beside them the rows of the snapshot.
  std::vector<std::size_t> waiting_;
  scheduler::Snapshot snapshot_;
  std::priority_queue<Running, std::vector<Running>, std::greater<>> running_;
  std::optional<Instant> next_planned_;
  Floor floor_;
  Entitlement entitlement_;
};

}  // namespace

Outcome Simulate(const Workload& workload, const SimulationOptions& options) {
  return Simulation(workload, options).Run();
}

}  // namespace allot::sim
