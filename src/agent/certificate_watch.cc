#include "agent/certificate_watch.h"

namespace allot::agent {
namespace {

constexpr Seconds kSoon = Days(14);
constexpr Seconds kBetweenWarnings = Days(1);

int64_t DaysUntil(Instant end, Instant now) {
  return (end.seconds() - now.seconds()) / Days(1).count;
}

}  // namespace

void CertificateWatch::Meet(const std::string& whose, Instant expire_time) {
  const std::scoped_lock lock(mutex_);
  met_[whose] = {.expire_time = expire_time, .next_warning = {}};
  log_(LogLevel::kInfo, "certificate in use",
       {{"whose", whose},
        {"expires", FormatRfc3339(expire_time)},
        {"days_left", DaysUntil(expire_time, clock_.Now())}});
}

void CertificateWatch::Look() {
  const Instant now = clock_.Now();
  const std::scoped_lock lock(mutex_);
  for (auto& [whose, met] : met_) {
    if (met.expire_time >= now + kSoon || now < met.next_warning) continue;
    met.next_warning = now + kBetweenWarnings;
    log_(LogLevel::kWarn,
         "a certificate ends soon, and then no order arrives here: have it renewed, and if it is "
         "the provider's send SIGHUP",
         {{"whose", whose},
          {"expires", FormatRfc3339(met.expire_time)},
          {"days_left", DaysUntil(met.expire_time, now)}});
  }
}

}  // namespace allot::agent
