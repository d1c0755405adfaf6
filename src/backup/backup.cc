#include "allot/backup/backup.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <system_error>
#include <thread>

#include "allot/store/inspection.h"
#include "backup/folder_lock.h"
#include "backup/metadata.h"
#include "backup/tool.h"
#include "store/postgres/conninfo.h"

namespace allot::backup {
namespace {

namespace fs = std::filesystem;

/// Names of what is not whole begin so, and are listed by nobody.
constexpr const char* kUnfinished = ".unfinished";
constexpr const char* kRemoved = ".removed";
constexpr const char* kMetadata = "backup.json";
constexpr const char* kLog = "wal";
/// A backup has its last segment archived at once.
constexpr std::chrono::seconds kArchivePatience{20};

Error Unwritable(const std::string& path, int cause) {
  return StateError(Reason::kConfigInvalid, "The folder " + path + " cannot be written: " +
                                                std::generic_category().message(cause) + ".");
}

Status MakeDurable(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const bool durable = fd >= 0 && ::fsync(fd) == 0;
  const int cause = errno;
  if (fd >= 0) ::close(fd);
  if (durable) return Ok{};
  return Unwritable(path, cause);
}

/// The whole file system at once: seconds faster than one call for each of a thousand files.
Status MakeAllDurable(const std::string& folder) {
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool durable = fd >= 0 && ::syncfs(fd) == 0;
  const int cause = errno;
  if (fd >= 0) ::close(fd);
  if (durable) return Ok{};
  return Unwritable(folder, cause);
}

Status WriteMetadata(const std::string& path, const Backup& backup) {
  const std::string text = FormatMetadata(backup);
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  const bool written =
      fd >= 0 && ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  const int cause = errno;
  if (fd >= 0) ::close(fd);
  if (!written) return Unwritable(path, cause);
  return Ok{};
}

/// "20261127T050000Z-r1234"; "20261127T050000Z-r1234-2" for the second one of the same second.
std::string NewNameFor(const Backup& backup, const std::string& folder) {
  std::string name = FormatRfc3339(Instant::FromSeconds(backup.start_time.seconds()));
  std::erase_if(name, [](char c) { return c == '-' || c == ':'; });
  name += "-r" + std::to_string(backup.revision);
  const fs::path parent = folder;
  std::string free = name;
  for (int number = 2; fs::exists(parent / free); ++number) {
    free = name;
    free.append("-").append(std::to_string(number));
  }
  return free;
}

Error ToolFailed(const std::string& what, const ToolRun& run) {
  return StateError(Reason::kStoreUnavailable, what + ": " + EndOf(run.output));
}

Status CopyCluster(const TakeOptions& options, const std::string& data) {
  ALLOT_ASSIGN_OR_RETURN(const auto database, store::Conninfo::Parse(options.url));
  std::vector<std::string> environment = database.Environment();
  environment.emplace_back("PGAPPNAME=allot-backup");
  // With the log that makes the copy consistent: it can be restored by itself. It is made durable
  // as a whole, later.
  ALLOT_ASSIGN_OR_RETURN(
      const ToolRun run,
      RunTool({"pg_basebackup", "--pgdata=" + data, "--format=plain", "--wal-method=stream",
               "--checkpoint=fast", "--manifest-checksums=SHA256", "--label=allot", "--no-sync",
               "--no-password"},
              options.stop, environment));
  if (run.status == 0) return Ok{};
  return ToolFailed("pg_basebackup could not copy the cluster", run);
}

Status VerifyData(const std::string& data, const std::stop_token& stop) {
  ALLOT_ASSIGN_OR_RETURN(const ToolRun run, RunTool({"pg_verifybackup", "--quiet", data}, stop));
  if (run.status == 0) return Ok{};
  return StateError(Reason::kConfigInvalid, "The backup in " + data + " is damaged: " +
                                                EndOf(run.output) + ". Use another one.");
}

/// Of a backup or a removal that was killed.
void RemoveLeftovers(const std::string& folder) {
  std::error_code problem;
  for (const char* leftover : {kUnfinished, kRemoved}) {
    fs::remove_all(folder + "/" + leftover, problem);
  }
}

/// The log that none of these needs; how many files of it went. Requires: one at least.
Result<std::size_t> ClearLog(const RemoveOptions& options, const std::vector<Backup>& kept) {
  const std::string log = LogFolderOf(options.folder);
  std::error_code problem;
  if (!fs::exists(log, problem)) return std::size_t{0};
  // It looks at the place and not at the timeline, and leaves histories alone.
  const std::string first =
      LogArchive(log, kept.back().wal_segment_bytes).SegmentName(FirstNeeded(kept));
  const auto clean = [&](std::vector<std::string> argv) -> Result<std::string> {
    argv.insert(argv.end(), {"-x", ".gz", log, first});
    ALLOT_ASSIGN_OR_RETURN(const ToolRun run, RunTool(argv, options.stop));
    if (run.status == 0) return run.output;
    return ToolFailed("pg_archivecleanup could not remove what no backup needs any more", run);
  };
  ALLOT_ASSIGN_OR_RETURN(const std::string names, clean({"pg_archivecleanup", "-n"}));
  ALLOT_RETURN_IF_ERROR(clean({"pg_archivecleanup"}));
  return static_cast<std::size_t>(std::ranges::count(names, '\n'));
}

enum class Removal { kDone, kNothingToRemove, kSomebodyReads };

/// The oldest first, so that what stays is always the newest. A half-removed one is listed by
/// nobody, and the next backup removes the rest of it. The log is cleared also where all backups
/// stay: of what was archived before the first, and of those that went when it could not be.
Result<Removal> RemoveOlder(const RemoveOptions& options) {
  ALLOT_ASSIGN_OR_RETURN(const auto backups, ListBackups(options.folder));
  if (backups.empty()) return Removal::kNothingToRemove;
  ALLOT_ASSIGN_OR_RETURN(const auto lock, FolderLock::ToRemove(options.folder));
  if (!lock) return Removal::kSomebodyReads;
  const auto first_kept =
      backups.end() - std::min<std::ptrdiff_t>(options.keep, std::ssize(backups));
  const std::string removed = options.folder + "/" + kRemoved;
  for (auto old = backups.begin(); old != first_kept; ++old) {
    std::error_code problem;
    fs::rename(options.folder + "/" + old->name, removed, problem);
    if (!problem) fs::remove_all(removed, problem);
    if (problem) return Unwritable(options.folder, problem.value());
    options.progress("removed " + old->name);
  }
  ALLOT_ASSIGN_OR_RETURN(const std::size_t files, ClearLog(options, {first_kept, backups.end()}));
  if (files > 0) {
    options.progress("removed files of the log that no backup needs: " + std::to_string(files));
  }
  return files > 0 || first_kept != backups.begin() ? Removal::kDone : Removal::kNothingToRemove;
}

/// Two clusters in one folder would be counted together by --keep, and write over each other's log.
/// What cannot be read is said when old ones are removed: a new backup is worth more.
Status RequireSameCluster(const TakeOptions& options, const std::string& identifier) {
  const auto backups = ListBackups(options.folder);
  if (!backups.ok() || backups->empty() || backups->back().system_identifier == identifier) {
    return Ok{};
  }
  return StateError(
      Reason::kConfigInvalid,
      options.folder + " holds backups of another PostgreSQL cluster (" +
          backups->back().system_identifier + ", this one is " + identifier +
          "): give each cluster a folder of its own, with --to and in backup.folder.");
}

/// Known before hours of copying: under Patroni the log is another user's.
Status RequireLogWithinReach(const TakeOptions& options) {
  const std::string log = LogFolderOf(options.folder);
  const int needed = R_OK | X_OK | (options.keep > 0 ? W_OK : 0);
  if (::eaccess(log.c_str(), needed) == 0 || errno == ENOENT) return Ok{};
  return StateError(Reason::kConfigInvalid,
                    "This user may not read " + log + (options.keep > 0 ? " and clear it" : "") +
                        " (" + std::generic_category().message(errno) +
                        "): give it to a group that this user is in (docs/operator.md, \"Back up "
                        "and restore\").");
}

/// Whether the log of the end is in the archive, which takes a moment.
Result<bool> AwaitArchived(const TakeOptions& options, const Backup& backup) {
  LogArchive archive(LogFolderOf(options.folder), backup.wal_segment_bytes);
  const auto deadline = std::chrono::steady_clock::now() + kArchivePatience;
  options.progress("waiting until its log is archived");
  while (true) {
    ALLOT_RETURN_IF_ERROR(archive.Read());
    if (archive.HasUpTo(backup.end)) return true;
    if (std::chrono::steady_clock::now() >= deadline) return false;
    ALLOT_RETURN_IF_ERROR(RequireNotStopped(options.stop));
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

/// Made in a folder that nobody lists, and then given its name.
Result<Backup> TakeInto(const std::string& unfinished, const TakeOptions& options) {
  ALLOT_RETURN_IF_ERROR(store::RequireServable(options.url));
  ALLOT_ASSIGN_OR_RETURN(const store::DatabaseState before, store::ReadDatabaseState(options.url));
  ALLOT_RETURN_IF_ERROR(RequireSameCluster(options, before.system_identifier));
  if (before.log_archived) ALLOT_RETURN_IF_ERROR(RequireLogWithinReach(options));
  if (::mkdir(unfinished.c_str(), 0700) != 0) return Unwritable(unfinished, errno);

  options.progress("copying the cluster");
  const std::string data = unfinished + "/data";
  ALLOT_RETURN_IF_ERROR(CopyCluster(options, data));
  options.progress("checking the copy");
  ALLOT_RETURN_IF_ERROR(VerifyData(data, options.stop));

  ALLOT_ASSIGN_OR_RETURN(const store::DatabaseState after, store::ReadDatabaseState(options.url));
  Backup backup{.name = {},
                .version = options.version,
                .schema = before.schema,
                .revision = before.revision,
                .end_revision = after.revision,
                .audit_number = before.audit_number,
                .audit_hash = before.audit_hash,
                .system_identifier = before.system_identifier,
                .private_cluster = options.private_cluster,
                .wal_segment_bytes = before.wal_segment_bytes,
                .start_time = before.time,
                .end_time = after.time};
  ALLOT_RETURN_IF_ERROR(ReadLogRange(data + "/backup_manifest", backup));
  if (after.log_archived) {
    ALLOT_ASSIGN_OR_RETURN(backup.log_archived, AwaitArchived(options, backup));
  }
  if (!backup.log_archived) {
    options.progress("its log is not in " + LogFolderOf(options.folder) +
                     ": as long as it is not, this backup can be restored to its own moment only");
  }
  backup.name = NewNameFor(backup, options.folder);
  ALLOT_RETURN_IF_ERROR(WriteMetadata(unfinished + "/" + kMetadata, backup));
  ALLOT_RETURN_IF_ERROR(MakeAllDurable(unfinished));
  ALLOT_RETURN_IF_ERROR(RequireNotStopped(options.stop));
  std::error_code problem;
  fs::rename(unfinished, options.folder + "/" + backup.name, problem);
  if (problem) return Unwritable(options.folder, problem.value());
  ALLOT_RETURN_IF_ERROR(MakeDurable(options.folder));
  return backup;
}

}  // namespace

std::string FromTheRoot(const std::string& folder) {
  std::string path = fs::absolute(folder).lexically_normal();
  if (path.size() > 1 && path.ends_with('/')) path.pop_back();
  return path;
}

std::string LogFolderOf(const std::string& folder) { return FromTheRoot(folder) + "/" + kLog; }

LogPlace FirstNeeded(const std::vector<Backup>& backups) {
  return std::ranges::min_element(
             backups, {},
             [](const Backup& b) { return std::pair(b.start.position, b.start.timeline); })
      ->start;
}

Result<std::vector<Backup>> ListBackups(const std::string& folder) {
  std::vector<Backup> backups;
  std::error_code problem;
  for (fs::directory_iterator entry(folder, problem), end; !problem && entry != end;
       entry.increment(problem)) {
    const std::string name = entry->path().filename();
    const std::string metadata = entry->path() / kMetadata;
    // Who lists the backups need not be who archives the log.
    if (name.starts_with('.') || name == kLog) continue;
    const bool there = fs::exists(metadata, problem);
    if (problem) {
      return StateError(Reason::kConfigInvalid,
                        metadata + " cannot be read: " + problem.message() + ".");
    }
    if (!there) continue;
    ALLOT_ASSIGN_OR_RETURN(const std::string text, ReadWhole(metadata));
    ALLOT_ASSIGN_OR_RETURN(Backup backup, ParseMetadata(text, metadata));
    backup.name = name;
    backups.push_back(std::move(backup));
  }
  if (problem) {
    return StateError(Reason::kConfigInvalid,
                      "The folder " + folder + " cannot be read: " + problem.message() + ".");
  }
  std::ranges::sort(backups, {},
                    [](const Backup& b) { return std::pair(b.end_time.micros, b.name); });
  return backups;
}

Status VerifyBackup(const std::string& folder, const Backup& backup, const std::stop_token& stop) {
  return VerifyData(FromTheRoot(folder) + "/" + backup.name + "/data", stop);
}

Result<Backup> TakeBackup(const TakeOptions& given) {
  TakeOptions options = given;
  options.folder = FromTheRoot(given.folder);
  ALLOT_ASSIGN_OR_RETURN(const FolderLock lock, FolderLock::ToTakeABackup(options.folder));
  RemoveLeftovers(options.folder);
  const std::string unfinished = options.folder + "/" + kUnfinished;
  auto backup = TakeInto(unfinished, options);
  if (!backup.ok()) {
    std::error_code problem;
    fs::remove_all(unfinished, problem);
    return backup;
  }
  if (options.keep == 0) return backup;
  ALLOT_ASSIGN_OR_RETURN(const Removal removal, RemoveOlder({.folder = options.folder,
                                                             .keep = options.keep,
                                                             .progress = options.progress,
                                                             .stop = options.stop}));
  if (removal == Removal::kSomebodyReads) {
    options.progress("nothing is removed while somebody restores from " + options.folder +
                     ": the next backup does it");
  }
  return backup;
}

Status RemoveOldBackups(const RemoveOptions& given) {
  RemoveOptions options = given;
  options.folder = FromTheRoot(given.folder);
  // Not made where there is none: a folder that is not mounted holds no backups.
  ALLOT_ASSIGN_OR_RETURN(const auto backups, ListBackups(options.folder));
  ALLOT_ASSIGN_OR_RETURN(const FolderLock lock, FolderLock::ToTakeABackup(options.folder));
  RemoveLeftovers(options.folder);
  ALLOT_ASSIGN_OR_RETURN(const Removal removal, RemoveOlder(options));
  if (removal == Removal::kSomebodyReads) {
    return StateError(Reason::kConfigInvalid,
                      "Somebody restores from " + options.folder +
                          ": nothing was removed. Wait until that is done.");
  }
  if (removal == Removal::kNothingToRemove) {
    options.progress(
        backups.empty() ? "nothing to remove: there is no backup in " + options.folder
                        : "nothing to remove: there are no more backups than --keep says (" +
                              std::to_string(backups.size()) + " of " +
                              std::to_string(options.keep) + "), and no log that they do not need");
  }
  return Ok{};
}

}  // namespace allot::backup
