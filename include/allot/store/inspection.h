#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "allot/base/result.h"
#include "allot/base/time.h"
#include "allot/model/event.h"

namespace allot::store {

// What tools of the operator ask a database about itself, through a connection of their own, made
// as the URL says. Each fails with config_invalid for a URL that is none, and store_unavailable.

/// In libpq's words, on one line and without the URL, why no connection can be made; nothing when
/// one was. For whoever gave the URL, and nobody else.
std::optional<std::string> WhyUnreachable(const std::string& url);

struct DatabaseState {
  /// By the database's clock.
  Instant time;
  /// PostgreSQL's name for the cluster of this data; copies have the same.
  std::string system_identifier;
  int64_t wal_segment_bytes = 0;
  int schema = 0;
  Revision revision = 0;
  /// Number and hash (hexadecimal) of the newest audit entry.
  int64_t audit_number = 0;
  std::string audit_hash;
  /// Whether the write-ahead log is archived, wherever to.
  bool log_archived = false;
};
/// Needs the schema of an Allot database, of whatever release since 0018.
Result<DatabaseState> ReadDatabaseState(const std::string& url);

/// config_invalid, with what to do, for a database that a copy of its cluster could not be served
/// from (PrivateCluster): one of another name, or whose owner the role of that name is not.
Status RequireServable(const std::string& url);

/// How the write-ahead log leaves the primary: to standbys, and, since its statistics were reset,
/// to the archive.
struct LogShipping {
  /// That follow the log, each by a slot that is kept for it.
  int standbys = 0;
  bool enabled = false;
  /// A segment that is not full is archived after this long; zero: once it is full.
  Seconds timeout;
  int64_t archived = 0;
  int64_t failed = 0;
  std::optional<Instant> last_archived;
  std::optional<Instant> last_failed;
};
/// Does not wait for a database that does not answer within two seconds.
Result<LogShipping> ReadLogShipping(const std::string& url);

/// PostgreSQL's number of the transaction that made a revision; config_invalid, with the revisions
/// that are there, when its events are not.
Result<std::string> TransactionOf(const std::string& url, Revision revision);

struct NewTimeline {
  /// The newest revision of before the restore that is there.
  Revision restored = 0;
  /// Where revisions and epochs go on.
  Revision revision = 0;
  int64_t epoch = 0;
  /// Orders that agents are given once more.
  int64_t orders_reopened = 0;
};
/// Fences a restored database off from what came after the moment it was restored to: revisions,
/// epochs and sessions go on past all that were given out, watches of before have to list again,
/// agents register anew, and what holds GPUs is ordered once more. In one transaction, with
/// `detail` in the audit. Requires: the schema of this release, and that nobody else uses the
/// database.
Result<NewTimeline> BeginTimeline(const std::string& url, Instant now, const std::string& detail);

}  // namespace allot::store
