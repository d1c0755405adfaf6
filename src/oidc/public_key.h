#pragma once

#include <memory>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "allot/oidc/issuer.h"

namespace allot::oidc {

/// A key that an issuer publishes for its signatures. Thread safe.
class PublicKey {
 public:
  /// Of a JWK: RSA of 2,048 to 8,192 bits, or P-256, with a key id, and not for encryption. Null
  /// for all others.
  static std::shared_ptr<const PublicKey> FromJwk(const nlohmann::json& jwk);
  ~PublicKey();
  PublicKey(const PublicKey&) = delete;
  PublicKey& operator=(const PublicKey&) = delete;

  const std::string& id() const { return id_; }
  /// Whether signatures of that kind can be made with it, and were said to be.
  bool Fits(Algorithm algorithm) const;
  /// Whether the token, in compact form, is signed by this key in that way. Requires: it fits.
  bool Signed(const std::string& token, Algorithm algorithm) const;
  friend bool operator==(const PublicKey& a, const PublicKey& b) { return a.text_ == b.text_; }

 private:
  struct Key;
  PublicKey() = default;

  std::string id_;
  /// What it was made from, so that the same key is recognised.
  std::string text_;
  bool is_rsa_ = false;
  std::optional<Algorithm> only_for_;
  std::unique_ptr<Key> key_;
};

}  // namespace allot::oidc
