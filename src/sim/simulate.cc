#include "allot/sim/simulate.h"

#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "sim/entitlement.h"
#include "sim/floor.h"

namespace allot::sim {
namespace {

constexpr Seconds kSampleEvery = Hours(1);

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
    for (const Job& job : workload.jobs) parts_.push_back({.left = job.run});
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
    friend bool operator<(const Running& a, const Running& b) {
      return std::tie(a.end, a.job) < std::tie(b.end, b.job);
    }
  };
  /// What of a job has not run yet.
  struct Part {
    Seconds left;
    /// Since when it runs, if it does.
    Instant since;
    /// When it was stopped or will be, if it was.
    std::optional<Instant> stop = std::nullopt;
  };

  const Job& JobAt(std::size_t job) const { return workload_.jobs[job]; }

  /// The first multiple of pass_every, not before now, at which there is something to do.
  Instant NextTick() const {
    Instant next = next_planned_.value_or(kEndOfTime);
    if (arrived_ < workload_.jobs.size()) next = std::min(next, JobAt(arrived_).submit);
    if (!running_.empty()) next = std::min(next, running_.begin()->end);
    next = std::min(next, NextStoppable());
    ALLOT_CHECK(next < kEndOfTime);
    const int64_t step = workload_.pass_every.count;
    const int64_t after = std::max<int64_t>(Between(workload_.first, next).count, 0);
    const Instant tick = workload_.first + Seconds{(after + step - 1) / step * step};
    return ticked_ ? std::max(tick, now_ + workload_.pass_every) : tick;
  }

  /// When the next of those that run may be stopped, and another plan may be better …
  Instant NextStoppable() const {
    Instant next = kEndOfTime;
    if (waiting_.empty()) return next;
    for (const auto& [job, row] : preemptible_) {
      const Instant from = row.start + options_.policy.preemption_min_run;
      if (from > now_) next = std::min(next, from);
    }
    // … and when a project may have more of its work stopped.
    for (const auto& [stop, project] : stops_) {
      const Instant from = stop + scheduler::kPreemptionBudgetTime;
      if (from > now_ && !preemptible_.empty()) next = std::min(next, from);
    }
    return next;
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
    while (!running_.empty() && running_.begin()->end <= now_) {
      const std::size_t job = running_.begin()->job;
      running_.erase(running_.begin());
      const Job& ended = JobAt(job);
      const Part& part = parts_[job];
      preemptible_.erase(job);
      floor_.Free(job);
      entitlement_.Release(ended.project, ended.request.shape.gpus());
      if (part.stop) entitlement_.Want(ended.project, ended.request.shape.gpus());
      const auto held = TimeWindow::Make(part.since, now_);
      if (!held) continue;
      auto& usage = snapshot_.projects[static_cast<std::size_t>(ended.project)].usage;
      usage = AddHeld(usage, HeldShape(options_.discipline, ended.request.shape).gpus(), *held,
                      options_.policy.usage_half_life);
    }
  }

  void Arrive() {
    for (; arrived_ < workload_.jobs.size() && JobAt(arrived_).submit <= now_; ++arrived_) {
      const Job& job = JobAt(arrived_);
      Wait(arrived_, job.request);
      entitlement_.Want(job.project, job.request.shape.gpus());
    }
    outcome_.largest_queue = std::max(outcome_.largest_queue, static_cast<int>(waiting_.size()));
  }

  void Wait(std::size_t job, const Request& request) {
    scheduler::SnapshotPending pending;
    pending.id = IdOf(job);
    pending.project = JobAt(job).project;
    pending.request = request;
    pending.request.shape = HeldShape(options_.discipline, request.shape);
    pending.create_time = JobAt(job).submit;
    const auto place = std::lower_bound(waiting_.begin(), waiting_.end(), job);
    snapshot_.pending.insert(snapshot_.pending.begin() + (place - waiting_.begin()),
                             std::move(pending));
    waiting_.insert(place, job);
  }

  void Pass() {
    ticked_ = true;
    next_planned_.reset();
    if (waiting_.empty()) return;
    ++outcome_.passes;
    snapshot_.now = now_;
    snapshot_.revision = outcome_.passes;
    snapshot_.claims = floor_.Claims();
    const std::vector<std::size_t> stoppable = TellStoppable();
    const Decision decision = Decide(options_.discipline, snapshot_, options_.policy);
    std::vector<bool> started(waiting_.size(), false);
    for (const scheduler::Placement& placement : decision.placements) {
      const auto position = static_cast<std::size_t>(placement.pending);
      JobOutcome& job = outcome_.jobs[waiting_[position]];
      const Instant start = placement.window.start();
      if (!job.first_forecast) job.first_forecast = start;
      if (placement.promised && start > now_) {
        if (job.stops == 0) job.promised = std::min(job.promised.value_or(start), start);
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
    for (const scheduler::Preemption& preemption : decision.preemptions) {
      Stop(stoppable[static_cast<std::size_t>(preemption.preemptible)], preemption.stop);
    }
  }

  /// Writes into the snapshot what may be stopped; whose rows those are.
  std::vector<std::size_t> TellStoppable() {
    std::vector<std::size_t> jobs;
    snapshot_.preemptible.clear();
    for (const auto& [job, row] : preemptible_) {
      jobs.push_back(job);
      snapshot_.preemptible.push_back(row);
    }
    while (!stops_.empty() && stops_.front().first + scheduler::kPreemptionBudgetTime <= now_) {
      --snapshot_.projects[static_cast<std::size_t>(stops_.front().second)].stopped_lately;
      stops_.pop_front();
    }
    return jobs;
  }

  /// See Simulate: until `stop` it holds its GPUs without progress.
  void Stop(std::size_t job, Instant stop) {
    const Job& stopped = JobAt(job);
    Part& part = parts_[job];
    const scheduler::SnapshotPreemptible row = std::move(preemptible_.at(job));
    preemptible_.erase(job);
    floor_.Cut(job, stop);
    ++snapshot_.projects[static_cast<std::size_t>(stopped.project)].stopped_lately;
    stops_.emplace_back(stop, stopped.project);
    const Instant end = part.since + part.left;
    if (end <= stop) return;
    JobOutcome& outcome = outcome_.jobs[job];
    ++outcome.stops;
    if (options_.keep_nodes) outcome.stays.back().until = stop;
    outcome_.useful_gpu_seconds -= Measured(now_, end) * stopped.request.shape.gpus();
    outcome_.lost_gpu_seconds += Between(now_, stop).count * stopped.request.shape.gpus();
    part.left = Between(now_, end);
    part.stop = stop;
    running_.erase({end, job});
    running_.insert({stop, job});
    Request rest = stopped.request;
    rest.duration = std::max(Between(stop, row.until), part.left);
    rest.earliest_start = std::max(rest.earliest_start.value_or(stop), stop);
    Wait(job, rest);
  }

  /// Seconds of it in which jobs arrived and everything is measured.
  int64_t Measured(Instant from, Instant to) const {
    const auto within =
        TimeWindow::Make(std::max(from, workload_.begin), std::min(to, workload_.end));
    return within ? within->length().count : 0;
  }

  void Start(std::size_t job, const scheduler::Placement& placement) {
    const Job& starts = JobAt(job);
    Part& part = parts_[job];
    JobOutcome& outcome = outcome_.jobs[job];
    if (part.stop) {
      outcome.waited_again = outcome.waited_again + Between(*part.stop, now_);
    } else {
      outcome.start = now_;
    }
    part.since = now_;
    part.stop.reset();
    const Instant end = now_ + part.left;
    if (options_.keep_nodes) outcome.stays.push_back({now_, end, placement.nodes});
    running_.insert({end, job});
    if (StopsWork(options_.discipline) && starts.request.preemptible) {
      const auto& row = snapshot_.pending[static_cast<std::size_t>(placement.pending)];
      preemptible_[job] = {.id = row.id,
                           .project = row.project,
                           .request = row.request,
                           .create_time = row.create_time,
                           .start = now_,
                           .until = placement.window.end(),
                           .preemptions = outcome.stops};
    }
    const auto problem =
        floor_.Take(job, starts, HeldShape(options_.discipline, starts.request.shape), placement);
    if (problem) outcome_.violations.push_back(*problem + " at " + FormatRfc3339(now_));
    if (placement.window.length() < part.left) {
      outcome_.violations.push_back("job " + std::to_string(job) +
                                    " has less time than it needs at " + FormatRfc3339(now_));
    }
    entitlement_.Hold(starts.project, starts.request.shape.gpus());
    outcome_.useful_gpu_seconds += Measured(now_, end) * starts.request.shape.gpus();
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
  std::set<Running> running_;
  /// By job.
  std::vector<Part> parts_;
  /// Those that run, may be stopped and are not being stopped, by job.
  std::map<std::size_t, scheduler::SnapshotPreemptible> preemptible_;
  /// When work was or will be stopped and of which project, by time; what is long ago is forgotten.
  std::deque<std::pair<Instant, int>> stops_;
  std::optional<Instant> next_planned_;
  Floor floor_;
  Entitlement entitlement_;
};

}  // namespace

Outcome Simulate(const Workload& workload, const SimulationOptions& options) {
  return Simulation(workload, options).Run();
}

}  // namespace allot::sim
