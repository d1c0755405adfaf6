#include "scheduler/promise.h"

#include "scheduler/fair_order.h"

namespace allot::scheduler {

bool DeservesPromise(const Snapshot& snapshot, const Policy& policy, const Placement& placement) {
  const SnapshotPending& row = snapshot.pending[static_cast<std::size_t>(placement.pending)];
  const Instant start = placement.window.start();
  // When it can start is not in our hands.
  if (row.after || row.grows) return false;
  // What is borrowed is nobody's to count on.
  if (row.request.borrow) return false;
  // What arrives together is ranked together: the first to arrive must not be promised what the
  // best of them are to have. Passes know whole seconds only.
  const Instant created = Instant::FromSeconds(row.create_time.seconds());
  if (created + policy.gathering_time > snapshot.now) return false;
  if (start <= snapshot.now || start > snapshot.now + policy.promise_within) return false;
  // What fits a reservation exactly must not miss it by a second.
  return placement.reservation ||
         row.request.ShapeOn(placement.model).node_count() >= policy.promise_nodes || row.urgent ||
         IsOverdue(row, snapshot.now, policy);
}

}  // namespace allot::scheduler
