#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "allot/base/result.h"
#include "allot/transport/certificate.h"

namespace allot::transport {

/// Ed25519 (RFC 8032). A key is told by its id: the first 16 hexadecimal digits of the SHA-256 of
/// its public half (SubjectPublicKeyInfo). Both are immutable and thread safe.
class SigningKey {
 public:
  /// PEM, as `openssl genpkey -algorithm ed25519` writes it; not to be read by everybody.
  /// config_invalid otherwise.
  static Result<std::shared_ptr<const SigningKey>> Read(const PemFile& file);
  ~SigningKey();

  const std::string& id() const;
  /// 128 lower-case hexadecimal digits.
  std::string Sign(std::string_view text) const;

 private:
  struct Key;
  explicit SigningKey(std::unique_ptr<Key> key);
  const std::unique_ptr<Key> key_;
};

class VerifyingKey {
 public:
  /// PEM: the public half, as `openssl pkey -pubout` writes it. config_invalid otherwise.
  static Result<std::shared_ptr<const VerifyingKey>> Read(const PemFile& file);
  ~VerifyingKey();

  const std::string& id() const;
  bool Signed(std::string_view text, std::string_view signature) const;

 private:
  struct Key;
  explicit VerifyingKey(std::unique_ptr<Key> key);
  const std::unique_ptr<Key> key_;
};

}  // namespace allot::transport
