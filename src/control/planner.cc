#include "allot/control/planner.h"

#include <algorithm>
#include <variant>

#include "allot/replay/recording.h"
#include "allot/scheduler/check_plan.h"
#include "control/record.h"

namespace allot::control {
namespace {

/// A clock that is set back by more was wrong before.
constexpr Seconds kSetBackMax = Minutes(10);

}  // namespace

Status Planner::Refresh() {
  const Revision after = is_in_doubt_ ? 0 : view_.revision();
  // Whatever it failed by: what was too much to read grows until it is read in another way.
  is_in_doubt_ = true;
  auto changes = context_.store.Transact<store::Changes>(
      store::Access::kRead, store::Scope::Everything(),
      [&](store::Tx& tx) { return tx.ChangesAfter(after, view_.history()); });
  if (!changes.ok()) return changes.error();
  is_in_doubt_ = false;
  if (changes->revision == after && !changes->complete) return Ok{};
  view_.Apply(*changes);
  if (changes->complete || !changes->policies.empty()) context_.policies.Replace(view_.policies());
  // Its revision may be another's number now.
  if (changes->complete) latest_.reset();
  return Ok{};
}

std::shared_ptr<Pass> Planner::DrawUp() {
  // Whole seconds, so that windows are what the calendar and the provider's clocks can hold. Not
  // before the last pass, should the clock have been set back: claims released since then ended
  // after it, and nothing could start on their GPUs until the clock had caught up. But who led with
  // a clock that was a day ahead must not go on by it once it was put right.
  const Instant clock = Instant::FromSeconds(context_.clock.Now().seconds());
  const Instant now = planned_at_ <= clock + kSetBackMax ? std::max(clock, planned_at_) : clock;
  planned_at_ = now;
  auto pass = std::make_shared<Pass>();
  pass->snapshot = view_.At(now);
  pass->loads = view_.loads();
  pass->waiting = view_.Waiting(now);
  pass->preemptible = view_.Preemptible();
  pass->policy = context_.policies.At(now);
  // What another policy made of what they were told is not what this one makes of it.
  for (std::size_t i = 0; i < pass->waiting.size(); ++i) {
    const bool under_this = pass->waiting[i]->overdue_under == pass->policy->version;
    if (!under_this) pass->snapshot.pending[i].overdue = false;
  }
  return pass;
}

Result<std::shared_ptr<const Pass>> Planner::Decide(const std::shared_ptr<Pass>& pass) {
  pass->plan = scheduler::Schedule(pass->snapshot, *pass->policy);
  const auto violations = scheduler::CheckPlan(pass->snapshot, *pass->policy, pass->plan);
  const std::lock_guard lock(mutex_);
  if (!violations.empty()) {
    refused_ = pass;
    return StateError(Reason::kInternal, "the checker refused the plan of revision " +
                                             std::to_string(pass->snapshot.revision) + ": " +
                                             violations.front());
  }
  const bool is_newest = !latest_ || latest_->snapshot.revision <= pass->snapshot.revision;
  if (pass->loads == view_.loads() && is_newest) latest_ = pass;
  return Result<std::shared_ptr<const Pass>>(pass);
}

Result<std::shared_ptr<const Pass>> Planner::Plan() {
  const int64_t number = Begin();
  std::shared_ptr<Pass> pass;
  {
    const std::lock_guard lock(mutex_);
    ALLOT_RETURN_IF_ERROR(Refresh());
    pass = DrawUp();
  }
  auto decided = Decide(pass);
  if (decided.ok()) Share(number, decided);
  return decided;
}

Result<std::shared_ptr<const Pass>> Planner::Latest() {
  std::unique_lock lock(asking_mutex_);
  if (askers_ == kAskersMax) {
    return StateError(Reason::kOverloaded,
                      std::to_string(kAskersMax) + " calls wait for the present plan");
  }
  ++askers_;
  const int64_t came = begun_;
  shared_.wait(lock, [&] { return shared_number_ > came || !is_being_made_; });
  if (shared_number_ <= came) {
    is_being_made_ = true;
    lock.unlock();
    const int64_t number = Begin();
    Share(number, BringUpToDate());
    lock.lock();
    is_being_made_ = false;
    shared_.notify_all();
  }
  auto shared = *shared_pass_;
  if (--askers_ == 0) shared_pass_.reset();
  return shared;
}

Error Planner::NoTurn() {
  return StateError(Reason::kOverloaded, std::to_string(kQuestionsMax) +
                                             " timelines, or questions of what would be, are "
                                             "being worked out");
}

int Planner::askers() {
  const std::lock_guard lock(asking_mutex_);
  return askers_;
}

int64_t Planner::Begin() {
  const std::lock_guard lock(asking_mutex_);
  return ++begun_;
}

void Planner::Share(int64_t number, const Result<std::shared_ptr<const Pass>>& made) {
  {
    const std::lock_guard lock(asking_mutex_);
    if (askers_ == 0 || number <= shared_number_) return;
    shared_number_ = number;
    shared_pass_ = made;
  }
  shared_.notify_all();
}

Result<std::shared_ptr<const Pass>> Planner::BringUpToDate() {
  std::shared_ptr<Pass> pass;
  {
    const std::lock_guard lock(mutex_);
    ALLOT_RETURN_IF_ERROR(Refresh());
    if (latest_ && latest_->snapshot.revision == view_.revision() &&
        latest_->policy == context_.policies.At(context_.clock.Now())) {
      return latest_;
    }
    pass = DrawUp();
  }
  auto decided = Decide(pass);
  // The checker's words name anybody's allocations, and whoever asks is shown this.
  if (!decided.ok()) return StateError(Reason::kInternal, "The present plan was refused.");
  return decided;
}

Status Planner::Foretell(std::span<Allocation> validated) {
  std::shared_ptr<const Pass> pass;
  std::vector<scheduler::SnapshotPending> rows;
  std::vector<Allocation*> asking;
  {
    const auto latest = Latest();
    if (!latest.ok() && latest.error().reason == Reason::kOverloaded) return latest.error();
    if (!latest.ok()) return Ok{};
    pass = *latest;
    const std::lock_guard lock(mutex_);
    const auto& projects = pass->snapshot.projects;
    for (Allocation& one : validated) {
      const auto project =
          std::ranges::lower_bound(projects, one.project, {}, &scheduler::SnapshotProject::id);
      const bool exists =
          one.state != AllocationState::kPending || view_.allocations().contains(one.id);
      if (exists || project == projects.end() || project->id != one.project) continue;
      const bool follows = view_.Follows(one) ||
                           std::any_of(rows.begin(), rows.end(),
                                       [&](const auto& before) { return before.id == one.after; });
      rows.push_back(WaitingRow(one, static_cast<int>(project - projects.begin()), follows,
                                pass->snapshot.now));
      asking.push_back(&one);
    }
  }
  if (rows.empty()) return Ok{};
  const std::lock_guard lock(standing_mutex_);
  if (standing_of_ != pass) {
    standing_.emplace(pass->snapshot, *pass->policy, pass->plan);
    standing_of_ = pass;
  }
  const auto told = standing_->Try(std::move(rows));
  for (std::size_t i = 0; i < told.size(); ++i) {
    Allocation& one = *asking[i];
    if (const auto* deferral = std::get_if<scheduler::Deferral>(&told[i])) {
      one.reason = Name(deferral->reason);
      one.message = deferral->message;
      continue;
    }
    const auto& placement = std::get<scheduler::Placement>(told[i]);
    one.state = AllocationState::kPlanned;
    one.window = placement.window;
    one.cluster = pass->snapshot.clusters[static_cast<std::size_t>(placement.cluster)].id;
    one.reason = "planned";
    one.message = "would start " + FormatRfc3339(placement.window.start()) + " on " +
                  one.cluster.str() + ", behind all who wait now";
  }
  return Ok{};
}

Status Planner::Read(const std::function<void(const PoolView&)>& read) {
  const std::lock_guard lock(mutex_);
  ALLOT_RETURN_IF_ERROR(Refresh());
  read(view_);
  return Ok{};
}

std::shared_ptr<const Pass> Planner::TakeRefused() {
  const std::lock_guard lock(mutex_);
  return std::exchange(refused_, nullptr);
}

Result<RecordedPass> RecordPass(const Principal& principal, Planner& planner) {
  ALLOT_RETURN_IF_ERROR(Require(principal, Permission::kReadAudit));
  ALLOT_ASSIGN_OR_RETURN(const auto pass, planner.Latest());
  return RecordedPass{replay::FormatRecording(pass->snapshot, *pass->policy, pass->plan),
                      pass->snapshot.revision};
}

}  // namespace allot::control
