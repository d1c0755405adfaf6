#include "agent/durable_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

namespace allot::agent {
namespace {

Error Unavailable(const std::string& what, const std::string& path, int cause) {
  std::array<char, 256> buffer{};
  return StateError(Reason::kStoreUnavailable, path + " cannot be " + what + ": " +
                                                   strerror_r(cause, buffer.data(), buffer.size()));
}

/// Closes on every way out.
class File {
 public:
  File(const std::string& path, int flags, mode_t mode = 0)
      : fd_(::open(path.c_str(), flags | O_CLOEXEC, mode)) {}
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  bool is_open() const { return fd_ >= 0; }
  int fd() const { return fd_; }

 private:
  int fd_;
};

bool WriteAll(int fd, std::string_view content) {
  while (!content.empty()) {
    const ssize_t count = ::write(fd, content.data(), content.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return false;
    content.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

}  // namespace

Status WriteDurably(const std::string& folder, const std::string& name, std::string_view content,
                    const std::function<void(std::string_view step)>& after_step) {
  const auto step = [&after_step](std::string_view done) {
    if (after_step) after_step(done);
  };
  const std::string path = folder + "/" + name;
  const std::string unfinished = path + std::string(kUnfinishedSuffix);
  {
    const File file(unfinished, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (!file.is_open() || !WriteAll(file.fd(), content)) {
      return Unavailable("written", unfinished, errno);
    }
    step("written");
    if (::fsync(file.fd()) != 0) return Unavailable("synced", unfinished, errno);
    step("synced");
  }
  if (::rename(unfinished.c_str(), path.c_str()) != 0) return Unavailable("renamed", path, errno);
  step("renamed");
  // Without this a crash of the machine could bring the old name back.
  const File directory(folder, O_RDONLY | O_DIRECTORY);
  if (!directory.is_open() || ::fsync(directory.fd()) != 0) {
    return Unavailable("synced", folder, errno);
  }
  step("folder_synced");
  return Ok{};
}

Result<std::optional<std::string>> ReadWhole(const std::string& path) {
  const File file(path, O_RDONLY);
  if (!file.is_open()) {
    if (errno == ENOENT) return std::optional<std::string>();
    return Unavailable("read", path, errno);
  }
  std::string content;
  std::array<char, 16'384> buffer{};
  for (;;) {
    const ssize_t count = ::read(file.fd(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return Unavailable("read", path, errno);
    if (count == 0) return std::optional(std::move(content));
    content.append(buffer.data(), static_cast<std::size_t>(count));
  }
}

}  // namespace allot::agent
