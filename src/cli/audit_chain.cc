#include "cli/audit_chain.h"

#include <openssl/sha.h>

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
  return std::nullopt;
}

std::optional<std::string> AuditChainCheck::Finish(const AuditMark& head) const {
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
  return std::nullopt;
}

}  // namespace allot::cli
