#include "allot/control/context.h"

namespace allot::control {

Status Require(const Principal& principal, Permission permission) {
  if (Holds(principal.role, permission)) return Ok{};
  return StateError(Reason::kRoleInsufficient, "the role " + std::string(Name(principal.role)) +
                                                   " does not hold the permission " +
                                                   std::string(Name(permission)));
}

}  // namespace allot::control
