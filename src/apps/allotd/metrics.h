#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include <prometheus/collectable.h>
#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include "allot/control/context.h"
#include "allot/control/planner.h"
#include "allot/control/pool.h"
#include "allot/control/scheduler_loop.h"

namespace allot::allotd {

/// What the scheduler's passes did and took.
class SchedulerMetrics {
 public:
  explicit SchedulerMetrics(prometheus::Registry& registry);

  void OnPass(const control::PassReport& report);
  void OnError(const Error& error);
  void OnLed(Instant time);
  void OnChoreFailed(const std::string& chore);

 private:
  void OnDecisions(const control::Applied& applied);

  prometheus::Family<prometheus::Counter>& errors_;
  prometheus::Family<prometheus::Counter>& chores_failed_;
  prometheus::Family<prometheus::Counter>& outcomes_;
  prometheus::Gauge& pending_;
  prometheus::Gauge& epoch_;
  prometheus::Gauge& led_;
  prometheus::Counter& passes_;
  prometheus::Histogram& plan_seconds_;
  prometheus::Histogram& apply_seconds_;
  prometheus::Histogram& start_error_seconds_;
};

/// What is true at the moment of the scrape: who leads, the pool's GPUs, nodes, projects and
/// allocations by state, and the orders that agents have not answered. While the store does not
/// answer, or not soon, these are what it said last, and `allot_store_up` is 0: an alarm must not
/// go with what it is about.
class PresentMetrics final : public prometheus::Collectable {
 public:
  /// Requires: all outlive the object.
  PresentMetrics(const control::Context& context, control::Planner& planner,
                 const control::SchedulerLoop& loop);

  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  struct Present {
    control::Capacity capacity;
    std::vector<store::OrderBacklog> backlogs;
  };

  /// Asks the store whenever a scrape waits.
  void Ask(const std::stop_token& stop);
  Result<Present> Look() const;
  /// Whether the store answered in time.
  bool AwaitAnswer(std::unique_lock<std::mutex>& lock) const;

  const control::Context& context_;
  control::Planner& planner_;
  const control::SchedulerLoop& loop_;
  mutable std::mutex mutex_;
  mutable std::condition_variable_any changed_;
  /// Scrapes so far, and how many of them had their question answered, well or not.
  mutable int64_t scrapes_ = 0;
  int64_t answered_ = 0;
  bool up_ = false;
  std::optional<Present> last_;
  /// The last member: it ends before what it uses.
  std::jthread asking_;
};

}  // namespace allot::allotd
