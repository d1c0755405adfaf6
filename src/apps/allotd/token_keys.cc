#include "apps/allotd/token_keys.h"

#include <utility>

#include "apps/allotd/json_log.h"

namespace allot::allotd {

KeyFetchLog::KeyFetchLog(const Clock& clock, prometheus::Registry& registry,
                         const std::vector<oidc::Issuer>& issuers)
    : clock_(clock),
      fetches_(prometheus::BuildCounter()
                   .Name("allot_issuer_key_fetches_total")
                   .Help("Attempts at fetching the keys of an issuer, by outcome.")
                   .Register(registry)),
      fetched_at_(prometheus::BuildGauge()
                      .Name("allot_issuer_keys_fetched_timestamp_seconds")
                      .Help("When the keys of an issuer were last fetched.")
                      .Register(registry)) {
  auto& refresh = prometheus::BuildGauge()
                      .Name("allot_issuer_keys_refresh_seconds")
                      .Help("How often the keys of an issuer are fetched.")
                      .Register(registry);
  for (const oidc::Issuer& issuer : issuers) {
    refresh.Add({{"issuer", issuer.url}}).Set(static_cast<double>(issuer.keys_refresh.count));
  }
}

void KeyFetchLog::Note(const oidc::KeyFetch& fetch) {
  const bool good = fetch.problem.empty();
  fetches_.Add({{"issuer", fetch.issuer}, {"outcome", good ? "ok" : "failed"}}).Increment();
  // Never fetched is long ago: the alarm needs a number.
  auto& fetched_at = fetched_at_.Add({{"issuer", fetch.issuer}});
  if (good) fetched_at.Set(static_cast<double>(clock_.Now().seconds()));
  {
    const std::lock_guard lock(mutex_);
    auto said = std::make_pair(fetch.problem, fetch.keys);
    const auto [last, is_first] = last_.try_emplace(fetch.issuer, said);
    if (!is_first && last->second == said) return;
    last->second = std::move(said);
  }
  if (good) {
    LogInfo("issuer_keys_fetched", {{"issuer", fetch.issuer}, {"keys", fetch.keys}});
  } else {
    LogWarning("issuer_keys_not_fetched",
               {{"issuer", fetch.issuer}, {"cause", fetch.problem}, {"keys_kept", fetch.keys}});
  }
}

}  // namespace allot::allotd
