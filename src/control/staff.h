#pragma once

#include <string>

#include "allot/control/context.h"

namespace allot::control {

/// Keys and members who are staff are the ministry admins' to make and end. An installation that
/// never had a ministry admin's key goes on as it was: its operators stand in, and make the first.
Status MayManageThoseOf(store::Tx& tx, const Principal& principal, Role role, Instant now);

/// What staff take from others, or give to some before others, stands in the audit with a reason.
/// `why` says what is to be given: "why the merit changes".
Status RequireReason(const std::string& reason, const std::string& why);

}  // namespace allot::control
