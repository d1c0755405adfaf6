#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "allot/v1/operator_service.pb.h"

namespace allot::cli {

/// A place in the audit and the hash there: "1234:3fa9…" (64 hexadecimal digits).
struct AuditMark {
  int64_t number = 0;
  std::string hash = std::string(64, '0');

  friend bool operator==(const AuditMark&, const AuditMark&) = default;
};
std::optional<AuditMark> ParseAuditMark(const std::string& text);
std::string MarkText(const AuditMark& mark);

/// Goes through the audit entry by entry and works every hash out by itself. Whoever changes,
/// removes or puts in an entry has to write all that follow anew; who noted a mark before that
/// finds out.
class AuditChainCheck {
 public:
  /// `noted`: has to be met on the way.
  explicit AuditChainCheck(std::optional<AuditMark> noted) : noted_(std::move(noted)) {}

  /// The next entry, in order. What is wrong at the first that does not fit, in words; after that
  /// the check is over.
  std::optional<std::string> Take(const v1::ChainedAuditEntry& entry);
  /// No more entries: what is missing.
  std::optional<std::string> Finish(const AuditMark& head) const;

  /// The last entry that fitted.
  const AuditMark& reached() const { return reached_; }

 private:
  const std::optional<AuditMark> noted_;
  AuditMark reached_;
};

}  // namespace allot::cli
