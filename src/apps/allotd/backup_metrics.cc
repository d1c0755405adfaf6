#include "apps/allotd/backup_metrics.h"

#include <utility>

#include "allot/backup/backup.h"

namespace allot::allotd {
namespace {

using prometheus::MetricFamily;
using prometheus::MetricType;

MetricFamily Gauge(const char* name, const char* help, double value) {
  MetricFamily family{.name = name, .help = help, .type = MetricType::Gauge, .metric = {}};
  family.metric.emplace_back().gauge.value = value;
  return family;
}

MetricFamily Counter(const char* name, const char* help, double value) {
  MetricFamily family{.name = name, .help = help, .type = MetricType::Counter, .metric = {}};
  family.metric.emplace_back().counter.value = value;
  return family;
}

/// 0 when it never happened, so that its age is an alarm.
double SecondsOf(const std::optional<Instant>& time) {
  return time ? static_cast<double>(time->seconds()) : 0;
}

}  // namespace

std::vector<MetricFamily> BackupMetrics::Collect() const {
  std::vector<MetricFamily> families;
  const auto read = store::ReadArchiverState(database_url_);
  const std::scoped_lock lock(mutex_);
  if (read.ok()) last_ = *read;
  const auto& archiver = last_;
  if (archiver && archiver->enabled) {
    families.push_back(Gauge("allot_log_archived_timestamp_seconds",
                             "When a segment of the write-ahead log was last archived.",
                             SecondsOf(archiver->last_archived)));
    families.push_back(Counter("allot_log_archive_failures_total",
                               "Attempts at archiving a segment that failed.",
                               static_cast<double>(archiver->failed)));
  }
  if (folder_.empty()) return families;
  const auto backups = backup::ListBackups(folder_);
  if (!backups.ok()) return families;
  families.push_back(Gauge("allot_backup_timestamp_seconds", "When the newest backup was made.",
                           backups->empty() ? 0 : SecondsOf(backups->back().end_time)));
  return families;
}

}  // namespace allot::allotd
