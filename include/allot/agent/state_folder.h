#pragma once

#include <cstdint>
#include <functional>
#include <memory>
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

/// All that an agent must remember, in a folder of its own:
///
///     agent.lock          held by the one agent that runs
///     cluster.json        whose folder it is
///     inventory.json      the nodes last listed, and their generation
///     enactments/*.json   one file for each attempt of an allocation
///     health/<node>       written by operators: the node does not work, for the reason inside
///
/// Every write is durable and whole when it returns: a new file is synced, renamed over the old
/// one, and the folder synced. A crash at any point leaves the old file or the new one.
/// Thread safe for one thread that writes enactments and one that writes the inventory.
class StateFolder {
 public:
  struct Options {
    std::string path;
    /// Called after each step of a write ("written", "synced", "renamed", "folder_synced"); tests
    /// stop the process there.
    std::function<void(std::string_view step)> after_step;
  };

  /// Creates what is missing, removes what a crash left half written, and reads every record once,
  /// so that damage shows at the start. config_invalid when the folder belongs to another cluster,
  /// is in use by another agent, damaged, or not writable.
  static Result<std::unique_ptr<StateFolder>> Open(Options options, const ProviderId& provider,
                                                   const ClusterId& cluster);
  ~StateFolder();
  StateFolder(const StateFolder&) = delete;
  StateFolder& operator=(const StateFolder&) = delete;

  /// The generation of this list of nodes, each with whatever else an inventory tells: the last one
  /// for the same list, the next for another. store_unavailable when it cannot be written.
  Result<int64_t> GenerationOf(const std::vector<std::string>& nodes);
  /// From now on generations are above `generation`; 0 says nothing.
  Status RaiseGenerationAbove(int64_t generation);

  Result<std::optional<Enactment>> Find(const AllocationId& allocation, int attempt) const;
  /// Replaces the record of the same attempt. store_unavailable when it cannot be written; the
  /// record is then the old one or the new one.
  Status Write(const Enactment& enactment);
  /// By allocation, then attempt.
  Result<std::vector<Enactment>> List() const;
  /// Removes the records of attempts that ended (released or failed) before `t`; returns how many.
  Result<int> RemoveEndedBefore(Instant t);

  std::string health_folder() const { return options_.path + "/health"; }

 private:
  explicit StateFolder(Options options) : options_(std::move(options)) {}

  Status Claim(const ProviderId& provider, const ClusterId& cluster);
  Status RemoveLeftovers() const;
  Status WriteInventory();

  Options options_;
  int lock_fd_ = -1;
  int64_t generation_ = 0;
  std::vector<std::string> nodes_;
};

}  // namespace allot::agent
