#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "allot/base/id.h"
#include "allot/base/result.h"
#include "allot/base/time.h"
#include "allot/base/time_window.h"
#include "allot/model/order.h"

namespace allot::agent {

/// How far an attempt of an allocation came at this provider.
enum class EnactmentState : uint8_t {
  kProvisioning,  ///< written before the adapter is called, so that a crash hides nothing
  kProvisioned,
  kFailed,     ///< the adapter could not; asked again, the answer is the same
  kReleasing,  ///< written before the adapter is called
  kReleased,   ///< final: a late provision order of this attempt is refused
};
/// "provisioning", "provisioned", …
std::string_view Name(EnactmentState state);
std::optional<EnactmentState> ParseEnactmentState(std::string_view name);

/// What was enacted for one attempt: one file of the state folder.
struct Enactment {
  AllocationId allocation;
  int attempt = 0;
  EnactmentState state = EnactmentState::kProvisioning;
  /// The highest of the orders enacted; an order with a lower one is refused.
  int64_t epoch = 0;
  /// The last order enacted.
  OrderId order;
  std::vector<OrderedNode> nodes;
  TimeWindow window = *TimeWindow::Make(Instant{0}, Instant{1});
  Instant update_time;
  /// Why it failed.
  std::string message;

  friend bool operator==(const Enactment&, const Enactment&) = default;
};

/// All records of a state.
struct Records {
  /// In the order of their attempts.
  std::vector<Enactment> enactments;
  /// Those that cannot be read, each with its name and why; sorted.
  std::vector<std::string> unreadable;
};

/// What an agent must remember from one life to the next. Every write is durable and whole when it
/// returns, or the old one stands. Thread safe for one thread that writes enactments and one that
/// writes the inventory.
class State {
 public:
  virtual ~State() = default;

  /// The generation of this list of nodes, each with whatever else an inventory tells: the last one
  /// for the same list, the next for another. store_unavailable when it cannot be written.
  virtual Result<int64_t> GenerationOf(const std::vector<std::string>& nodes) = 0;
  /// From now on generations are above `generation`; 0 says nothing.
  virtual Status RaiseGenerationAbove(int64_t generation) = 0;

  /// The id of a registration that was begun and brought no session yet, in this life or an earlier
  /// one; empty when there is none, or none is known.
  virtual std::string PendingRegistration() const = 0;
  /// Empty: it was answered.
  virtual Status KeepPendingRegistration(const std::string& request_id) = 0;

  /// An error: there may be a record, and it cannot be read.
  virtual Result<std::optional<Enactment>> Find(const AllocationId& allocation,
                                                int attempt) const = 0;
  virtual Result<Records> List() const = 0;
  /// Replaces the record of the same attempt. store_unavailable when it cannot be written; the
  /// record is then the old one or the new one.
  virtual Status Write(const Enactment& enactment) = 0;
  /// Removes the records of attempts that ended (released or failed) before `t`; returns how many.
  /// What cannot be read stays.
  virtual Result<int> RemoveEndedBefore(Instant t) = 0;
};

}  // namespace allot::agent
