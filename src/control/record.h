#pragma once

#include <string>

#include "allot/control/context.h"
#include "allot/model/event.h"

namespace allot::control {

/// The audit row of a call.
inline AuditEntry Record(const Call& call, Instant now, std::string action, std::string resource,
                         InstituteId institute, std::string detail) {
  return {.number = 0,
          .time = now,
          .key = call.principal.key,
          .actor = std::string(Name(call.principal.role)),
          .action = std::move(action),
          .resource = std::move(resource),
          .institute = std::move(institute),
          .detail = std::move(detail),
          .request_id = call.request_id};
}

/// The audit row of what the system decided by itself.
inline AuditEntry RecordSystem(Instant now, std::string action, std::string resource,
                               InstituteId institute, std::string detail) {
  return {.number = 0,
          .time = now,
          .key = KeyId(),
          .actor = "system",
          .action = std::move(action),
          .resource = std::move(resource),
          .institute = std::move(institute),
          .detail = std::move(detail),
          .request_id = {}};
}

/// What a caller may not see does not exist for it.
inline Error NotFound(const std::string& field, const std::string& value) {
  Error error = FieldError(Reason::kNotFound, field, value, "the name of a resource you may see");
  error.message = "there is no " + error.value + " that you may see";
  return error;
}

/// Only what the policy has caps for: a misspelt programme would join nobody to nothing.
inline Status KnownProgramme(const Policy& policy, const ProgrammeId& programme,
                             const std::string& field) {
  if (FindCaps(policy, programme) != nullptr) return Ok{};
  std::string known;
  for (const ProgrammeCaps& caps : policy.programmes) {
    known += (known.empty() ? "" : ", ") + caps.programme.str();
  }
  return FieldError(Reason::kEnumUnknown, field, programme.str(), known);
}

}  // namespace allot::control
