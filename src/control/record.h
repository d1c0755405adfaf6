#pragma once

#include <string>

#include "allot/control/context.h"
#include "allot/model/audit.h"

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

}  // namespace allot::control
