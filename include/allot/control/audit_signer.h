#pragma once

#include <string>
#include <string_view>

namespace allot::control {

/// Signs for the installation what it says of its audit. Thread safe.
class AuditSigner {
 public:
  virtual ~AuditSigner() = default;
  /// Of the key: 16 hexadecimal digits.
  virtual std::string id() const = 0;
  /// Ed25519: 128 hexadecimal digits.
  virtual std::string Sign(std::string_view text) const = 0;
};

}  // namespace allot::control
