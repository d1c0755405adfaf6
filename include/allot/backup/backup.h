#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "allot/backup/log_archive.h"
#include "allot/base/result.h"
#include "allot/base/time.h"
#include "allot/model/event.h"

namespace allot::backup {

/// A folder of backups:
///   NAME/data/         a copy of a cluster's files, with PostgreSQL's manifest of them
///   NAME/backup.json   what stands below
///   wal/               the log archived since (LogArchive)
///   lock               held while one is made
///   reading            held by those who restore from it, and by who removes old ones
/// A backup is there whole or not at all.
struct Backup {
  /// "20261127T050000Z-r1234": when it was begun, by the database's clock, and its revision.
  std::string name;
  /// Of the release that made it.
  std::string version;
  int schema = 0;
  /// The newest that is surely in it, and the newest that may be.
  Revision revision = 0;
  Revision end_revision = 0;
  int64_t audit_number = 0;
  std::string audit_hash;
  std::string system_identifier;
  /// Of a server's own cluster: its configuration files are good for the copy, too.
  bool private_cluster = false;
  int64_t wal_segment_bytes = 0;
  /// Whether the log of its end was in wal/ when it was made.
  bool log_archived = false;
  Instant start_time;
  /// It cannot be restored to a moment before this.
  Instant end_time;
  LogPlace start;
  LogPlace end;
};

/// Where the log begins that one of these needs. After going back in time the oldest is not the one
/// that begins first. Requires: one at least.
LogPlace FirstNeeded(const std::vector<Backup>& backups);

/// What is being done, for people who wait.
using Progress = std::function<void(const std::string& sentence)>;

std::string LogFolderOf(const std::string& folder);
/// The folder as a path from the root on, for programs that run elsewhere.
std::string FromTheRoot(const std::string& folder);
/// All that are whole, the oldest first. store_unavailable when the folder cannot be read.
Result<std::vector<Backup>> ListBackups(const std::string& folder);
/// PostgreSQL's check of every file against the manifest; config_invalid, with its words, when one
/// does not fit.
Status VerifyBackup(const std::string& folder, const Backup& backup,
                    const std::stop_token& stop = {});

struct TakeOptions {
  /// Of a role that may replicate and sees every row.
  std::string url;
  /// A server's own cluster, not one that others look after.
  bool private_cluster = false;
  std::string folder;
  /// How many stay, this one among them; 0: all.
  int keep = 0;
  /// Of this release.
  std::string version;
  Progress progress;
  /// Once requested, it ends soon, with an error.
  std::stop_token stop = {};
};
/// Makes a backup of a cluster that serves, checks it, and then removes those that are more than
/// are kept, with the log that none of these needs; none while somebody restores. config_invalid,
/// store_unavailable; then nothing of it is left.
Result<Backup> TakeBackup(const TakeOptions& options);

struct RemoveOptions {
  std::string folder;
  /// How many stay, the newest; at least 1.
  int keep = 1;
  Progress progress;
  std::stop_token stop = {};
};
/// Removes the others, with the log that none of these needs, and makes none: also where there is
/// no room for one. Tells `progress` what it removed, or that there was nothing. config_invalid
/// while a backup is made, or somebody restores.
Status RemoveOldBackups(const RemoveOptions& options);

}  // namespace allot::backup
