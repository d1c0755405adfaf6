#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "allot/base/result.h"

namespace allot::store {

/// A PostgreSQL cluster of our own in a folder: made by initdb, reached by a Unix socket in that
/// folder only, run by an unprivileged user when we are root, stopped with us.
/// Survives kill -9 of either side: a server left running by a dead owner is taken over, a stale
/// postmaster.pid is cleared once nobody is at work in the folder. A second live owner is refused.
/// Everything in the folder that holds data is 0700; the folder itself must let the unprivileged
/// user through when we are root, and so must every folder above it.
class PrivateCluster {
 public:
  /// Of its database, and of the role that owns it.
  static constexpr const char* kName = "allot";

  struct Options {
    std::string data_dir;
    /// Used when we run as root, which PostgreSQL refuses; must exist.
    std::string user = "postgres";
    /// For tests: nothing in it has to survive a power failure, so nothing waits for the disk.
    bool throwaway = false;
    /// More of PostgreSQL's settings, "name=value" each, which go before the cluster's own.
    std::vector<std::string> settings = {};
    /// Long enough to recover from a crash with a full write-ahead log.
    std::chrono::seconds start_patience{120};
    /// Once requested, a start that is still waiting fails.
    std::stop_token stop = {};
  };
  /// config_invalid when the folder is in use, not ours or not writable; store_unavailable when
  /// PostgreSQL does not start (with the end of its log).
  static Result<std::unique_ptr<PrivateCluster>> Start(const Options& options);

  /// Of the cluster that a server runs in this folder now; nothing when none does.
  static std::optional<std::string> RunningUrl(const std::string& data_dir);

  virtual ~PrivateCluster() = default;
  /// For OpenPostgres and Migrate.
  virtual std::string url() const = 0;
  /// Whether the server process lives; restarts it when not, and awaits that it takes connections.
  /// To be called every now and then: nothing else notices that it died. Thread safe.
  virtual Status EnsureRunning() = 0;
  /// A fast shutdown, awaited.
  virtual Status Stop() = 0;
};

}  // namespace allot::store
