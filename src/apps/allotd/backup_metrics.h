#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>

#include "allot/store/inspection.h"

namespace allot::allotd {

/// How the archiving of the log goes, and when the newest backup was made: asked at each scrape.
/// While the database does not answer it is what it said last, so that alarms on its age come.
/// Nothing of an archive that is switched off, and of backups in a folder this server was not told
/// of.
class BackupMetrics final : public prometheus::Collectable {
 public:
  BackupMetrics(std::string database_url, std::string folder)
      : database_url_(std::move(database_url)), folder_(std::move(folder)) {}

  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  const std::string database_url_;
  const std::string folder_;
  mutable std::mutex mutex_;
  mutable std::optional<store::ArchiverState> last_;
};

}  // namespace allot::allotd
