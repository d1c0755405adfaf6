#include "cli/retry.h"

#include <algorithm>

namespace allot::cli {
namespace {

/// Of the pause, in per cent.
constexpr int64_t kChanceMax = 25;

}  // namespace

bool MayPass(const grpc::Status& status, const Failure& failure) {
  switch (status.error_code()) {
    case grpc::StatusCode::UNAVAILABLE:
      // OpenSSL's, through gRPC: what the other side showed was read and refused.
      return status.error_message().find("SSL_ERROR_SSL") == std::string::npos;
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
      // The edge says nothing but the code.
      return failure.reason != "answer_too_large";
    case grpc::StatusCode::ABORTED:
      return failure.reason != "etag_stale";
    default:
      return false;
  }
}

std::chrono::milliseconds PauseAfter(int failures, const Failure& last, const CallPolicy& policy,
                                     SeededRandom& random) {
  int64_t pause = policy.backoff_first_ms;
  for (int i = 1; i < failures && pause < policy.backoff_max_ms; ++i) pause *= 2;
  pause = std::max<int64_t>(std::min(pause, policy.backoff_max_ms), last.retry_after.count());
  return std::chrono::milliseconds(pause + random.Between(0, pause * kChanceMax / 100));
}

}  // namespace allot::cli
