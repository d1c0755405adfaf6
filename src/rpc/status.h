#pragma once

#include <string>

#include <grpcpp/support/status.h>

#include "allot/base/result.h"
#include "allot/base/turn_queue.h"

namespace allot::rpc {

/// The domain of every ErrorInfo of this API.
inline constexpr char kErrorDomain[] = "allot.v1";

/// "QUOTA_EXCEEDED": the catalogue's name as AIP-193 writes it.
std::string UpperName(Reason reason);
/// The status a caller sees: the error's own message, with google.rpc details: ErrorInfo (reason,
/// field, value, limit, advice), BadRequest for a field, RetryInfo where waiting helps, and
/// RequestInfo with the id under which the call is in the log.
grpc::Status ToStatus(const Error& error, const std::string& call_id);

/// Why a call that was to wait in a bounded queue was not taken.
Error RefusalOf(QueueVerdict verdict);

}  // namespace allot::rpc
