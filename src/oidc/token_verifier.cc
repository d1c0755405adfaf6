#include "allot/oidc/token_verifier.h"

#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "allot/base/text.h"
#include "oidc/issuer_keys.h"
#include "oidc/json_object.h"
#include "oidc/token.h"

namespace allot::oidc {
namespace {

constexpr std::array<std::string_view, kTokenFaultCount> kFaultNames = {
    "too_large",     "malformed",        "algorithm",     "type",    "critical", "issuer",
    "key_unknown",   "key_unfit",        "signature",     "subject", "audience", "expired",
    "not_yet_valid", "issued_in_future", "too_long_lived"};

/// More than there are people; then all are looked at anew.
constexpr std::size_t kKnownMax = 65'536;
constexpr std::size_t kSubjectBytesMax = 500;

std::string Sha256(const std::string& text) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

}  // namespace

std::string_view Name(TokenFault fault) { return kFaultNames.at(static_cast<std::size_t>(fault)); }

class TokenVerifier::Impl {
 public:
  Impl(const Clock& clock, Options options) : clock_(clock), options_(std::move(options)) {
    for (const Issuer& issuer : options_.issuers) {
      believed_.push_back(
          {issuer, std::make_unique<IssuerKeys>(
                       issuer, IssuerKeys::Options{options_.refetch_ms, options_.retry_ms,
                                                   options_.steady_micros, options_.on_fetch})});
    }
  }

  std::optional<VerifiedToken> Known(const std::string& token) const {
    const std::string hash = Sha256(token);
    Seen seen;
    {
      const std::lock_guard lock(mutex_);
      const auto found = seen_.find(hash);
      if (found == seen_.end()) return std::nullopt;
      seen = found->second;
    }
    if (HasExpired(seen.token.expire_time)) return std::nullopt;
    const IssuerKeys::Found now = seen.believed->keys->Find(seen.key->id());
    if (now.key != seen.key) return std::nullopt;
    return seen.token;
  }

  Verdict Verify(const std::string& text) {
    const auto read = ReadToken(text);
    if (const auto* fault = std::get_if<TokenFault>(&read)) return *fault;
    const Token& token = std::get<Token>(read);
    // What has no issuer that is believed is judged by what all of them have in common.
    const Believed* const believed = BelievedOf(token);
    if (const auto fault = FaultInHeader(token, believed)) return *fault;
    if (believed == nullptr) return TokenFault::kIssuer;
    const auto algorithm = ParseAlgorithm(token.algorithm);
    const IssuerKeys::Found found = believed->keys->Find(token.key_id);
    if (!found.current) return IssuerSilent{};
    if (!found.key) return TokenFault::kKeyUnknown;
    if (!found.key->Fits(*algorithm)) return TokenFault::kKeyUnfit;
    if (!found.key->Signed(text, *algorithm)) return TokenFault::kSignature;
    if (const auto fault = FaultInClaims(token, believed->issuer)) return *fault;
    VerifiedToken good{.issuer = believed->issuer.url,
                       .subject = *TextIn(token.claims, "sub"),
                       .expire_time = *token.TimeOf("exp")};
    Remember(text, {.token = good, .believed = believed, .key = found.key});
    return good;
  }

  bool AwaitKeys(const std::string& text, std::function<void()> done) {
    const auto read = ReadToken(text);
    const auto* token = std::get_if<Token>(&read);
    const Believed* const believed = token == nullptr ? nullptr : BelievedOf(*token);
    return believed != nullptr && believed->keys->Await(std::move(done));
  }

  void EndWaits() {
    for (const Believed& one : believed_) one.keys->EndWaits();
  }

 private:
  struct Believed {
    Issuer issuer;
    std::unique_ptr<IssuerKeys> keys;
  };
  struct Seen {
    VerifiedToken token;
    const Believed* believed = nullptr;
    std::shared_ptr<const PublicKey> key;
  };

  const Believed* BelievedOf(const Token& token) const {
    const std::string issuer = token.issuer();
    for (const Believed& one : believed_) {
      if (one.issuer.url == issuer) return &one;
    }
    return nullptr;
  }

  static bool Takes(const Issuer& issuer, Algorithm algorithm) {
    return std::ranges::find(issuer.algorithms, algorithm) != issuer.algorithms.end();
  }

  static std::optional<TokenFault> FaultInHeader(const Token& token, const Believed* believed) {
    const auto algorithm = ParseAlgorithm(token.algorithm);
    if (!algorithm || (believed != nullptr && !Takes(believed->issuer, *algorithm))) {
      return TokenFault::kAlgorithm;
    }
    if (token.critical) return TokenFault::kCritical;
    if (believed != nullptr && token.type != believed->issuer.token_type) return TokenFault::kType;
    return std::nullopt;
  }

  std::optional<TokenFault> FaultInClaims(const Token& token, const Issuer& issuer) const {
    const auto subject = TextIn(token.claims, "sub");
    if (!subject || subject->empty() || subject->size() > kSubjectBytesMax ||
        !IsPlainText(*subject)) {
      return TokenFault::kSubject;
    }
    if (!token.IsFor(issuer.audience)) return TokenFault::kAudience;
    const auto expires = token.TimeOf("exp");
    const auto issued = token.TimeOf("iat");
    const auto begins = token.TimeOf("nbf");
    const bool has_begin = token.claims.contains("nbf");
    if (!expires || !issued || (has_begin && !begins)) return TokenFault::kMalformed;
    const Instant latest = clock_.Now() + options_.leeway;
    if (HasExpired(*expires)) return TokenFault::kExpired;
    if (begins && latest < *begins) return TokenFault::kNotYetValid;
    if (latest < *issued) return TokenFault::kIssuedInFuture;
    if (*issued + issuer.token_lifetime_max < *expires) return TokenFault::kTooLongLived;
    return std::nullopt;
  }

  bool HasExpired(Instant expire_time) const {
    return expire_time + options_.leeway <= clock_.Now();
  }

  void Remember(const std::string& text, Seen seen) {
    std::string hash = Sha256(text);
    const std::lock_guard lock(mutex_);
    if (seen_.size() >= kKnownMax) seen_.clear();
    seen_.insert_or_assign(std::move(hash), std::move(seen));
  }

  const Clock& clock_;
  const Options options_;
  std::vector<Believed> believed_;
  mutable std::mutex mutex_;
  /// By the SHA-256 of the token. Only good ones are kept, so nobody can fill this with others.
  std::unordered_map<std::string, Seen> seen_;
};

TokenVerifier::TokenVerifier(const Clock& clock, Options options)
    : impl_(std::make_unique<Impl>(clock, std::move(options))) {}
TokenVerifier::~TokenVerifier() = default;

std::optional<VerifiedToken> TokenVerifier::Known(const std::string& token) const {
  return impl_->Known(token);
}
Verdict TokenVerifier::Verify(const std::string& token) { return impl_->Verify(token); }
bool TokenVerifier::AwaitKeys(const std::string& token, std::function<void()> done) {
  return impl_->AwaitKeys(token, std::move(done));
}
void TokenVerifier::EndWaits() { impl_->EndWaits(); }

}  // namespace allot::oidc
