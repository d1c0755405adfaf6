#pragma once

#include <memory>
#include <string>
#include <vector>

#include <prometheus/collectable.h>
#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include "allot/control/context.h"
#include "allot/control/planner.h"
#include "allot/control/scheduler_loop.h"

namespace allot::allotd {

/// What the scheduler's passes did and took.
class SchedulerMetrics {
 public:
  explicit SchedulerMetrics(prometheus::Registry& registry);

  void OnPass(const control::PassReport& report);
  void OnError(const Error& error);
  void OnChoreFailed(const std::string& chore);

 private:
  void OnDecisions(const control::Applied& applied);

  prometheus::Family<prometheus::Counter>& errors_;
  prometheus::Family<prometheus::Counter>& chores_failed_;
  prometheus::Family<prometheus::Counter>& outcomes_;
  prometheus::Gauge& pending_;
  prometheus::Gauge& epoch_;
  prometheus::Counter& passes_;
  prometheus::Histogram& plan_seconds_;
  prometheus::Histogram& apply_seconds_;
  prometheus::Histogram& start_error_seconds_;
};

/// What is true at the moment of the scrape: who leads, and the pool's GPUs, nodes, projects and
/// allocations by state.
class PresentMetrics final : public prometheus::Collectable {
 public:
  /// Requires: all outlive the object.
  PresentMetrics(const control::Context& context, control::Planner& planner,
                 const control::SchedulerLoop& loop)
      : context_(context), planner_(planner), loop_(loop) {}

  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  const control::Context& context_;
  control::Planner& planner_;
  const control::SchedulerLoop& loop_;
};

}  // namespace allot::allotd
