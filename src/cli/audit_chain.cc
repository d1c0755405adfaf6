#include "cli/audit_chain.h"

#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "allot/base/text.h"
#include "cli/resource.h"

namespace allot::cli {
namespace {

bool IsHash(const std::string& text) {
  return text.size() == 2 * SHA256_DIGEST_LENGTH && BytesOfHex(text);
}

std::string Sha256(const std::string& bytes) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest.data());
  return Hex({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

// As the database works it out, from the same definition and not from the same code.
std::string HashOf(const std::string& previous, const v1::ChainedAuditEntry& entry) {
  std::string bytes = BytesOfHex(previous).value_or("");
  for (const std::string& part :
       {std::to_string(entry.number()), std::to_string(InstantOf(entry.time()).micros),
        entry.key_id(), entry.actor(), entry.action(), entry.resource_id(), entry.institute_id(),
        entry.detail(), entry.request_id()}) {
    bytes += std::to_string(part.size()) + ':' + part + ',';
  }
  return Sha256(bytes);
}

}  // namespace

std::optional<AuditMark> ParseAuditMark(const std::string& text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string::npos) return std::nullopt;
  AuditMark mark{.hash = text.substr(colon + 1)};
  const auto [end, error] = std::from_chars(text.data(), text.data() + colon, mark.number);
  if (error != std::errc() || end != text.data() + colon || mark.number < 1 || !IsHash(mark.hash)) {
    return std::nullopt;
  }
  return mark;
}

std::string MarkText(const AuditMark& mark) {
  return std::to_string(mark.number) + ":" + mark.hash;
}

std::optional<std::string> AuditChainCheck::Begin(const AuditMark& base) {
  base_ = base;
  reached_ = base;
  if (noted_ && noted_->number < base.number) {
    return "what was noted, entry " + std::to_string(noted_->number) +
           ", is older than what is kept: the audit begins behind entry " +
           std::to_string(base.number);
  }
  if (noted_ && noted_->number == base.number && noted_->hash != base.hash) {
    return "the audit begins behind entry " + std::to_string(base.number) +
           ", which is not the one that was noted";
  }
  return std::nullopt;
}

std::optional<std::string> AuditChainCheck::TakeCheckpoint(const v1::AuditCheckpoint& checkpoint) {
  if (auto what = Judge(checkpoint)) return what;
  if (checkpoint.number() == reached_.number) return Pass(checkpoint);
  if (checkpoint.number() < reached_.number) {
    return "the checkpoint of entry " + std::to_string(checkpoint.number()) +
           " was not there when that entry was";
  }
  ahead_.emplace(checkpoint.number(), checkpoint);
  return std::nullopt;
}

std::optional<std::string> AuditChainCheck::Judge(const v1::AuditCheckpoint& checkpoint) const {
  if (keys_.empty()) return std::nullopt;
  const std::string which = "the checkpoint of entry " + std::to_string(checkpoint.number());
  const auto key = std::ranges::find_if(
      keys_, [&](const auto& each) { return each->id() == checkpoint.signer(); });
  if (key == keys_.end()) {
    return which + " is signed with the key " + checkpoint.signer() +
           ", whose public half was not given";
  }
  const bool removed = checkpoint.kind() == v1::AuditCheckpoint::KIND_REMOVED;
  const std::string text = std::string("allot audit ") + (removed ? "removed" : "reached") + "\n" +
                           std::to_string(checkpoint.number()) + "\n" + checkpoint.hash() + "\n" +
                           std::to_string(InstantOf(checkpoint.sign_time()).micros) + "\n";
  if ((*key)->Signed(text, checkpoint.signature())) return std::nullopt;
  return which + " has a signature that is not of the key " + checkpoint.signer();
}

/// `reached_` is where it says.
std::optional<std::string> AuditChainCheck::Pass(const v1::AuditCheckpoint& checkpoint) {
  if (checkpoint.hash() != reached_.hash) {
    return "entry " + std::to_string(checkpoint.number()) +
           " is not the one of the checkpoint of " +
           FormatRfc3339(InstantOf(checkpoint.sign_time())) +
           ": it, or one before it, was written anew";
  }
  return keys_.empty() ? std::nullopt : PassSigned(checkpoint);
}

/// Whoever writes entries anew and removes the checkpoints behind them gets what then stands there
/// signed within the hour: a signature is worth something only for entries that were young.
std::optional<std::string> AuditChainCheck::PassSigned(const v1::AuditCheckpoint& checkpoint) {
  const bool removed = checkpoint.kind() == v1::AuditCheckpoint::KIND_REMOVED;
  if (removed && checkpoint.number() == base_.number) removal_signed_ = true;
  const Instant sign_time = InstantOf(checkpoint.sign_time());
  if (unsigned_since_ && *unsigned_since_ + kUnsignedMax < sign_time) {
    const bool seen_before = noted_ && checkpoint.number() <= noted_->number;
    if (newest_signed_ && !seen_before) {
      return "the entries from " + std::to_string(newest_signed_->number() + 1) + " to " +
             std::to_string(checkpoint.number()) + " were first signed at " +
             FormatRfc3339(sign_time) + ", though the first is of " +
             FormatRfc3339(*unsigned_since_) +
             ": they may have been written anew, and the signatures before removed";
    }
    if (!newest_signed_) signed_late_from_ = {.checkpoint = checkpoint, .since = *unsigned_since_};
  }
  newest_signed_ = checkpoint;
  unsigned_since_.reset();
  return std::nullopt;
}

std::optional<std::string> AuditChainCheck::Take(const v1::ChainedAuditEntry& entry) {
  const int64_t expected = reached_.number + 1;
  if (entry.number() != expected) {
    const std::string last = std::to_string(entry.number() - 1);
    return entry.number() > expected
               ? "entry " + std::to_string(expected) +
                     (entry.number() - 1 > expected ? " and those up to " + last + " are missing"
                                                    : " is missing")
               : "entry " + std::to_string(entry.number()) + " is there twice";
  }
  if (entry.hash() != HashOf(reached_.hash, entry)) {
    return "entry " + std::to_string(expected) +
           " is not what was written there: it was changed, or put in, or what stood before it "
           "was removed";
  }
  if (noted_ && noted_->number == expected && noted_->hash != entry.hash()) {
    return "entry " + std::to_string(expected) +
           " is not the one that was noted: it, or one before it, was written anew";
  }
  reached_ = {.number = expected, .hash = entry.hash()};
  if (!unsigned_since_) unsigned_since_ = InstantOf(entry.time());
  const auto [first, last] = ahead_.equal_range(expected);
  for (auto checkpoint = first; checkpoint != last; ++checkpoint) {
    if (auto what = Pass(checkpoint->second)) return what;
  }
  ahead_.erase(first, last);
  return std::nullopt;
}

std::optional<std::string> AuditChainCheck::Finish(const AuditMark& head, Instant now) const {
  if (reached_.number < head.number) {
    return "the newest entries are missing, from " + std::to_string(reached_.number + 1) + " to " +
           std::to_string(head.number);
  }
  if (noted_ && noted_->number > reached_.number) {
    return "the newest entries are missing, from " + std::to_string(reached_.number + 1) +
           " to the one that was noted, " + std::to_string(noted_->number);
  }
  if (reached_.number == head.number && reached_.hash != head.hash) {
    return "the newest entry, " + std::to_string(head.number) + ", is not the one that was written";
  }
  if (!ahead_.empty()) {
    return "entries up to " + std::to_string(ahead_.rbegin()->first) +
           " were signed, and those from " + std::to_string(reached_.number + 1) +
           " on are missing";
  }
  if (keys_.empty()) return std::nullopt;
  if (base_.number > 0 && !removal_signed_) {
    return "the entries up to " + std::to_string(base_.number) +
           " were removed, and nothing that is signed says so";
  }
  if (unsigned_since_ && *unsigned_since_ + kUnsignedMax < now) {
    const int64_t last = newest_signed_ ? newest_signed_->number() : 0;
    return "the entries behind " + std::to_string(last) +
           " are not signed, though the first is of " + FormatRfc3339(*unsigned_since_);
  }
  return std::nullopt;
}

}  // namespace allot::cli
