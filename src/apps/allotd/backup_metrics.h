#pragma once

#include <string>
#include <vector>

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>

namespace allot::allotd {

/// How the archiving of the log goes, and when the newest backup was made: asked at each scrape.
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
};

}  // namespace allot::allotd
