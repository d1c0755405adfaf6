#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "allot/oidc/issuer.h"
#include "allot/oidc/token_verifier.h"
#include "oidc/public_key.h"

namespace allot::oidc {

/// The keys that one issuer publishes, fetched again and again in a thread of its own. Thread safe.
class IssuerKeys {
 public:
  struct Options {
    int64_t refetch_ms = 0;
    int64_t retry_ms = 0;
    std::function<int64_t()> steady_micros;
    std::function<void(const KeyFetch&)> on_fetch;
  };
  IssuerKeys(Issuer issuer, Options options);
  ~IssuerKeys();

  struct Found {
    /// There are keys to go by, young enough.
    bool current = false;
    /// Null when none of them has the id.
    std::shared_ptr<const PublicKey> key;
  };
  Found Find(const std::string& id) const;
  /// See TokenVerifier.
  bool Await(std::function<void()> done);
  void EndWaits();

 private:
  using Keys = std::map<std::string, std::shared_ptr<const PublicKey>>;

  void Run();
  Result<Keys> Fetch() const;
  /// The next fetch is due after so many microseconds.
  int64_t Publish(const Result<Keys>& fetched);
  int64_t Now() const { return options_.steady_micros(); }

  const Issuer issuer_;
  const Options options_;
  std::atomic<bool> stopping_{false};
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  Keys keys_;
  /// Of the last fetch that succeeded; nothing before the first.
  std::optional<int64_t> fetched_micros_;
  /// When the last attempt began, and whether it goes on.
  int64_t begun_micros_ = 0;
  bool fetching_ = true;
  bool wanted_ = false;
  bool waits_ended_ = false;
  int failures_ = 0;
  std::vector<std::function<void()>> waiting_;
  std::thread thread_;
};

}  // namespace allot::oidc
