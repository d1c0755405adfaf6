#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>

#include "allot/base/clock.h"
#include "allot/base/result.h"
#include "allot/base/time.h"
#include "allot/store/inspection.h"

namespace allot::allotd {

/// How the archiving of the log goes, and when the newest backup was made: asked at each scrape.
/// While the database does not answer, or the backups cannot be read, it is what was read last, so
/// that alarms on its age come. Nothing of an archive that is switched off, and of backups in a
/// folder this server was not told of.
class BackupMetrics final : public prometheus::Collectable {
 public:
  /// Requires: the clock outlives the object.
  BackupMetrics(std::string database_url, std::string folder, const Clock& clock)
      : database_url_(std::move(database_url)), folder_(std::move(folder)), clock_(clock) {}

  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  void AddArchive(std::vector<prometheus::MetricFamily>& families) const;
  void AddBackups(std::vector<prometheus::MetricFamily>& families) const;
  /// In the log, when it has changed.
  void TellWhether(const Status& readable) const;

  const std::string database_url_;
  const std::string folder_;
  const Clock& clock_;
  mutable std::mutex mutex_;
  mutable std::optional<store::ArchiverState> archiver_;
  /// Since when nothing that is known to have been archived is waited for: a primary knows of none
  /// before its own.
  mutable std::optional<Instant> first_awaited_;
  mutable std::optional<Instant> newest_backup_;
  mutable bool backups_readable_ = true;
};

}  // namespace allot::allotd
