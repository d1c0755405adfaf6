#pragma once

#include <string>

#include "allot/base/result.h"
#include "allot/control/context.h"
#include "allot/control/identity.h"
#include "rpc/bytes.h"
#include "rpc/fields.h"

namespace allot::rpc {

/// Who made a call, known from its credential.
struct Caller {
  Principal principal;
};

/// The control's view of a mutation. The same message with the same request_id is the same call;
/// the message's type stands for the method, because no two methods share one.
template <class Request>
Result<control::Call> ParseCall(const Caller& caller, const Request& request) {
  control::Call call;
  call.principal = caller.principal;
  ALLOT_ASSIGN_OR_RETURN(call.request_id, ParseRequestId(request.request_id()));
  call.body_sha256 =
      control::Sha256Hex(Request::descriptor()->full_name() + '\0' + DeterministicBytes(request));
  if constexpr (requires { request.validate_only(); }) {
    call.validate_only = request.validate_only();
  }
  return call;
}

}  // namespace allot::rpc
