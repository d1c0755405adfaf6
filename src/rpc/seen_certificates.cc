#include "rpc/seen_certificates.h"

#include <algorithm>

#include <prometheus/gauge.h>

#include "allot/rpc/certificate_expiry.h"
#include "allot/transport/certificate.h"

namespace allot::rpc {
namespace {

/// Agents are heard every few seconds, the edge at every call.
constexpr int64_t kReplacedMicros = int64_t{10} * 60 * 1'000'000;

}  // namespace

void ShowCertificateExpiry(prometheus::Registry& registry, const std::string& holder,
                           Instant expire_time) {
  prometheus::BuildGauge()
      .Name("allot_certificate_expiry_timestamp_seconds")
      .Help("When a certificate ends: this server's, and those that its callers show.")
      .Register(registry)
      .Add({{"holder", holder}})
      .Set(static_cast<double>(expire_time.seconds()));
}

void SeenCertificates::Note(const std::string& holder, std::string_view pem) {
  if (!registry_ || pem.empty()) return;
  const int64_t now_micros = steady_micros_();
  const std::scoped_lock lock(mutex_);
  std::vector<Seen>& seen = by_holder_[holder];
  const std::size_t known = seen.size();
  auto this_one = std::ranges::find(seen, pem, &Seen::pem);
  if (this_one == seen.end()) {
    const auto expire_time = transport::ExpireTimeOf(std::string(pem));
    if (!expire_time) return;
    this_one = seen.insert(seen.end(), {.pem = std::string(pem), .expire_time = *expire_time});
  }
  this_one->last_micros = now_micros;
  const bool any_new = seen.size() > known;
  const auto replaced = std::erase_if(
      seen, [&](const Seen& one) { return now_micros - one.last_micros > kReplacedMicros; });
  if (!any_new && replaced == 0) return;
  const auto first = std::ranges::min_element(seen, {}, &Seen::expire_time);
  ShowCertificateExpiry(*registry_, holder, first->expire_time);
}

}  // namespace allot::rpc
