#pragma once

#include <optional>
#include <string>

#include "allot/control/context.h"

namespace allot::control {

struct NewMember {
  Person person;
  Role role = Role::kMember;
  /// Required for those who belong to an institute.
  InstituteId institute;
  std::string display_name;
};
/// Whoever may make a key of a role may add a member of it, and remove one. already_exists for a
/// person who is a member; field_not_allowed for the role provider: agents have keys.
Result<Member> CreateMember(const Context& context, const Call& call, const NewMember& asked);
/// Names of people are shown: who looked stands in the audit, under the first of the page.
Result<store::Page<Member>> ListMembers(const Context& context, const Principal& principal,
                                        const store::PageRequest& page);
/// From the commit on none of the person's tokens is good for anything.
Result<Member> RemoveMember(const Context& context, const Call& call, const MemberId& id,
                            const std::string& reason);

/// Who a principal is: one of the two.
struct Caller {
  std::optional<ApiKey> key;
  std::optional<Member> member;
};
Result<Caller> WhoIs(const Context& context, const Principal& principal);

}  // namespace allot::control
