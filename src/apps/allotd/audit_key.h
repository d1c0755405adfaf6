#pragma once

#include <memory>
#include <string>

#include "allot/control/audit_signer.h"
#include "allot/transport/signing.h"

namespace allot::allotd {

/// The key of `audit.signing_key`, as the use cases sign with it.
class AuditKey final : public control::AuditSigner {
 public:
  /// config_invalid for a file that cannot be signed with.
  static Result<std::unique_ptr<AuditKey>> Read(const std::string& file) {
    ALLOT_ASSIGN_OR_RETURN(auto key, transport::SigningKey::Read({"audit.signing_key", file}));
    return std::unique_ptr<AuditKey>(new AuditKey(std::move(key)));
  }

  std::string id() const override { return key_->id(); }
  std::string Sign(std::string_view text) const override { return key_->Sign(text); }

 private:
  explicit AuditKey(std::shared_ptr<const transport::SigningKey> key) : key_(std::move(key)) {}
  const std::shared_ptr<const transport::SigningKey> key_;
};

}  // namespace allot::allotd
