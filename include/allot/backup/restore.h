#pragma once

#include <optional>
#include <stop_token>
#include <string>

#include "allot/backup/backup.h"
#include "allot/base/clock.h"
#include "allot/store/inspection.h"
#include "allot/store/verify.h"

namespace allot::backup {

struct RestoreOptions {
  std::string folder;
  /// Not there, or empty: the data folder of a private cluster.
  std::string data_dir;
  /// At most one of the two; neither: all there is.
  std::optional<Instant> to_time;
  std::optional<Revision> to_revision;
  /// The newest backup by itself, as of its own moment, whatever the log has. With neither of the
  /// two.
  bool without_log = false;
  const Clock* clock = nullptr;
  Progress progress;
  /// Once requested, it ends soon, with an error, and nothing of it is left.
  std::stop_token stop = {};
};

struct Restored {
  Backup from;
  /// When the last transaction that is there was committed, in PostgreSQL's words; empty when none
  /// was since the backup.
  std::string last_commit;
  /// As it was restored, and its schema brought up to this release.
  store::Verification verification;
  /// What fences it off from what is lost.
  store::NewTimeline timeline;
};

/// Makes a private cluster from a backup and the log archived since, as of a moment; checks every
/// invariant, and begins a timeline in which nothing of what is lost counts (store::BeginTimeline).
/// The data folder holds all of it or nothing that a server would start on. config_invalid, saying
/// what there is, for a folder that is in use, a backup or log that is damaged or missing, and a
/// moment they do not cover, or when less was recovered than the backup and the log surely have;
/// database_newer for the backup of a later release.
Result<Restored> Restore(const RestoreOptions& options);

}  // namespace allot::backup
