#pragma once

#include <set>

#include "allot/base/id.h"
#include "allot/model/principal.h"

namespace allot::store {

/// For whom a transaction is: whose rows it can touch. The use cases decide who may see what, and
/// name it a second time here; PostgreSQL shows and takes no row beyond it (row-level security,
/// docs/adr/0035), so that a look-up that forgot to ask finds nothing. A value.
class Scope {
 public:
  /// For the whole nation: staff, the scheduler, housekeeping, and finding out who calls.
  static Scope Everything();
  /// An institute's: its own rows, and the pool to read. A provider's: the nodes, orders and claims
  /// of its own clusters, and the tenants that its reports end work of. Staff's: everything.
  static Scope For(const Principal& principal);

  /// What either may touch: for calls that share a transaction. Requires: not two providers'.
  void Join(const Scope& other);

  bool everything() const { return everything_; }
  const std::set<InstituteId>& institutes() const { return institutes_; }
  /// Whose request ids it knows.
  const std::set<KeyId>& keys() const { return keys_; }
  /// Empty for all but providers.
  const ProviderId& provider() const { return provider_; }

  friend bool operator==(const Scope&, const Scope&) = default;

 private:
  bool everything_ = false;
  std::set<InstituteId> institutes_;
  std::set<KeyId> keys_;
  ProviderId provider_;
};

}  // namespace allot::store
