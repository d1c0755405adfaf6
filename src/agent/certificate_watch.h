#pragma once

#include <map>
#include <mutex>
#include <string>

#include "allot/agent/log.h"
#include "allot/base/clock.h"
#include "allot/base/time.h"

namespace allot::agent {

/// Says in the log when the certificates end that the agent cannot go on without: once when it
/// meets one, and every day as a warning in the last two weeks. Thread safe.
class CertificateWatch {
 public:
  /// `clock` outlives the object.
  CertificateWatch(const Clock& clock, Log log) : clock_(clock), log_(std::move(log)) {}

  /// From now on `whose` ("provider", "server") certificate ends then.
  void Meet(const std::string& whose, Instant expire_time);
  /// To be called every now and then.
  void Look();

 private:
  struct Met {
    Instant expire_time;
    Instant next_warning;
  };

  const Clock& clock_;
  const Log log_;
  std::mutex mutex_;
  std::map<std::string, Met> met_;
};

}  // namespace allot::agent
