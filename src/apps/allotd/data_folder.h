#pragma once

#include <string>

#include "allot/base/result.h"

namespace allot::allotd {

/// What a server with a private cluster keeps in its folder, besides what PrivateCluster does: the
/// operator's key, and where it listens now. The CLI and the agents find both there.
/// Used by the holder of the cluster's lock only.
class DataFolder {
 public:
  explicit DataFolder(std::string path) : path_(std::move(path)) {}

  const std::string& path() const { return path_; }
  std::string operator_key() const { return path_ + "/keys/operator.key"; }
  std::string server_address() const { return path_ + "/server.address"; }

  /// Makes what is missing and forgets a dead server's address; config_invalid when it cannot.
  Status Prepare() const;
  bool HasOperatorKey() const;
  /// Readable by its owner only, from the first byte on.
  Status WriteOperatorKey(const std::string& secret) const;
  /// All at once: a reader sees the old address or the new one.
  Status WriteServerAddress(const std::string& address) const;
  /// Nobody listens any more.
  void RemoveServerAddress() const;

 private:
  std::string path_;
};

}  // namespace allot::allotd
