#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "allot/oidc/token_verifier.h"
#include "support/manual_clock.h"
#include "support/test_issuer.h"

namespace allot::oidc {

/// A verifier that believes a test issuer, whose key "k1" is RSA's and "e1" P-256's.
class VerifierTest : public ::testing::Test {
 protected:
  using TestIssuer = testing::TestIssuer;
  using KeyPair = testing::KeyPair;

  VerifierTest() {
    issuer_.Publish("k1", KeyPair::kRsa);
    issuer_.Publish("e1", KeyPair::kEc);
    believed_.url = issuer_.url();
    believed_.audience = "allot";
    believed_.algorithms = {Algorithm::kRs256, Algorithm::kEs256};
    believed_.jwks_uri = issuer_.jwks_uri();
  }

  /// Begins to verify, and waits until the keys were asked for once.
  void Begin() {
    verifier_.emplace(
        clock_, TokenVerifier::Options{.issuers = {believed_},
                                       .leeway = Seconds{30},
                                       .refetch_ms = refetch_ms_,
                                       .retry_ms = retry_ms_,
                                       .steady_micros = [this] { return steady_micros_.load(); },
                                       .on_fetch = [this](const KeyFetch& fetch) { Note(fetch); }});
    ASSERT_TRUE(AwaitFetches(1));
  }

  std::string Token(const nlohmann::json& changes = {}) const {
    return TestIssuer::Token(TestIssuer::Header("k1"), Claims(changes));
  }
  nlohmann::json Claims(const nlohmann::json& changes = {}) const {
    nlohmann::json claims = issuer_.Claims(clock_.Now());
    if (changes.is_object()) claims.update(changes);
    return claims;
  }

  bool AwaitFetches(int count) {
    std::unique_lock lock(mutex_);
    return fetched_.wait_for(lock, std::chrono::seconds(30), [&] { return fetches_ >= count; });
  }
  int fetches() {
    const std::lock_guard lock(mutex_);
    return fetches_;
  }
  KeyFetch last_fetch() {
    const std::lock_guard lock(mutex_);
    return last_fetch_;
  }
  /// Has the keys of a token fetched anew, if that is allowed.
  bool Refetch(const std::string& token) {
    std::promise<void> done;
    if (!verifier_->AwaitKeys(token, [&] { done.set_value(); })) return false;
    return done.get_future().wait_for(std::chrono::seconds(30)) == std::future_status::ready;
  }

  testing::ManualClock clock_;
  std::atomic<int64_t> steady_micros_{1'000'000'000};
  int64_t refetch_ms_ = 10'000;
  /// So late that no test sees it, unless it wants to.
  int64_t retry_ms_ = 600'000;
  TestIssuer issuer_;
  Issuer believed_;
  std::optional<TokenVerifier> verifier_;

 private:
  void Note(const KeyFetch& fetch) {
    const std::lock_guard lock(mutex_);
    ++fetches_;
    last_fetch_ = fetch;
    fetched_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable fetched_;
  int fetches_ = 0;
  KeyFetch last_fetch_;
};

inline std::string Show(const Verdict& verdict) {
  if (const auto* fault = std::get_if<TokenFault>(&verdict)) return std::string(Name(*fault));
  return std::holds_alternative<IssuerSilent>(verdict) ? "issuer silent" : "good";
}

}  // namespace allot::oidc
