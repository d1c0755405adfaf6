#include "allot/backup/restore.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <memory>
#include <system_error>
#include <vector>

#include "allot/store/migrations.h"
#include "allot/store/private_cluster.h"
#include "allot/store/store.h"
#include "backup/folder_lock.h"
#include "backup/metadata.h"
#include "backup/tool.h"
#include "store/postgres/child_process.h"
#include "store/postgres/cluster_folder.h"
#include "store/postgres/postgres_processes.h"

namespace allot::backup {
namespace {

namespace fs = std::filesystem;

/// In the data folder until all is done; no server looks there.
constexpr const char* kRestoring = "restoring";
/// A log of many days takes its time.
constexpr std::chrono::hours kRecoveryPatience{72};

Error Refused(std::string message) {
  return StateError(Reason::kConfigInvalid, std::move(message));
}

std::string Between(const std::string& from, const std::string& to) {
  return "from " + from + " to " + to;
}

/// The last of PostgreSQL's remarks of this kind in a log, to the end of its line.
std::string LastRemark(const std::string& log, const std::string& words) {
  const std::size_t at = log.rfind(words);
  if (at == std::string::npos) return "";
  const std::size_t begin = at + words.size();
  return log.substr(begin, log.find('\n', begin) - begin);
}

RestoreOptions WithPathsFromTheRoot(RestoreOptions options) {
  options.folder = FromTheRoot(options.folder);
  options.data_dir = FromTheRoot(options.data_dir);
  return options;
}

class Restoration {
 public:
  explicit Restoration(const RestoreOptions& options)
      : options_(WithPathsFromTheRoot(options)),
        work_(fs::path(options_.data_dir) / kRestoring),
        archive_(LogFolderOf(options_.folder), 1) {}

  ~Restoration() {
    if (lock_fd_ >= 0) ::close(lock_fd_);
  }
  Restoration(const Restoration&) = delete;
  Restoration& operator=(const Restoration&) = delete;

  Result<Restored> Run() {
    ALLOT_RETURN_IF_ERROR(CheckDataDir());
    Result<Restored> result = RunInDataDir();
    if (result.ok()) return result;
    cluster_.reset();
    static_cast<void>(Clear());
    // Whoever corrects a mistake and asks again finds everything as it was.
    std::error_code problem;
    if (made_folder_) fs::remove(work_.parent_path(), problem);
    return result;
  }

 private:
  Result<Restored> RunInDataDir() {
    // Before anything is written to a folder that may be none of ours.
    ALLOT_RETURN_IF_ERROR(List());
    ALLOT_ASSIGN_OR_RETURN(const FolderLock reading, FolderLock::ToRead(options_.folder));
    ALLOT_RETURN_IF_ERROR(Choose());
    ALLOT_RETURN_IF_ERROR(CheckLog());
    options_.progress("checking " + restored_.from.name);
    ALLOT_RETURN_IF_ERROR(VerifyBackup(options_.folder, restored_.from, options_.stop));
    if (options_.to_revision) ALLOT_RETURN_IF_ERROR(FindTransaction());
    ALLOT_RETURN_IF_ERROR(Recover(TargetSettings()));
    ALLOT_RETURN_IF_ERROR(MakeReady());
    ALLOT_RETURN_IF_ERROR(HandOver());
    return restored_;
  }

  /// From here on it is ours alone.
  Status CheckDataDir() {
    std::error_code problem;
    const fs::path folder = work_.parent_path();
    made_folder_ = fs::create_directories(folder, problem);
    if (problem) return Refused(folder.string() + " cannot be made: " + problem.message() + ".");
    lock_fd_ = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (lock_fd_ < 0 || ::flock(lock_fd_, LOCK_EX | LOCK_NB) != 0) {
      return Refused("The folder " + folder.string() + " is in use by another restore.");
    }
    for (fs::directory_iterator entry(folder, problem), end; !problem && entry != end;
         entry.increment(problem)) {
      // What a restore that was killed has left is begun anew.
      if (entry->path().filename() == kRestoring) continue;
      return Refused("The folder " + folder.string() + " is not empty: give one that is, or none.");
    }
    if (problem) return Refused(folder.string() + " cannot be read: " + problem.message() + ".");
    return Ok{};
  }

  Result<std::vector<Backup>> List() const {
    auto backups = ListBackups(options_.folder);
    if (!backups.ok() || !backups->empty()) return backups;
    return Refused("There is no backup in " + options_.folder +
                   ": give the folder that 'allotd backup --to' was given.");
  }

  /// The newest backup that the moment asked for lies behind, on the newest timeline.
  Status Choose() {
    ALLOT_ASSIGN_OR_RETURN(const auto backups, List());
    archive_ = LogArchive(LogFolderOf(options_.folder), backups.back().wal_segment_bytes);
    if (!options_.without_log) ALLOT_RETURN_IF_ERROR(archive_.Read());
    if (const std::string way = archive_.way(); !way.empty()) {
      options_.progress("following the log of the newest timeline only: " + way);
    }
    const Backup* earliest = nullptr;
    const Backup* chosen = nullptr;
    for (const Backup& backup : backups) {
      if (!archive_.empty() && !archive_.LeadsFrom(backup.end)) continue;
      if (earliest == nullptr) earliest = &backup;
      const bool before = (!options_.to_time || backup.end_time <= *options_.to_time) &&
                          (!options_.to_revision || backup.end_revision <= *options_.to_revision);
      if (before) chosen = &backup;
    }
    if (earliest == nullptr) {
      return Refused("The log in " + LogFolderOf(options_.folder) +
                     " leads on from none of the backups in " + options_.folder + ".");
    }
    if (chosen == nullptr) {
      return Refused(options_.to_time
                         ? FormatRfc3339(*options_.to_time) +
                               " is too early: the first backup can be restored to " +
                               FormatRfc3339(earliest->end_time) + " and later."
                         : "Revision " + std::to_string(*options_.to_revision) +
                               " is too early: the first backup can be restored to revision " +
                               std::to_string(earliest->end_revision) + " and later.");
    }
    restored_.from = *chosen;
    const int known = store::EmbeddedMigrations().back().number;
    if (chosen->schema <= known) return Ok{};
    return StateError(Reason::kDatabaseNewer,
                      chosen->name + " has schema " + std::to_string(chosen->schema) +
                          ", this release knows " + std::to_string(known) +
                          ": it was made by allotd " + chosen->version + ".");
  }

  /// All there is, is not up to the first gap. With a moment to stop at the gap may lie behind it.
  Status CheckLog() const {
    const Backup& from = restored_.from;
    if (!options_.without_log && !archive_.HasUpTo(from.end) && from.log_archived) {
      return Refused(
          "The log of " + from.name + " is gone, which was in " + LogFolderOf(options_.folder) +
          " when it was made: " + archive_.SegmentName({from.end.timeline, from.end.position - 1}) +
          ".gz is missing. Bring it back, or mount it; --without-log restores that "
          "backup to its own moment, and all that came later is lost.");
    }
    const auto newest = archive_.NewestSegment();
    if (archive_.empty() || (newest && *newest < from.end.position)) {
      options_.progress("no log is taken: it will be " + from.name + " alone, as of " +
                        FormatRfc3339(from.end_time));
    }
    if (options_.to_time) return Ok{};
    const auto missing = archive_.FirstMissing(restored_.from.end);
    if (!missing) return Ok{};
    return Refused(MissingText(*missing) +
                   " Bring it back, or restore to a moment before it with --to-time.");
  }

  std::string MissingText(const std::string& file) const {
    return "The archived log has a gap: " + LogFolderOf(options_.folder) + "/" + file +
           " is missing.";
  }

  std::vector<std::string> TargetSettings() const {
    if (options_.without_log) return {"recovery_target_timeline=current"};
    if (transaction_) return {"recovery_target_xid=" + *transaction_};
    if (!options_.to_time) return {};
    // It reads its settings before it knows any name of a time zone.
    std::string time = FormatRfc3339(*options_.to_time);
    time.back() = '+';
    return {"recovery_target_time=" + time + "00"};
  }

  /// PostgreSQL stops at a time or a transaction. Which one made a revision is known only to a
  /// database that has it: so there has to be one for a moment.
  Status FindTransaction() {
    options_.progress("looking for revision " + std::to_string(*options_.to_revision));
    ALLOT_RETURN_IF_ERROR(Recover({}));
    ALLOT_ASSIGN_OR_RETURN(transaction_,
                           store::TransactionOf(cluster_->url(), *options_.to_revision));
    return cluster_->Stop();
  }

  Status Recover(const std::vector<std::string>& target) {
    cluster_.reset();
    options_.progress("copying " + restored_.from.name);
    ALLOT_RETURN_IF_ERROR(Copy());
    options_.progress("recovering");
    store::PrivateCluster::Options cluster{.data_dir = work_};
    cluster.start_patience = kRecoveryPatience;
    cluster.stop = options_.stop;
    // Nothing is archived while this may still come to nothing; what has to be, the history of the
    // new timeline first of all, is marked, and the server that starts on it archives it.
    cluster.settings = {"restore_command=" + (options_.without_log ? archive_.history_command()
                                                                   : archive_.restore_command()),
                        "recovery_target_action=promote",
                        "hot_standby=off",
                        "archive_mode=on",
                        "archive_command=",
                        "ssl=off",
                        "lc_messages=C",
                        "log_destination=stderr",
                        "log_min_messages=warning",
                        "shared_preload_libraries="};
    cluster.settings.insert(cluster.settings.end(), target.begin(), target.end());
    auto started = store::PrivateCluster::Start(cluster);
    const auto read = ReadWhole(work_ / "log" / "postgres.log");
    const std::string log = read.ok() ? *read : std::string();
    if (!started.ok()) return WhyNot(started.error(), log);
    cluster_ = std::move(started).value();
    if (target.empty()) ALLOT_RETURN_IF_ERROR(RequireAllOfTheLog(log));
    restored_.last_commit = LastRemark(log, "last completed transaction was at log time ");
    return Ok{};
  }

  /// PostgreSQL takes what it cannot read for the end of the log.
  Status RequireAllOfTheLog(const std::string& log) const {
    const std::string remark = LastRemark(log, "redo done at ");
    const std::string reached = remark.substr(0, remark.find(' '));
    const auto position = ParseLogPosition(reached);
    const auto newest = archive_.NewestSegment();
    if (!newest || (position && *position >= *newest)) return Ok{};
    return Refused("The archived log cannot be read behind " + reached + ", in " +
                   LogFolderOf(options_.folder) +
                   ", and goes on after it. Bring back what is damaged, move away what was copied "
                   "there by hand and holds no log, or restore to a moment before with --to-time.");
  }

  Error WhyNot(const Error& error, const std::string& log) const {
    const std::string damaged = LastRemark(log, "could not restore file \"");
    if (!damaged.empty()) {
      const std::string file = damaged.substr(0, damaged.find('"')) + ".gz";
      return Refused("The archived log is damaged: " + LogFolderOf(options_.folder) + "/" + file +
                     " cannot be unpacked (" + LastRemark(log, file + ": ") +
                     "). Bring it back, or restore to a moment before it.");
    }
    if (log.find("recovery ended before configured recovery target was reached") ==
        std::string::npos) {
      return error;
    }
    const std::string last = LastRemark(log, "last completed transaction was at log time ");
    const auto missing = archive_.FirstMissing(restored_.from.end);
    return Refused("The log ends before the moment asked for. What there is goes " +
                   Between(FormatRfc3339(restored_.from.end_time),
                           last.empty() ? FormatRfc3339(restored_.from.end_time) : last) +
                   "." + (missing ? " " + MissingText(*missing) : ""));
  }

  Status Copy() const {
    std::error_code problem;
    const fs::path folder = work_.parent_path();
    ALLOT_RETURN_IF_ERROR(Clear());
    fs::create_directories(work_, problem);
    if (problem) return Refused(work_.string() + " cannot be made: " + problem.message() + ".");
    // As PrivateCluster has its folders: whoever runs PostgreSQL passes, and nobody looks around.
    const bool root = ::geteuid() == 0;
    for (const fs::path& made : {folder, work_}) ::chmod(made.c_str(), root ? 0711 : 0700);
    const std::string data = work_ / "postgres";
    ALLOT_RETURN_IF_ERROR(Do({"/bin/cp", "-a", "--reflink=auto",
                              options_.folder + "/" + restored_.from.name + "/data", data}));
    ALLOT_RETURN_IF_ERROR(Write(data + "/recovery.signal", ""));
    if (!restored_.from.private_cluster) ALLOT_RETURN_IF_ERROR(ConfigureAsPrivate(data));
    if (!root) return Ok{};
    ALLOT_ASSIGN_OR_RETURN(const store::Account account, store::FindAccount("postgres"));
    return Do({"/bin/chown", "-R", std::to_string(account.uid) + ":" + std::to_string(account.gid),
               data});
  }

  /// What others have set for their cluster, and whom they let in, is not for one of our own.
  static Status ConfigureAsPrivate(const std::string& data) {
    ALLOT_RETURN_IF_ERROR(
        Write(data + "/postgresql.conf", "# allotd gives all settings when it starts it.\n"));
    ALLOT_RETURN_IF_ERROR(Write(data + "/postgresql.auto.conf", ""));
    // Its socket lies in a folder that is closed to others.
    return Write(data + "/pg_hba.conf", "local all all trust\nlocal replication all trust\n");
  }

  static Status Write(const std::string& path, const std::string& text) {
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file << text;
    file.close();
    if (file) return Ok{};
    return Refused(path + " cannot be written.");
  }

  /// Whoever was killed while it restored has left its PostgreSQL behind.
  Status Clear() const {
    std::error_code problem;
    const bool ended =
        store::EndLeftovers(work_ / "postgres", store::ClusterFolder::SocketDirOf(work_));
    if (ended) fs::remove_all(work_, problem);
    if (ended && !problem) return Ok{};
    return Refused("What another restore has left in " + work_.string() + " cannot be removed.");
  }

  Status Do(const std::vector<std::string>& argv) const {
    ALLOT_ASSIGN_OR_RETURN(const ToolRun run, RunTool(argv, options_.stop));
    if (run.status == 0) return Ok{};
    return Refused("The backup cannot be copied: " + EndOf(run.output));
  }

  Status MakeReady() {
    ALLOT_RETURN_IF_ERROR(store::Migrate(cluster_->url()));
    options_.progress("checking every invariant");
    ALLOT_ASSIGN_OR_RETURN(restored_.verification, store::Verify(cluster_->url()));
    ALLOT_RETURN_IF_ERROR(RequireWhatTheBackupHas());
    ALLOT_RETURN_IF_ERROR(RequireNotStopped(options_.stop));
    const std::string to = options_.to_time ? "to " + FormatRfc3339(*options_.to_time)
                           : options_.to_revision
                               ? "to revision " + std::to_string(*options_.to_revision)
                           : options_.without_log ? "without the log"
                                                  : "to the end of the log";
    ALLOT_ASSIGN_OR_RETURN(
        restored_.timeline,
        store::BeginTimeline(cluster_->url(), options_.clock->Now(),
                             "restored from " + restored_.from.name + " " + to + ", revision " +
                                 std::to_string(restored_.verification.revision)));
    return cluster_->Stop();
  }

  /// Another database of the cluster, or an empty one, would pass every check.
  Status RequireWhatTheBackupHas() const {
    const Backup& from = restored_.from;
    const store::Verification& found = restored_.verification;
    const bool whole =
        found.revision >= from.revision &&
        (found.audit_number > from.audit_number ||
         (found.audit_number == from.audit_number && found.audit_hash == from.audit_hash));
    if (whole) return Ok{};
    const auto state = [](Revision revision, int64_t number, const std::string& hash) {
      return "revision " + std::to_string(revision) + ", audit " + std::to_string(number) + ":" +
             hash;
    };
    return Refused("What was recovered is not what " + from.name + " has. It has at least " +
                   state(from.revision, from.audit_number, from.audit_hash) + "; recovered was " +
                   state(found.revision, found.audit_number, found.audit_hash) +
                   ". Use another backup.");
  }

  /// The last step, and the only one that a server can see.
  Status HandOver() {
    cluster_.reset();
    const fs::path folder = work_.parent_path();
    std::error_code problem;
    fs::rename(work_ / "postgres", folder / "postgres", problem);
    if (!problem) fs::remove_all(work_, problem);
    if (problem) {
      return Refused("The restored data cannot be put into its place: " + problem.message() + ".");
    }
    if (::fsync(lock_fd_) == 0) return Ok{};
    return Refused(folder.string() + " cannot be made durable.");
  }

  const RestoreOptions options_;
  const fs::path work_;
  int lock_fd_ = -1;
  bool made_folder_ = false;
  LogArchive archive_;
  std::optional<std::string> transaction_;
  std::unique_ptr<store::PrivateCluster> cluster_;
  Restored restored_;
};

}  // namespace

Result<Restored> Restore(const RestoreOptions& options) { return Restoration(options).Run(); }

}  // namespace allot::backup
