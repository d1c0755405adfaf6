#include "backup/folder_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

namespace allot::backup {
namespace {

constexpr const char* kTaking = "/lock";
constexpr const char* kReading = "/reading";

Error Unwritable(const std::string& folder, int cause) {
  return StateError(Reason::kConfigInvalid, "The folder " + folder + " cannot be written: " +
                                                std::generic_category().message(cause) + ".");
}

/// Held, or -1.
int Hold(int fd, int operation) {
  if (fd < 0 || ::flock(fd, operation | LOCK_NB) == 0) return fd;
  ::close(fd);
  return -1;
}

}  // namespace

Result<FolderLock> FolderLock::ToTakeABackup(const std::string& folder) {
  std::error_code problem;
  std::filesystem::create_directories(folder, problem);
  if (problem) return Unwritable(folder, problem.value());
  const int fd = ::open((folder + kTaking).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return Unwritable(folder, errno);
  if (Hold(fd, LOCK_EX) >= 0) return FolderLock(fd);
  return StateError(Reason::kConfigInvalid,
                    "Another backup is being made in " + folder + ": wait until it is done.");
}

Result<FolderLock> FolderLock::ToRead(const std::string& folder) {
  const std::string path = folder + kReading;
  int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) fd = ::open(path.c_str(), O_RDONLY | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0 || Hold(fd, LOCK_SH) >= 0) return FolderLock(fd);
  return StateError(Reason::kConfigInvalid,
                    "Old backups are being removed from " + folder + ": try again in a moment.");
}

std::optional<FolderLock> FolderLock::ToRemove(const std::string& folder) {
  const int fd = ::open((folder + kReading).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (Hold(fd, LOCK_EX) < 0) return std::nullopt;
  return FolderLock(fd);
}

FolderLock::~FolderLock() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace allot::backup
