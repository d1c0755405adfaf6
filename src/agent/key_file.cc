#include "agent/key_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

namespace allot::agent {
namespace {

constexpr std::size_t kKeyBytesMax = 256;

// Never with the file's content: a log is no place for a key.
Error Refuse(const std::string& path, const std::string& why, const std::string& expected) {
  return Error{Reason::kConfigInvalid, "--key-file", Printable(path), expected,
               "the key file " + path + " " + why + ": expected " + expected};
}

}  // namespace

Result<std::string> ReadKeyFile(const std::string& path) {
  const std::string readable = "a file that this user can read";
  // Without waiting for a writer, should it be a pipe.
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) {
    std::array<char, 256> cause{};
    return Refuse(path,
                  std::string("cannot be read: ") + strerror_r(errno, cause.data(), cause.size()),
                  readable);
  }
  struct stat about {};
  std::array<char, kKeyBytesMax + 2> buffer{};
  const bool known = ::fstat(fd, &about) == 0;
  const ssize_t count = ::read(fd, buffer.data(), buffer.size());
  ::close(fd);
  if (!known || !S_ISREG(about.st_mode)) return Refuse(path, "is not a plain file", readable);
  if ((about.st_mode & 0077U) != 0) {
    return Refuse(path, "may be read or written by others", "mode 0600 (chmod 600)");
  }
  if (count < 0) return Refuse(path, "cannot be read", readable);
  std::string_view key(buffer.data(), static_cast<std::size_t>(count));
  while (key.ends_with('\n') || key.ends_with('\r')) key.remove_suffix(1);
  const bool word =
      std::ranges::all_of(key, [](char character) { return character > ' ' && character <= '~'; });
  if (key.empty() || key.size() > kKeyBytesMax || !word) {
    return Refuse(path, key.empty() ? "is empty" : "does not hold a key",
                  "one line with the API key, at most 256 printable characters");
  }
  return std::string(key);
}

}  // namespace allot::agent
