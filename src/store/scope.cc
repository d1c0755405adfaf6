#include "allot/store/scope.h"

#include "allot/base/check.h"

namespace allot::store {

Scope Scope::Everything() {
  Scope scope;
  scope.everything_ = true;
  return scope;
}

Scope Scope::For(const Principal& principal) {
  if (IsStaff(principal.role)) return Everything();
  Scope scope;
  scope.keys_.insert(principal.key);
  if (!principal.institute.empty()) scope.institutes_.insert(principal.institute);
  scope.provider_ = principal.provider;
  return scope;
}

void Scope::Join(const Scope& other) {
  if (everything_ || other.everything_) {
    *this = Everything();
    return;
  }
  ALLOT_CHECK(provider_ == other.provider_);
  institutes_.insert(other.institutes_.begin(), other.institutes_.end());
  keys_.insert(other.keys_.begin(), other.keys_.end());
}

}  // namespace allot::store
