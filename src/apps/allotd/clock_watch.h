#pragma once

#include <cstdint>
#include <functional>
#include <thread>

#include <prometheus/gauge.h>
#include <prometheus/registry.h>

#include "allot/control/service_clock.h"
#include "allot/store/store.h"

namespace allot::allotd {

/// Compares the service's clock with the store's and the machine's once a second, and says in the
/// log and in allot_clock_apart_seconds when they differ.
class ClockWatch {
 public:
  /// Compares once before it returns. Requires: all outlive the object.
  ClockWatch(store::Store& store, control::ServiceClock& clock,
             std::function<int64_t()> steady_micros, prometheus::Registry& registry);

 private:
  void Run(const std::stop_token& stop);
  void Compare();

  store::Store& store_;
  control::ServiceClock& clock_;
  const std::function<int64_t()> steady_micros_;
  prometheus::Gauge& store_apart_;
  prometheus::Gauge& machine_apart_;
  prometheus::Gauge& sure_;
  bool agreed_ = true;
  std::jthread thread_;
};

}  // namespace allot::allotd
