#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>

#include "allot/base/clock.h"
#include "allot/oidc/token_verifier.h"

namespace allot::allotd {

/// What is said of the fetches of issuers' keys: in the metrics of each, in the log when it turns.
class KeyFetchLog {
 public:
  /// Requires: clock and registry outlive it.
  KeyFetchLog(const Clock& clock, prometheus::Registry& registry,
              const std::vector<oidc::Issuer>& issuers);
  void Note(const oidc::KeyFetch& fetch);

 private:
  const Clock& clock_;
  prometheus::Family<prometheus::Counter>& fetches_;
  prometheus::Family<prometheus::Gauge>& fetched_at_;
  std::mutex mutex_;
  /// What went wrong last with each issuer, and how many keys there were.
  std::map<std::string, std::pair<std::string, std::size_t>> last_;
};

}  // namespace allot::allotd
