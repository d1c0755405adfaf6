#include "allot/model/allocation.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <utility>

namespace allot {
namespace {

std::vector<AllocationState> AllStates() {
  std::vector<AllocationState> states;
  for (int i = 0; i < kAllocationStateCount; ++i) states.push_back(static_cast<AllocationState>(i));
  return states;
}

std::vector<AllocationEvent> AllEvents() {
  std::vector<AllocationEvent> events;
  for (int i = 0; i < kAllocationEventCount; ++i) events.push_back(static_cast<AllocationEvent>(i));
  return events;
}

/// Every cell of the table by its names: rows are states, columns events, "." is not allowed.
/// Written by hand, apart from the table under test.
TEST(StateMachine, EveryStateTakesExactlyTheEventsItShould) {
  const std::map<std::string, std::map<std::string, std::string>> expected = {
      {"pending",
       {{"plan", "planned"},
        {"reserve", "provisioning"},
        {"cancel", "cancelled"},
        {"reject", "rejected"},
        {"expire", "expired"}}},
      {"planned",
       {{"unplan", "pending"},
        {"reserve", "provisioning"},
        {"cancel", "cancelled"},
        {"reject", "rejected"},
        {"expire", "expired"}}},
      {"provisioning",
       {{"provision_confirmed", "active"},
        {"provision_failed", "preempted"},
        {"release", "releasing"},
        {"cancel", "releasing"},
        {"preempt", "preempted"},
        {"fail", "failed"}}},
      {"active", {{"release", "releasing"}, {"preempt", "preempted"}, {"fail", "failed"}}},
      {"releasing",
       {{"release_confirmed", "completed"},
        {"cancel_confirmed", "cancelled"},
        {"preempt", "preempted"}}},
      {"completed", {}},
      {"rejected", {}},
      {"cancelled", {}},
      {"expired", {}},
      {"preempted", {{"requeue", "pending"}, {"cancel", "cancelled"}, {"fail", "failed"}}},
      {"failed", {}},
  };
  ASSERT_EQ(expected.size(), std::size_t{kAllocationStateCount});
  for (const AllocationState from : AllStates()) {
    const auto& row = expected.at(std::string(Name(from)));
    for (const AllocationEvent event : AllEvents()) {
      const auto cell = row.find(std::string(Name(event)));
      const auto next = Next(from, event);
      if (cell != row.end()) {
        ASSERT_TRUE(next.ok()) << Name(from) << " -" << Name(event) << "->";
        EXPECT_EQ(Name(*next), cell->second) << Name(from) << " -" << Name(event) << "->";
      } else {
        ASSERT_FALSE(next.ok()) << Name(from) << " -" << Name(event) << "-> " << Name(*next);
        EXPECT_EQ(next.error().reason, Reason::kTransitionNotAllowed);
      }
    }
  }
}

TEST(StateMachine, ARefusalNamesStateAndEvent) {
  const Error error = Next(AllocationState::kCompleted, AllocationEvent::kCancel).error();
  EXPECT_EQ(error.message, "The allocation is completed, which does not allow cancel.");
  EXPECT_EQ(error.field, "state");
  EXPECT_EQ(error.value, "completed");
}

TEST(StateMachine, ListsEveryTransitionOnce) {
  std::set<std::pair<AllocationState, AllocationEvent>> seen;
  for (const Transition& t : Transitions()) {
    EXPECT_TRUE(seen.insert({t.from, t.event}).second) << Name(t.from) << " " << Name(t.event);
    EXPECT_NE(t.from, t.to);
  }
}

TEST(StateMachine, IsFinalExactlyWhereNothingLeadsOut) {
  for (const AllocationState state : AllStates()) {
    bool leads_out = false;
    for (const Transition& t : Transitions()) leads_out |= t.from == state;
    EXPECT_EQ(IsFinal(state), !leads_out) << Name(state);
  }
}

TEST(StateMachine, EveryLifeCanEndAndEveryStateCanBeReached) {
  std::set<AllocationState> reached = {AllocationState::kPending};
  std::set<AllocationState> can_end;
  for (const AllocationState state : AllStates()) {
    if (IsFinal(state)) can_end.insert(state);
  }
  for (int i = 0; i < kAllocationStateCount; ++i) {
    for (const Transition& t : Transitions()) {
      if (reached.contains(t.from)) reached.insert(t.to);
      if (can_end.contains(t.to)) can_end.insert(t.from);
    }
  }
  EXPECT_EQ(reached.size(), std::size_t{kAllocationStateCount});
  EXPECT_EQ(can_end.size(), std::size_t{kAllocationStateCount});
}

/// GPUs come free only when the provider said so, or when the work was stopped or lost: nothing
/// slips from holding to waiting or done in any other way.
TEST(StateMachine, GpusComeFreeOnlyWithTheProvidersWord) {
  for (const Transition& t : Transitions()) {
    if (!HoldsGpus(t.from) || HoldsGpus(t.to)) continue;
    const bool by_the_providers_word = t.event == AllocationEvent::kReleaseConfirmed ||
                                       t.event == AllocationEvent::kCancelConfirmed;
    const bool stopped_or_lost =
        t.to == AllocationState::kPreempted || t.to == AllocationState::kFailed;
    EXPECT_TRUE(by_the_providers_word || stopped_or_lost) << Name(t.from) << " " << Name(t.event);
  }
}

TEST(StateMachine, SortsStatesIntoWaitingHoldingAndFinal) {
  for (const AllocationState state : AllStates()) {
    const int kinds = (IsWaiting(state) ? 1 : 0) + (HoldsGpus(state) ? 1 : 0) +
                      (IsFinal(state) ? 1 : 0) + (state == AllocationState::kPreempted ? 1 : 0);
    EXPECT_EQ(kinds, 1) << Name(state);
  }
}

}  // namespace
}  // namespace allot
