#include "allot/scheduler/standing_plan.h"

#include <utility>

#include "allot/base/check.h"
#include "scheduler/at.h"
#include "scheduler/in_turn.h"
#include "scheduler/pass.h"

namespace allot::scheduler {

// The pass refers to the rest, so all of it stays where it is.
class StandingPlan::Body {
 public:
  Body(const Snapshot& snapshot, const Policy& policy, const Plan& plan)
      : world_(AfterPreemptions(snapshot, plan)), policy_(policy), pass_(world_, policy_) {
    for (const Placement& placement : plan.placements) pass_.Adopt(placement);
    // No newcomer has to wait while thousands of rows move to where there is room for one more.
    world_.pending.reserve(world_.pending.size() + world_.pending.size() / 2 + kRoom);
  }

  std::variant<Placement, Deferral> Insert(SnapshotPending newcomer) {
    ALLOT_CHECK(Within(newcomer.project, world_.projects.size()) && !newcomer.promise);
    world_.pending.push_back(std::move(newcomer));
    pass_.Append();
    return PlaceInTurn(pass_, world_, policy_, static_cast<int>(world_.pending.size()) - 1);
  }

  std::vector<std::variant<Placement, Deferral>> Try(std::vector<SnapshotPending> newcomers) {
    std::vector<std::variant<Placement, Deferral>> told;
    told.reserve(newcomers.size());
    for (SnapshotPending& newcomer : newcomers) told.push_back(Insert(std::move(newcomer)));
    for (auto last = told.rbegin(); last != told.rend(); ++last) {
      pass_.RemoveLast(std::get_if<Placement>(&*last));
      world_.pending.pop_back();
    }
    return told;
  }

  const Snapshot& world() const { return world_; }

 private:
  static constexpr std::size_t kRoom = 1'024;

  Snapshot world_;
  const Policy policy_;
  Pass pass_;
};

StandingPlan::StandingPlan(const Snapshot& snapshot, const Policy& policy, const Plan& plan)
    : body_(std::make_unique<Body>(snapshot, policy, plan)) {}
StandingPlan::~StandingPlan() = default;
StandingPlan::StandingPlan(StandingPlan&& other) noexcept = default;
StandingPlan& StandingPlan::operator=(StandingPlan&& other) noexcept = default;

std::variant<Placement, Deferral> StandingPlan::Insert(SnapshotPending newcomer) {
  return body_->Insert(std::move(newcomer));
}

std::vector<std::variant<Placement, Deferral>> StandingPlan::Try(
    std::vector<SnapshotPending> newcomers) {
  return body_->Try(std::move(newcomers));
}

const Snapshot& StandingPlan::snapshot() const { return body_->world(); }

}  // namespace allot::scheduler
