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

/// Whether we hold it from now on, and nobody else does. When not, the file is closed.
Result<bool> Hold(int fd, int operation, const std::string& path) {
  if (::flock(fd, operation | LOCK_NB) == 0) return true;
  const int cause = errno;
  ::close(fd);
  if (cause == EWOULDBLOCK) return false;
  return StateError(Reason::kConfigInvalid, "The file " + path + " cannot be locked: " +
                                                std::generic_category().message(cause) + ".");
}

/// Whoever reads may be another user than who removes, and the first of them makes it.
int OpenReading(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd >= 0) return fd;
  const int cause = errno;
  const int to_read = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (to_read < 0) errno = cause;
  return to_read;
}

}  // namespace

Result<FolderLock> FolderLock::ToTakeABackup(const std::string& folder) {
  std::error_code problem;
  std::filesystem::create_directories(folder, problem);
  if (problem) return Unwritable(folder, problem.value());
  // While there is room, and as the user who removes: on a full disk it could not be made.
  const int reading = OpenReading(folder + kReading);
  if (reading >= 0) ::close(reading);
  const std::string path = folder + kTaking;
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return Unwritable(folder, errno);
  ALLOT_ASSIGN_OR_RETURN(const bool held, Hold(fd, LOCK_EX, path));
  if (held) return FolderLock(fd);
  return StateError(Reason::kConfigInvalid,
                    "Another backup is being made in " + folder + ": wait until it is done.");
}

Result<FolderLock> FolderLock::ToRead(const std::string& folder) {
  const std::string path = folder + kReading;
  int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) fd = ::open(path.c_str(), O_RDONLY | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return FolderLock(fd);
  ALLOT_ASSIGN_OR_RETURN(const bool held, Hold(fd, LOCK_SH, path));
  if (held) return FolderLock(fd);
  return StateError(Reason::kConfigInvalid,
                    "Old backups are being removed from " + folder + ": try again in a moment.");
}

Result<std::optional<FolderLock>> FolderLock::ToRemove(const std::string& folder) {
  const std::string path = folder + kReading;
  const int fd = OpenReading(path);
  if (fd < 0) {
    return StateError(Reason::kConfigInvalid, "No old backups are removed: " + path +
                                                  " tells whether somebody reads them, "
                                                  "and cannot be opened: " +
                                                  std::generic_category().message(errno) +
                                                  ". Give it to the user that makes the backups.");
  }
  ALLOT_ASSIGN_OR_RETURN(const bool held, Hold(fd, LOCK_EX, path));
  if (!held) return std::optional<FolderLock>();
  return std::optional<FolderLock>(FolderLock(fd));
}

FolderLock::~FolderLock() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace allot::backup
