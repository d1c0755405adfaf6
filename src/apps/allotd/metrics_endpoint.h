#pragma once

#include <memory>
#include <string>

#include <prometheus/collectable.h>
#include <prometheus/exposer.h>

#include "allot/base/result.h"

namespace allot::allotd {

/// /metrics over HTTP, for as long as it lives.
class MetricsEndpoint {
 public:
  /// `listen` is HOST:PORT; config_invalid when it cannot be listened on.
  static Result<std::unique_ptr<MetricsEndpoint>> Listen(const std::string& listen);
  ~MetricsEndpoint();
  MetricsEndpoint(const MetricsEndpoint&) = delete;
  MetricsEndpoint& operator=(const MetricsEndpoint&) = delete;

  /// Requires: the owner keeps what it adds.
  void Add(const std::weak_ptr<prometheus::Collectable>& collectable);
  /// With the real port.
  std::string address() const;

 private:
  MetricsEndpoint(std::string host, std::unique_ptr<prometheus::Exposer> exposer)
      : host_(std::move(host)), exposer_(std::move(exposer)) {}

  const std::string host_;
  std::unique_ptr<prometheus::Exposer> exposer_;
};

}  // namespace allot::allotd
