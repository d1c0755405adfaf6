#pragma once

#include <google/protobuf/message.h>

#include "rpc/caller.h"

namespace allot::rpc {

/// What a second person is shown of a request. Valid as long as `request`.
control::CalledMethod DescribeMethod(const google::protobuf::Message& request);

/// ParseCall of a method that may take two persons (control::kMethodsForTwo). The call is good as
/// long as `request`.
template <class Request>
Result<control::Call> ParseCallForTwo(const Caller& caller, const Request& request) {
  ALLOT_ASSIGN_OR_RETURN(auto call, ParseCall(caller, request));
  call.method = DescribeMethod(request);
  return call;
}

}  // namespace allot::rpc
