#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>

#include "allot/backup/backup.h"
#include "allot/base/clock.h"
#include "allot/base/result.h"
#include "allot/base/time.h"
#include "allot/store/inspection.h"

namespace allot::allotd {

/// The backups of a folder, listed by a thread of its own: a file server that is gone keeps whoever
/// reads from it for ever. Who asks waits for two seconds, and nobody waits for the thread at the
/// end.
class BackupListing {
 public:
  explicit BackupListing(const std::string& folder);
  ~BackupListing();
  BackupListing(const BackupListing&) = delete;
  BackupListing& operator=(const BackupListing&) = delete;

  /// As they are now; config_invalid when they cannot be read, or not soon.
  Result<std::vector<backup::Backup>> Ask() const;

 private:
  struct Shared;
  static void List(const std::shared_ptr<Shared>& shared);

  const std::shared_ptr<Shared> shared_;
};

/// How many standbys follow the log, how its archiving goes, and when the newest backup was made:
/// asked at each scrape. While the database does not answer, or the backups cannot be read, or not
/// soon, it is what was read last, so that alarms on its age come. Nothing of an archive that is
/// switched off, and of backups in a folder this server was not told of.
class BackupMetrics final : public prometheus::Collectable {
 public:
  /// Requires: the clock outlives the object.
  BackupMetrics(std::string database_url, std::string folder, const Clock& clock)
      : database_url_(std::move(database_url)), folder_(std::move(folder)), clock_(clock) {
    if (!folder_.empty()) listing_.emplace(folder_);
  }

  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  void AddArchive(std::vector<prometheus::MetricFamily>& families) const;
  void AddBackups(std::vector<prometheus::MetricFamily>& families) const;
  /// In the log, when it has changed.
  void TellWhether(const Status& readable) const;

  const std::string database_url_;
  const std::string folder_;
  const Clock& clock_;
  std::optional<BackupListing> listing_;
  mutable std::mutex mutex_;
  mutable std::optional<store::LogShipping> log_shipping_;
  /// Since when nothing that is known to have been archived is waited for: a primary knows of none
  /// before its own.
  mutable std::optional<Instant> first_awaited_;
  mutable std::optional<Instant> newest_backup_;
  mutable bool backups_readable_ = true;
};

}  // namespace allot::allotd
