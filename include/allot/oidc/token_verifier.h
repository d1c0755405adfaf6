#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "allot/base/clock.h"
#include "allot/oidc/issuer.h"

namespace allot::oidc {

/// Far more than a person's token has; what the edge lets through is a little more.
inline constexpr std::size_t kTokenBytesMax = 3'584;

/// Why a token is none. For the log and the metrics of the server alone: whoever sent it is told
/// only that it is not good.
enum class TokenFault : uint8_t {
  kTooLarge,
  kMalformed,   ///< not three parts, not base64url, not JSON, too deep, a name twice
  kAlgorithm,   ///< "none", one with a shared secret, or one that the issuer was not given
  kType,        ///< "typ" is another kind of token's
  kCritical,    ///< "crit": it asks for what nobody here understands
  kIssuer,      ///< of nobody that is believed here
  kKeyUnknown,  ///< no published key has its "kid"
  kKeyUnfit,    ///< the key is of another algorithm
  kSignature,   ///< the key did not sign it
  kSubject,     ///< says not who it is of
  kAudience,    ///< made for another service
  kExpired,
  kNotYetValid,
  kIssuedInFuture,
  kTooLongLived,
};
inline constexpr std::size_t kTokenFaultCount = 15;
std::string_view Name(TokenFault fault);

/// What a good token says.
struct VerifiedToken {
  std::string issuer;
  std::string subject;
  Instant expire_time;
  friend bool operator==(const VerifiedToken&, const VerifiedToken&) = default;
};
/// There are no keys of its issuer, or none young enough, to judge it by.
struct IssuerSilent {
  friend bool operator==(IssuerSilent, IssuerSilent) = default;
};
using Verdict = std::variant<VerifiedToken, TokenFault, IssuerSilent>;

/// The last attempt at fetching the keys of an issuer.
struct KeyFetch {
  std::string issuer;
  /// How many there are to go by now.
  std::size_t keys = 0;
  /// What went wrong; empty when nothing did.
  std::string problem;
};

/// Judges tokens by RFC 8725, and keeps the keys of their issuers: fetched in threads of its own
/// every `keys_refresh`, and when a token names a key that is not known. Keys are good as long as
/// they are published, and while their issuer cannot be reached for `keys_max_age`. Thread safe.
class TokenVerifier {
 public:
  struct Options {
    std::vector<Issuer> issuers;
    /// How far the clocks of issuers may be off.
    Seconds leeway{30};
    /// An unknown key has the keys fetched at most so often.
    int64_t refetch_ms = 10'000;
    /// After a fetch that failed the next comes so soon; then twice as late each time, until
    /// `keys_refresh`.
    int64_t retry_ms = 1'000;
    /// A steady clock in microseconds, for durations only.
    std::function<int64_t()> steady_micros;
    /// Runs in a thread of the verifier's.
    std::function<void(const KeyFetch&)> on_fetch;
  };

  /// Begins to fetch. `clock` outlives it.
  TokenVerifier(const Clock& clock, Options options);
  /// Ends its waits.
  ~TokenVerifier();
  TokenVerifier(const TokenVerifier&) = delete;
  TokenVerifier& operator=(const TokenVerifier&) = delete;

  /// A token that was found good before and still is, told without working a signature out: it has
  /// not expired, and its key is still published.
  std::optional<VerifiedToken> Known(const std::string& token) const;
  /// Takes up to a tenth of a millisecond; waits for nobody.
  Verdict Verify(const std::string& token);

  /// After kKeyUnknown or IssuerSilent: runs `done` once the keys of the token's issuer were
  /// fetched anew, whatever came of it. False, and it will not run, when that has just been done,
  /// when too many wait, or the token is nobody's. `done` runs in a thread of the verifier's and
  /// must not block.
  bool AwaitKeys(const std::string& token, std::function<void()> done);
  /// Runs all that waits now, and lets nobody wait from then on.
  void EndWaits();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace allot::oidc
