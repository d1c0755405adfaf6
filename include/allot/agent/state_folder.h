#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "allot/agent/state.h"
#include "allot/base/id.h"
#include "allot/base/result.h"
#include "allot/base/time.h"
#include "allot/base/time_window.h"
#include "allot/model/order.h"

namespace allot::agent {

/// All that an agent must remember, in a folder of its own:
///
///     agent.lock          held by the one agent that runs
///     cluster.json        whose folder it is
///     inventory.json      the nodes last listed, and their generation
///     registration        the id of a registration that is unanswered
///     enactments/*.json   one file for each attempt of an allocation
///     health/<node>       written by operators: the node does not work, for the reason inside
///
/// Every write is durable and whole when it returns: a new file is synced, renamed over the old
/// one, and the folder synced. A crash at any point leaves the old file or the new one.
/// Thread safe for one thread that writes enactments and one that writes the inventory.
class StateFolder final : public State {
 public:
  struct Options {
    std::string path;
    /// Called after each step of a write ("written", "synced", "renamed", "folder_synced"); tests
    /// stop the process there.
    std::function<void(std::string_view step)> after_step;
  };

  /// Creates what is missing, and removes what a crash left half written. config_invalid when the
  /// folder belongs to another cluster, is in use by another agent, damaged, or not writable. A
  /// record that cannot be read is no reason: List tells of it.
  static Result<std::unique_ptr<StateFolder>> Open(Options options, const ProviderId& provider,
                                                   const ClusterId& cluster);
  ~StateFolder() override;
  StateFolder(const StateFolder&) = delete;
  StateFolder& operator=(const StateFolder&) = delete;

  Result<int64_t> GenerationOf(const std::vector<std::string>& nodes) override;
  Status RaiseGenerationAbove(int64_t generation) override;
  std::string PendingRegistration() const override;
  Status KeepPendingRegistration(const std::string& request_id) override;
  Result<std::optional<Enactment>> Find(const AllocationId& allocation, int attempt) const override;
  Status Write(const Enactment& enactment) override;
  Result<Records> List() const override;
  Result<int> RemoveEndedBefore(Instant t) override;

  std::string health_folder() const { return options_.path + "/health"; }

 private:
  explicit StateFolder(Options options) : options_(std::move(options)) {}

  Status Claim(const ProviderId& provider, const ClusterId& cluster);
  Status RemoveLeftovers() const;
  Result<std::optional<Enactment>> ReadRecord(const std::string& name) const;
  Status WriteInventory();

  Options options_;
  int lock_fd_ = -1;
  int64_t generation_ = 0;
  std::vector<std::string> nodes_;
};

}  // namespace allot::agent
