#pragma once

#include <memory>
#include <string>

#include "allot/base/result.h"

namespace allot::store {

/// A PostgreSQL cluster of our own in a folder: made by initdb, reached by a Unix socket in that
/// folder only, run by an unprivileged user when we are root, stopped with us.
/// Survives kill -9 of either side: a server left running by a dead owner is taken over, a stale
/// postmaster.pid is PostgreSQL's own to clear. A second live owner is refused.
class PrivateCluster {
 public:
  struct Options {
    std::string data_dir;
    /// Used when we run as root, which PostgreSQL refuses; must exist.
    std::string user = "postgres";
  };
  /// config_invalid when the folder is in use, not ours or not writable; store_unavailable when
  /// PostgreSQL does not start (with the end of its log).
  static Result<std::unique_ptr<PrivateCluster>> Start(const Options& options);

  virtual ~PrivateCluster() = default;
  /// For OpenPostgres and Migrate.
  virtual std::string url() const = 0;
  /// Whether the server process lives; restarts it when not.
  virtual Status EnsureRunning() = 0;
  /// A fast shutdown, awaited.
  virtual Status Stop() = 0;
};

}  // namespace allot::store
