#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "allot/control/context.h"
#include "allot/model/allocation.h"
#include "allot/model/order.h"
#include "allot/store/tx.h"

namespace allot::control {

// Steps that several use cases share; each keeps state, claims, orders and charges in step.

/// Moves `allocation` by `event`, with the words its owner will read. Changes the argument only;
/// the caller writes it.
Status Move(Allocation& allocation, AllocationEvent event, Instant now, std::string reason,
            std::string message);

/// Recall::OrderRelease of one.
Status OrderRelease(store::Tx& tx, IdSource& ids, const Allocation& allocation, Instant now,
                    int64_t epoch);

/// Charges the project for the time that the present attempt had its GPUs: to `until`, and at most
/// to the end of its window. Once an attempt, in the transaction that takes away what was set aside
/// for it, and before its claims are released.
Status Charge(store::Tx& tx, const Policy& policy, const Allocation& allocation, Instant until);

/// From preempted to waiting: writes the preempted row and leaves the pending one, which has no
/// window and no place, to be written by the caller.
Status Requeue(store::Tx& tx, Allocation& allocation, Instant now, const std::string& reason,
               const std::string& message);

/// Why an allocation cannot use its nodes any more.
enum class Loss {
  kNodeLost,
  kProvisionFailed,
  /// What it was added to lost its GPUs.
  kBaseLost,
  /// Taken back before a restore that knows nothing of it, and not to be had again.
  kLostWithRestore,
};

/// GPUs that go back to their providers in one transaction, and what becomes of the allocations
/// that had them: however many they are, it takes few statements. The caller has locked them, and
/// writes their rows after Write.
class Recall {
 public:
  /// `epoch` 0 when no leader decides.
  Recall(store::Tx& tx, IdSource& ids, Instant now, int64_t epoch)
      : tx_(tx), ids_(ids), now_(now), epoch_(epoch) {}

  /// What they hold. Before anything else, of all that the others are called with.
  Status Read(std::span<const Allocation> allocations);
  /// Of its current attempt.
  std::vector<Claim> HeldBy(const Allocation& allocation) const;
  /// Orders the provider to take the GPUs of the current attempt back: supersedes an open provision
  /// order and writes a release order.
  Status OrderRelease(const Allocation& allocation);
  /// Takes an allocation off nodes it can no longer use: preempted and, when its policy and
  /// failures allow, pending again at once; else failed, and charged if it had a node to lose. Its
  /// claims stay held until the provider confirms the release that is ordered here.
  Status TakeOff(const Policy& policy, Allocation& allocation, Loss loss,
                 const std::string& message);
  Status Write();

 private:
  /// Until now.
  Status Charge(const Policy& policy, const Allocation& allocation);

  store::Tx& tx_;
  IdSource& ids_;
  const Instant now_;
  const int64_t epoch_;
  std::map<AllocationId, std::vector<Claim>> claims_;
  std::vector<store::Attempt> attempts_;
  std::vector<Order> orders_;
  std::map<ProjectId, store::ProjectUsage> usages_;
  /// The preempted rows of those that wait again.
  std::vector<Allocation> steps_;
};

/// Recall::TakeOff of one.
Status TakeOff(store::Tx& tx, IdSource& ids, const Policy& policy, Allocation& allocation,
               Instant now, int64_t epoch, Loss loss, const std::string& message);

}  // namespace allot::control
