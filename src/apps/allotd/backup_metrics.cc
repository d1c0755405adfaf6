#include "apps/allotd/backup_metrics.h"

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <thread>
#include <utility>

#include "apps/allotd/json_log.h"

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

constexpr std::chrono::seconds kPatience{2};

/// 0 when it never happened, so that its age is an alarm.
double SecondsOf(const std::optional<Instant>& time) {
  return time ? static_cast<double>(time->seconds()) : 0;
}

}  // namespace

/// Outlives the listing as long as its thread does.
struct BackupListing::Shared {
  explicit Shared(std::string given) : folder(std::move(given)) {}

  const std::string folder;
  std::mutex mutex;
  std::condition_variable changed;
  /// Questions so far, and how many of them had an answer.
  int64_t asked = 0;
  int64_t answered = 0;
  Result<std::vector<backup::Backup>> backups = std::vector<backup::Backup>();
  bool ended = false;
};

BackupListing::BackupListing(const std::string& folder)
    : shared_(std::make_shared<Shared>(folder)) {
  std::thread(List, shared_).detach();
}

BackupListing::~BackupListing() {
  const std::scoped_lock lock(shared_->mutex);
  shared_->ended = true;
  shared_->changed.notify_all();
}

void BackupListing::List(const std::shared_ptr<Shared>& shared) {
  std::unique_lock lock(shared->mutex);
  while (true) {
    shared->changed.wait(lock, [&] { return shared->ended || shared->answered < shared->asked; });
    if (shared->ended) return;
    const int64_t answering = shared->asked;
    lock.unlock();
    auto backups = backup::ListBackups(shared->folder);
    lock.lock();
    shared->backups = std::move(backups);
    shared->answered = answering;
    shared->changed.notify_all();
  }
}

Result<std::vector<backup::Backup>> BackupListing::Ask() const {
  std::unique_lock lock(shared_->mutex);
  const int64_t question = ++shared_->asked;
  shared_->changed.notify_all();
  const auto is_answered = [&] { return shared_->answered >= question; };
  if (shared_->changed.wait_for(lock, kPatience, is_answered)) return shared_->backups;
  return StateError(Reason::kConfigInvalid, "The folder " + shared_->folder +
                                                " cannot be read: it has not answered for " +
                                                std::to_string(kPatience.count()) + " s.");
}

void BackupMetrics::AddArchive(std::vector<MetricFamily>& families) const {
  const auto read = store::ReadLogShipping(database_url_);
  const std::scoped_lock lock(mutex_);
  if (read.ok()) {
    log_shipping_ = *read;
    families.push_back(Gauge("allot_store_standbys", "Standbys that follow the database's log.",
                             log_shipping_->standbys));
  }
  if (!log_shipping_ || !log_shipping_->enabled) return;
  if (log_shipping_->last_archived) {
    first_awaited_.reset();
  } else if (!first_awaited_) {
    first_awaited_ = clock_.Now();
  }
  families.push_back(Gauge(
      "allot_log_archived_timestamp_seconds",
      "When a segment of the write-ahead log was last archived; while this primary has "
      "archived none, when this server first saw that.",
      SecondsOf(log_shipping_->last_archived ? log_shipping_->last_archived : first_awaited_)));
  families.push_back(Gauge("allot_log_archive_timeout_seconds",
                           "A segment that is not full is archived after so long; 0: never.",
                           static_cast<double>(log_shipping_->timeout.count)));
  families.push_back(Counter("allot_log_archive_failures_total",
                             "Attempts at archiving a segment that failed.",
                             static_cast<double>(log_shipping_->failed)));
}

void BackupMetrics::AddBackups(std::vector<MetricFamily>& families) const {
  if (!listing_) return;
  const auto backups = listing_->Ask();
  const std::scoped_lock lock(mutex_);
  if (backups.ok()) {
    newest_backup_.reset();
    if (!backups->empty()) newest_backup_ = backups->back().end_time;
  }
  TellWhether(backups.ok() ? Status(Ok{}) : Status(backups.error()));
  families.push_back(Gauge("allot_backup_timestamp_seconds", "When the newest backup was made.",
                           SecondsOf(newest_backup_)));
  families.push_back(Gauge("allot_backups_readable",
                           "1 while every backup in the folder says of itself what it must.",
                           backups_readable_ ? 1 : 0));
}

void BackupMetrics::TellWhether(const Status& readable) const {
  if (readable.ok() == backups_readable_) return;
  backups_readable_ = readable.ok();
  if (backups_readable_) return LogInfo("backups_readable", {{"folder", folder_}});
  LogError("backups_not_readable", readable.error());
}

std::vector<MetricFamily> BackupMetrics::Collect() const {
  std::vector<MetricFamily> families;
  AddArchive(families);
  AddBackups(families);
  return families;
}

}  // namespace allot::allotd
