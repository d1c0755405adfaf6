#pragma once

#include <google/protobuf/message.h>

#include <optional>
#include <utility>

#include "cli/failure.h"

namespace allot::cli {

/// An answer that no server of ours gives: `what` says why it is none.
Failure Malformed(std::string what);

/// Whether everything in it can be shown: its times and lengths of time are some (those of
/// Timestamp and Duration). What a server sends is checked once, so that nobody else has to.
std::optional<Failure> WhyMalformed(const google::protobuf::Message& answer);

template <class Response>
Outcome<Response> Judged(Response answer) {
  if (auto failure = WhyMalformed(answer)) return *std::move(failure);
  return answer;
}

}  // namespace allot::cli
