#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "allot/base/result.h"
#include "store/postgres/child_process.h"

namespace allot::store {

/// Whether whoever runs PostgreSQL may pass through every folder on the way to `path`;
/// config_invalid names the first that is closed.
Status RequireReachable(const std::filesystem::path& path, const Account& account);

/// The folder of a private cluster, locked for as long as this lives:
///   lock         who uses the folder; the lock itself is the operating system's
///   postgres/    PostgreSQL's data
///   run/         the Unix socket, closed to everybody else
///   log/         PostgreSQL's log
///   socket_dir   where the socket is instead, when the path of run/ is too long for one
class ClusterFolder {
 public:
  /// `as` when PostgreSQL runs as somebody else than we do: the folders of that user are given to
  /// it.
  static Result<ClusterFolder> Open(const std::string& path, const std::optional<Account>& as);

  /// Where the socket of the cluster in this folder is, by what an earlier one remembered.
  static std::string SocketDirOf(const std::filesystem::path& path);

  ClusterFolder(ClusterFolder&& other) noexcept;
  ClusterFolder& operator=(ClusterFolder&&) = delete;
  ~ClusterFolder();

  std::string data() const { return path_ / "postgres"; }
  std::string log() const { return path_ / "log" / "postgres.log"; }
  const std::string& socket_dir() const { return socket_dir_; }

  /// Nothing when PostgreSQL's data is not there yet.
  std::optional<std::string> data_version() const;
  /// An empty folder for initdb; what an interrupted one left is removed.
  Result<std::string> MakeUnfinished();
  /// Makes the unfinished folder durable, unless it may be lost, and then the data, at once or not
  /// at all.
  Status Finish(const std::string& unfinished, bool throwaway);
  /// The last lines of the log.
  std::string EndOfLog() const;
  /// After a clean stop: a socket folder outside is removed.
  void RemoveOutsideSocketDir();

 private:
  ClusterFolder(std::filesystem::path path, std::optional<Account> as, int lock_fd)
      : path_(std::move(path)), as_(std::move(as)), lock_fd_(lock_fd) {}
  Status MakePrivate(const std::filesystem::path& dir) const;
  Status ChooseSocketDir();
  bool IsPrivate(const std::filesystem::path& dir) const;

  std::filesystem::path path_;
  std::optional<Account> as_;
  int lock_fd_;
  std::string socket_dir_;
};

}  // namespace allot::store
