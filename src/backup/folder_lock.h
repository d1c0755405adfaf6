#pragma once

#include <optional>
#include <string>
#include <utility>

#include "allot/base/result.h"

namespace allot::backup {

/// A hold on a folder of backups; released by the operating system however we end.
class FolderLock {
 public:
  /// One backup at a time. Makes the folder, and what readers and removers meet in. config_invalid
  /// when another is being made.
  static Result<FolderLock> ToTakeABackup(const std::string& folder);
  /// Several may read, and nothing is removed meanwhile. Of a folder that we cannot write to, and
  /// that nobody has removed anything from, it holds nothing. config_invalid while somebody
  /// removes.
  static Result<FolderLock> ToRead(const std::string& folder);
  /// Nothing while somebody reads. config_invalid when nobody can tell.
  static Result<std::optional<FolderLock>> ToRemove(const std::string& folder);

  FolderLock(FolderLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FolderLock& operator=(FolderLock&&) = delete;
  ~FolderLock();

 private:
  explicit FolderLock(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace allot::backup
