#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "allot/base/time.h"
#include "allot/transport/signing.h"
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
/// removes or puts in an entry has to write all that follow anew; who noted a mark before that, or
/// has the public half of the key that signs checkpoints, finds out.
class AuditChainCheck {
 public:
  using Keys = std::vector<std::shared_ptr<const transport::VerifyingKey>>;

  /// How old an entry may become before it is signed.
  static constexpr Seconds kUnsignedMax = Days(1);

  /// What was there before the first signature, where that came late: a key that was added later,
  /// or signatures that somebody removed. Who reads it knows which.
  struct SignedFrom {
    v1::AuditCheckpoint checkpoint;
    /// Of the first entry there is.
    Instant since;
  };

  /// `noted`: has to be met on the way; what stands before it may have been signed late. Without
  /// keys signatures are not looked at.
  explicit AuditChainCheck(std::optional<AuditMark> noted, Keys keys = {})
      : noted_(std::move(noted)), keys_(std::move(keys)) {}

  /// Behind which entry the audit begins; before anything else.
  std::optional<std::string> Begin(const AuditMark& base);
  /// Of entries that are still to come, or of the base.
  std::optional<std::string> TakeCheckpoint(const v1::AuditCheckpoint& checkpoint);
  /// The next entry, in order. What is wrong at the first that does not fit, in words; after that
  /// the check is over.
  std::optional<std::string> Take(const v1::ChainedAuditEntry& entry);
  /// No more entries: what is missing, or should have been signed by now. Requires: all checkpoints
  /// that there are were taken.
  std::optional<std::string> Finish(const AuditMark& head, Instant now) const;

  /// The last entry that fitted.
  const AuditMark& reached() const { return reached_; }
  const AuditMark& base() const { return base_; }
  /// The newest checkpoint that was passed, signed well by a key that was given.
  const std::optional<v1::AuditCheckpoint>& newest_signed() const { return newest_signed_; }
  /// The first that was passed, where entries waited longer for it than they may for another.
  const std::optional<SignedFrom>& signed_late_from() const { return signed_late_from_; }

 private:
  std::optional<std::string> Judge(const v1::AuditCheckpoint& checkpoint) const;
  std::optional<std::string> Pass(const v1::AuditCheckpoint& checkpoint);
  std::optional<std::string> PassSigned(const v1::AuditCheckpoint& checkpoint);

  const std::optional<AuditMark> noted_;
  const Keys keys_;
  AuditMark base_;
  AuditMark reached_;
  bool removal_signed_ = false;
  /// Those to be met, by number.
  std::multimap<int64_t, v1::AuditCheckpoint> ahead_;
  std::optional<v1::AuditCheckpoint> newest_signed_;
  std::optional<SignedFrom> signed_late_from_;
  /// Of the first entry behind it.
  std::optional<Instant> unsigned_since_;
};

}  // namespace allot::cli
