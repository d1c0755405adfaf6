// What must come about once nothing is in the way.
#include "chaos/auditor.h"

namespace allot::chaos {
namespace {

constexpr Seconds kJustEnded = Minutes(2);

}  // namespace

void Auditor::ExpectPlaced() {
  for (const auto& [id, one] : allocations_) {
    if (one.state != AllocationState::kPending) continue;
    // What takes only what is left may have to wait until there is some.
    if (one.grows || one.request.borrow) continue;
    // Others may have to end first, and it may come too late for it.
    if (one.request.deadline) continue;
    const auto before = one.after ? allocations_.find(*one.after) : allocations_.end();
    // What ended a moment ago, at its deadline, was in its way for all passes before that.
    const bool behind =
        before != allocations_.end() &&
        (!IsFinal(before->second.state) || *before->second.end_time + kJustEnded > world_.now());
    Expect(behind, "placed_in_time",
           id.str() + " has no start after enough passes: " + one.reason + ": " + one.message);
  }
}

void Auditor::ExpectServed(const AllocationId& id) {
  const auto one = allocations_.find(id);
  const bool served = one != allocations_.end() && one->second.state == AllocationState::kCompleted;
  Expect(served, "served_in_time",
         id.str() + " asked for little at the end, and is " +
             (served || one == allocations_.end() ? "not there"
                                                  : std::string(Name(one->second.state))));
  if (!served) return;
  const auto holding = holdings_.find({id, one->second.attempt});
  // Servers count in whole seconds.
  const bool whole =
      holding != holdings_.end() && holding->second.ended &&
      holding->second.ended->most >= Instant::FromSeconds(holding->second.began.least.seconds()) +
                                         one->second.request.duration;
  Expect(whole, "served_in_time", id.str() + " did not have the whole time it asked for");
}

}  // namespace allot::chaos
