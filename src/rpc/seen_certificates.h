#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <prometheus/registry.h>

#include "allot/base/time.h"

namespace allot::rpc {

/// When the certificates end that connections to this server are made with, of those whose it is to
/// be worked with them: without the edge's nobody comes in, without a provider's its agents fall
/// silent. Of the same holder's several (an agent for each cluster, an edge on each machine) the
/// one counts that ends first, until it was not seen for some minutes while others were: then it
/// was replaced. Thread safe.
class SeenCertificates {
 public:
  /// `registry` null: nothing is kept.
  SeenCertificates(std::shared_ptr<prometheus::Registry> registry,
                   std::function<int64_t()> steady_micros)
      : registry_(std::move(registry)), steady_micros_(std::move(steady_micros)) {}

  /// A call came by a connection that `holder` ("edge", "providers/naver") made with this
  /// certificate, in PEM, which was verified.
  void Note(const std::string& holder, std::string_view pem);

 private:
  struct Seen {
    std::string pem;
    Instant expire_time;
    int64_t last_micros = 0;
  };

  const std::shared_ptr<prometheus::Registry> registry_;
  const std::function<int64_t()> steady_micros_;
  std::mutex mutex_;
  std::map<std::string, std::vector<Seen>> by_holder_;
};

}  // namespace allot::rpc
