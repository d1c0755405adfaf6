#pragma once

#include <string>
#include <string_view>

#include "allot/model/audit.h"

namespace allot::store {

/// The hash, 32 bytes, that links an entry to the one before: SHA-256 of that one's hash and of the
/// entry's fields, each with its length before it. check_audit_links() of the schema works it out
/// for itself, and so does `allot audit verify`.
std::string AuditLink(std::string_view previous, const AuditEntry& entry);

}  // namespace allot::store
