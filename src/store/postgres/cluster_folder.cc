#include "store/postgres/cluster_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <system_error>
#include <utility>
#include <vector>

namespace allot::store {
namespace {

namespace fs = std::filesystem;

constexpr char kSocketName[] = "/.s.PGSQL.5432";
constexpr std::size_t kSocketPathMax = sizeof(sockaddr_un::sun_path) - 1;
constexpr std::uintmax_t kLogBytesMax = 16 << 20;

Error Unusable(const fs::path& path, const std::string& why) {
  return StateError(Reason::kConfigInvalid, "The data folder " + path.string() + " " + why + ".");
}

Error Unwritable(const fs::path& path, int cause) {
  return Unusable(path, "cannot be written: " + std::generic_category().message(cause));
}

bool FitsASocket(const std::string& dir) {
  return dir.size() + sizeof(kSocketName) - 1 <= kSocketPathMax;
}

std::string FirstLine(const fs::path& file) {
  std::ifstream stream(file);
  std::string line;
  std::getline(stream, line);
  return line;
}

// Refused while another holds it, also within one process.
Result<int> TakeLock(const fs::path& path) {
  const fs::path file = path / "lock";
  const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return Unwritable(path, errno);
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    ::close(fd);
    return Unusable(path, "is in use by the server with process id " + FirstLine(file) +
                              ": stop that one, or give this one another folder");
  }
  const std::string text = std::to_string(::getpid()) + "\n";
  if (::ftruncate(fd, 0) != 0 ||
      ::pwrite(fd, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) {
    const int cause = errno;
    ::close(fd);
    return Unwritable(path, cause);
  }
  return fd;
}

}  // namespace

// PostgreSQL runs as another user: each folder on the way must let it through.
Status RequireReachable(const fs::path& path, const Account& account) {
  fs::path way;
  for (const fs::path& part : path) {
    way /= part;
    struct stat info {};
    if (::stat(way.c_str(), &info) != 0) break;
    const bool in_group = std::ranges::find(account.groups, info.st_gid) != account.groups.end();
    const mode_t needed = info.st_uid == account.uid ? S_IXUSR : in_group ? S_IXGRP : S_IXOTH;
    if ((info.st_mode & needed) == 0) {
      return StateError(Reason::kConfigInvalid,
                        "The folder " + path.string() + " is closed to user '" + account.name +
                            "', who runs PostgreSQL when we are root: open " + way.string() +
                            " with chmod o+x, or choose a folder outside it.");
    }
  }
  return Ok{};
}

ClusterFolder::ClusterFolder(ClusterFolder&& other) noexcept
    : path_(std::move(other.path_)),
      as_(std::move(other.as_)),
      lock_fd_(std::exchange(other.lock_fd_, -1)),
      socket_dir_(std::move(other.socket_dir_)) {}

ClusterFolder::~ClusterFolder() {
  if (lock_fd_ >= 0) ::close(lock_fd_);
}

Result<ClusterFolder> ClusterFolder::Open(const std::string& given,
                                          const std::optional<Account>& as) {
  std::error_code problem;
  const fs::path path = fs::weakly_canonical(fs::absolute(given), problem);
  if (problem || given.empty()) return Unusable(given, "is not a path");
  if (fs::exists(path / "PG_VERSION", problem)) {
    return Unusable(path, "is a PostgreSQL cluster itself: give a folder of our own");
  }
  const bool existed = fs::exists(path, problem);
  fs::create_directories(path, problem);
  if (problem || !fs::is_directory(path)) {
    return Unusable(path, "cannot be made: " + problem.message());
  }
  // Only our own folders: let through the one who runs PostgreSQL, nobody to look around. What
  // somebody made for another purpose keeps its mode.
  const bool ours = !existed || fs::is_empty(path, problem) || fs::exists(path / "lock", problem);
  if (ours && (!existed || as)) ::chmod(path.c_str(), as ? 0711 : 0700);
  if (as) ALLOT_RETURN_IF_ERROR(RequireReachable(path, *as));
  ALLOT_ASSIGN_OR_RETURN(const int lock_fd, TakeLock(path));

  ClusterFolder folder(path, as, lock_fd);
  if (fs::exists(folder.data(), problem) && !folder.data_version()) {
    return Unusable(path, "holds a folder 'postgres' that is not PostgreSQL's");
  }
  fs::create_directory(path / "log", problem);
  ::chmod((path / "log").c_str(), 0700);
  if (fs::file_size(folder.log(), problem) > kLogBytesMax && !problem) {
    fs::rename(folder.log(), folder.log() + ".1", problem);
  }
  ALLOT_RETURN_IF_ERROR(folder.ChooseSocketDir());
  return folder;
}

Status ClusterFolder::MakePrivate(const fs::path& dir) const {
  const bool made = ::mkdir(dir.c_str(), 0700) == 0 || errno == EEXIST;
  if (!made || ::chmod(dir.c_str(), 0700) != 0 ||
      (as_ && ::chown(dir.c_str(), as_->uid, as_->gid) != 0)) {
    return Unusable(path_, "cannot be written: " + dir.string() + ": " +
                               std::generic_category().message(errno));
  }
  return Ok{};
}

bool ClusterFolder::IsPrivate(const fs::path& dir) const {
  struct stat info {};
  // Not followed: somebody else may have put a link where our folder was.
  return ::lstat(dir.c_str(), &info) == 0 && S_ISDIR(info.st_mode) &&
         info.st_uid == (as_ ? as_->uid : ::geteuid()) && (info.st_mode & 0777) == 0700;
}

Status ClusterFolder::ChooseSocketDir() {
  const fs::path inside = path_ / "run";
  if (FitsASocket(inside)) {
    socket_dir_ = inside;
    return MakePrivate(inside);
  }
  const fs::path remembered = path_ / "socket_dir";
  socket_dir_ = FirstLine(remembered);
  if (!socket_dir_.empty() && FitsASocket(socket_dir_) && IsPrivate(socket_dir_)) return Ok{};

  // Nothing in this program sets a variable.
  const char* runtime_dir =
      as_ ? nullptr : std::getenv("XDG_RUNTIME_DIR");  // NOLINT(concurrency-mt-unsafe)
  const std::string base = runtime_dir != nullptr && fs::is_directory(runtime_dir) &&
                                   FitsASocket(std::string(runtime_dir) + "/allot-XXXXXX")
                               ? runtime_dir
                               : "/tmp";
  std::string outside = base + "/allot-XXXXXX";
  if (::mkdtemp(outside.data()) == nullptr) {
    return Unusable(path_, "has a path too long for a socket, and " + base + " cannot be written");
  }
  socket_dir_ = outside;
  ALLOT_RETURN_IF_ERROR(MakePrivate(outside));
  std::ofstream(remembered) << outside << '\n';
  return Ok{};
}

std::string ClusterFolder::SocketDirOf(const fs::path& path) {
  const fs::path inside = path / "run";
  return FitsASocket(inside) ? inside.string() : FirstLine(path / "socket_dir");
}

std::optional<std::string> ClusterFolder::data_version() const {
  std::string version = FirstLine(fs::path(data()) / "PG_VERSION");
  if (version.empty()) return std::nullopt;
  return version;
}

Result<std::string> ClusterFolder::MakeUnfinished() {
  const fs::path dir = path_ / "postgres.unfinished";
  std::error_code problem;
  fs::remove_all(dir, problem);
  ALLOT_RETURN_IF_ERROR(MakePrivate(dir));
  return dir.string();
}

Status ClusterFolder::Finish(const std::string& unfinished, bool throwaway) {
  const int fd = ::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  std::error_code problem;
  // The whole file system at once: seconds faster than one call for each of a thousand files.
  const bool content_durable = fd >= 0 && (throwaway || ::syncfs(fd) == 0);
  if (content_durable) fs::rename(unfinished, data(), problem);
  const bool durable = content_durable && !problem && ::fsync(fd) == 0;
  if (fd >= 0) ::close(fd);
  if (!durable) return Unusable(path_, "cannot be made durable");
  return Ok{};
}

std::string ClusterFolder::EndOfLog() const {
  constexpr std::streamoff kBytes = 2'000;
  std::ifstream stream(log(), std::ios::binary | std::ios::ate);
  const std::streamoff size = stream.tellg();
  stream.seekg(std::max<std::streamoff>(0, size - kBytes));
  std::string text((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
  // From a line's beginning on.
  if (size > kBytes) text.erase(0, text.find('\n') + 1);
  return text;
}

void ClusterFolder::RemoveOutsideSocketDir() {
  if (fs::path(socket_dir_) == path_ / "run") return;
  std::error_code ignored;
  fs::remove_all(socket_dir_, ignored);
  fs::remove(path_ / "socket_dir", ignored);
}

}  // namespace allot::store
