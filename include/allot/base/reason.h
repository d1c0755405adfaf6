#pragma once

#include <optional>
#include <string_view>

namespace allot {

/// The canonical codes of google.rpc.Code that the catalogue uses, with their numbers.
enum class Code : int {
  kCancelled = 1,
  kInvalidArgument = 3,
  kDeadlineExceeded = 4,
  kNotFound = 5,
  kAlreadyExists = 6,
  kPermissionDenied = 7,
  kResourceExhausted = 8,
  kFailedPrecondition = 9,
  kAborted = 10,
  kUnimplemented = 12,
  kInternal = 13,
  kUnavailable = 14,
  kUnauthenticated = 16,
};

/// Every reason for a refusal, from reasons.def: the whole error catalogue.
enum class Reason {
#define ALLOT_REASON(name, text, code, advice) name,
#include "allot/base/reasons.def"
#undef ALLOT_REASON
};

/// The stable name callers may branch on ("quota_exceeded").
std::string_view Name(Reason reason);
std::optional<Reason> ParseReason(std::string_view name);
Code CodeOf(Reason reason);
/// What the caller can safely do next; one sentence.
std::string_view Advice(Reason reason);

}  // namespace allot
