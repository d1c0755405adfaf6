#include "apps/allot-sim/whole_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <system_error>

namespace allot::apps {
namespace {

Error Unwritable(const std::string& path, int cause) {
  return StateError(Reason::kConfigInvalid,
                    path + ": cannot be written: " + std::generic_category().message(cause) +
                        "; name a file in a folder that exists, that you may write to and that has "
                        "room");
}

/// A name of this process's own, so that two that write the same file do not mix.
std::string DraftOf(const std::string& path) { return path + ".new-" + std::to_string(::getpid()); }

int OpenDraft(const std::string& path) {
  const std::string draft = DraftOf(path);
  ::unlink(draft.c_str());
  return ::open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
}

bool WriteAll(int file, std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = ::write(file, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return false;
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  return ::fsync(file) == 0;
}

}  // namespace

std::optional<std::string> ReadWholeFile(const std::string& path) {
  // A folder opens like a file and throws only when it is read; a device may never end.
  struct stat there {};
  if (::stat(path.c_str(), &there) != 0) return std::nullopt;
  if (!S_ISREG(there.st_mode) && !S_ISFIFO(there.st_mode)) return std::nullopt;
  if (static_cast<std::uintmax_t>(there.st_size) > kFileBytesMax) return std::nullopt;
  std::ifstream file(path, std::ios::binary);
  if (!file.is_open()) return std::nullopt;
  std::string text;
  std::array<char, std::size_t{1} << 16> part{};
  // A pipe does not say beforehand how long it is.
  while (file.read(part.data(), part.size()), file.gcount() > 0) {
    text.append(part.data(), static_cast<std::size_t>(file.gcount()));
    if (text.size() > kFileBytesMax) return std::nullopt;
  }
  return text;
}

Status CheckWritable(const std::string& path) {
  struct stat there {};
  const bool exists = ::stat(path.c_str(), &there) == 0;
  // A device or a folder would be replaced by the file, or not at all.
  if (path.empty() || (exists && !S_ISREG(there.st_mode))) {
    return StateError(Reason::kConfigInvalid,
                      "'" + path + "' is no file; name one to write, such as report.html");
  }
  const int file = OpenDraft(path);
  if (file < 0) return Unwritable(path, errno);
  ::close(file);
  ::unlink(DraftOf(path).c_str());
  return Ok{};
}

Status WriteWholeFile(const std::string& path, std::string_view text) {
  ALLOT_RETURN_IF_ERROR(CheckWritable(path));
  const std::string draft = DraftOf(path);
  const int file = OpenDraft(path);
  if (file < 0) return Unwritable(path, errno);
  int cause = WriteAll(file, text) ? 0 : errno;
  ::close(file);
  if (cause == 0 && std::rename(draft.c_str(), path.c_str()) != 0) cause = errno;
  if (cause == 0) return Ok{};
  ::unlink(draft.c_str());
  return Unwritable(path, cause);
}

}  // namespace allot::apps
