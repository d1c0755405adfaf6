#pragma once

#include <sys/types.h>

#include <string>
#include <utility>

#include "allot/base/result.h"

namespace allot::allotd {

/// A file that is written beside its place and moved into it, so that no reader meets half of one.
/// Gone when it was not completed.
class FileDraft {
 public:
  /// config_invalid when it cannot be made.
  static Result<FileDraft> Open(const std::string& path, mode_t mode);
  /// The whole file, durable and in its place.
  Status Complete(const std::string& text);

  FileDraft(FileDraft&& other) noexcept
      : path_(std::move(other.path_)), file_(std::exchange(other.file_, -1)) {}
  FileDraft& operator=(FileDraft&&) = delete;
  ~FileDraft();

 private:
  FileDraft(std::string path, int file) : path_(std::move(path)), file_(file) {}
  std::string draft() const { return path_ + ".new"; }

  std::string path_;
  int file_;
};

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
  /// config_invalid when that cannot be seen.
  Result<bool> HasOperatorKey() const;
  /// Where the key is to be: readable by its owner only, from the first byte on.
  Result<FileDraft> DraftOperatorKey() const;
  /// All at once: a reader sees the old address or the new one.
  Status WriteServerAddress(const std::string& address) const;
  /// Nobody listens any more.
  void RemoveServerAddress() const;

 private:
  std::string path_;
};

}  // namespace allot::allotd
