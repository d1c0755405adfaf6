#include "rpc/known_callers.h"

#include <cstddef>

namespace allot::rpc {
namespace {

/// Far more than there are; then all are learnt anew.
constexpr std::size_t kKnownMax = 65'536;

}  // namespace

std::string PartyOf(const Principal& principal) {
  if (!principal.institute.empty()) return "institutes/" + principal.institute.str();
  if (!principal.provider.empty()) return "providers/" + principal.provider.str();
  return "keys/" + principal.key.str();
}

std::string KnownCallers::PartyOf(const std::string& fingerprint) const {
  const std::lock_guard lock(mutex_);
  const auto found = parties_.find(fingerprint);
  return found == parties_.end() ? kStrangers : found->second;
}

void KnownCallers::Learn(const std::string& fingerprint, const Principal& principal) {
  const std::lock_guard lock(mutex_);
  if (parties_.contains(fingerprint)) return;
  if (parties_.size() >= kKnownMax) parties_.clear();
  parties_.emplace(fingerprint, rpc::PartyOf(principal));
}

void KnownCallers::Forget(const std::string& fingerprint) {
  const std::lock_guard lock(mutex_);
  parties_.erase(fingerprint);
}

}  // namespace allot::rpc
