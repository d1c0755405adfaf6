#include "store/audit_link.h"

#include <openssl/sha.h>

#include <array>

namespace allot::store {

std::string AuditLink(std::string_view previous, const AuditEntry& entry) {
  std::string text(previous);
  const auto add = [&](std::string_view part) {
    text += std::to_string(part.size());
    text += ':';
    text += part;
    text += ',';
  };
  add(std::to_string(entry.number));
  add(std::to_string(entry.time.micros));
  add(entry.key.str());
  add(entry.actor);
  add(entry.action);
  add(entry.resource);
  add(entry.institute.str());
  add(entry.detail);
  add(entry.request_id);
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

}  // namespace allot::store
