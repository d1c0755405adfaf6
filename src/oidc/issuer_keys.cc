#include "oidc/issuer_keys.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "oidc/discovery.h"

namespace allot::oidc {
namespace {

constexpr std::size_t kKeysMax = 64;
constexpr std::size_t kWaitingMax = 256;
constexpr int64_t kMicrosPerMilli = 1'000;
constexpr int64_t kMicrosPerSecond = 1'000'000;

}  // namespace

IssuerKeys::IssuerKeys(Issuer issuer, Options options)
    : issuer_(std::move(issuer)), options_(std::move(options)), thread_([this] { Run(); }) {}

IssuerKeys::~IssuerKeys() {
  {
    const std::lock_guard lock(mutex_);
    stopping_.store(true);
  }
  changed_.notify_one();
  thread_.join();
  EndWaits();
}

IssuerKeys::Found IssuerKeys::Find(const std::string& id) const {
  const std::lock_guard lock(mutex_);
  const int64_t oldest = Now() - issuer_.keys_max_age.count * kMicrosPerSecond;
  if (!fetched_micros_ || *fetched_micros_ < oldest) return {};
  const auto found = keys_.find(id);
  return {.current = true, .key = found == keys_.end() ? nullptr : found->second};
}

bool IssuerKeys::Await(std::function<void()> done) {
  {
    const std::lock_guard lock(mutex_);
    const bool too_soon = Now() - begun_micros_ < options_.refetch_ms * kMicrosPerMilli;
    if (waits_ended_ || waiting_.size() >= kWaitingMax || (too_soon && !fetching_)) return false;
    waiting_.push_back(std::move(done));
    wanted_ = wanted_ || !fetching_;
  }
  changed_.notify_one();
  return true;
}

void IssuerKeys::EndWaits() {
  std::vector<std::function<void()>> waiting;
  {
    const std::lock_guard lock(mutex_);
    waits_ended_ = true;
    waiting.swap(waiting_);
  }
  for (const auto& done : waiting) done();
}

void IssuerKeys::Run() {
  while (!stopping_.load()) {
    {
      const std::lock_guard lock(mutex_);
      fetching_ = true;
      wanted_ = false;
      begun_micros_ = Now();
    }
    const int64_t due_micros = Publish(Fetch());
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::microseconds(due_micros),
                      [this] { return wanted_ || stopping_.load(); });
  }
}

Result<IssuerKeys::Keys> IssuerKeys::Fetch() const {
  const HttpOptions http{.ca_file = issuer_.ca_file, .give_up = &stopping_};
  std::string url = issuer_.jwks_uri;
  if (url.empty()) {
    ALLOT_ASSIGN_OR_RETURN(const auto document, Discover(issuer_.url, http));
    ALLOT_ASSIGN_OR_RETURN(url, EndpointIn(document, "jwks_uri"));
  }
  ALLOT_ASSIGN_OR_RETURN(const auto set, FetchObject(url, http));
  const auto list = set.find("keys");
  if (list == set.end() || !list->is_array() || list->size() > kKeysMax) {
    return StateError(Reason::kIssuerUnavailable, url + " answers with no list of at most " +
                                                      std::to_string(kKeysMax) + " keys");
  }
  Keys keys;
  for (const auto& jwk : *list) {
    // What cannot be used is passed over: issuers publish keys for other purposes beside.
    auto key = PublicKey::FromJwk(jwk);
    if (key) keys.emplace(key->id(), std::move(key));
  }
  return keys;
}

int64_t IssuerKeys::Publish(const Result<Keys>& fetched) {
  std::vector<std::function<void()>> waiting;
  KeyFetch report{.issuer = issuer_.url, .keys = 0, .problem = {}};
  int64_t due_micros = issuer_.keys_refresh.count * kMicrosPerSecond;
  {
    const std::lock_guard lock(mutex_);
    if (fetched.ok()) {
      Keys next = *fetched;
      // The same key stays the same object: tokens that were found good need no second look.
      for (auto& [id, key] : next) {
        const auto before = keys_.find(id);
        if (before != keys_.end() && *before->second == *key) key = before->second;
      }
      keys_ = std::move(next);
      fetched_micros_ = begun_micros_;
      failures_ = 0;
    } else {
      report.problem = fetched.error().message;
      constexpr int kDoublingsMax = 20;
      const int64_t retry_ms = options_.retry_ms << std::min(failures_++, kDoublingsMax);
      due_micros = std::min(due_micros, retry_ms * kMicrosPerMilli);
    }
    report.keys = keys_.size();
    fetching_ = false;
    waiting.swap(waiting_);
  }
  if (options_.on_fetch && !stopping_.load()) options_.on_fetch(report);
  for (const auto& done : waiting) done();
  return due_micros;
}

}  // namespace allot::oidc
