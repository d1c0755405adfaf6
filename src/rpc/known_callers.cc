#include "rpc/known_callers.h"

#include <cstddef>

#include "allot/control/identity.h"

namespace allot::rpc {
namespace {

/// Far more than there are; then all are learnt anew.
constexpr std::size_t kKnownMax = 65'536;
constexpr char kStrangers[] = "strangers";

std::string PartyOf(const Principal& principal) {
  if (!principal.institute.empty()) return "institutes/" + principal.institute.str();
  if (!principal.provider.empty()) return "providers/" + principal.provider.str();
  return "keys/" + principal.key.str();
}

}  // namespace

std::string KnownCallers::PartyOf(const std::string& key) const {
  const std::string hash = control::Sha256Hex(key);
  const std::lock_guard lock(mutex_);
  const auto found = parties_.find(hash);
  return found == parties_.end() ? kStrangers : found->second;
}

void KnownCallers::Learn(const std::string& key, const Principal& principal) {
  const std::string hash = control::Sha256Hex(key);
  const std::lock_guard lock(mutex_);
  if (parties_.contains(hash)) return;
  if (parties_.size() >= kKnownMax) parties_.clear();
  parties_.emplace(hash, rpc::PartyOf(principal));
}

void KnownCallers::Forget(const std::string& key) {
  const std::string hash = control::Sha256Hex(key);
  const std::lock_guard lock(mutex_);
  parties_.erase(hash);
}

}  // namespace allot::rpc
