#include "cli/follow.h"

#include <grpc/support/time.h>

#include <algorithm>
#include <thread>

namespace allot::cli {
namespace {

using Steady = std::chrono::steady_clock;

/// With pauses of a second at most: a server that restarts is back long before.
constexpr int kFailuresMax = 30;

/// A watch lasts longer than a token: who has another goes on with that.
bool HasNewToken(Session& session, const Failure& failure) {
  return failure.reason == "token_invalid" && session.RenewKey();
}

bool MayResume(const grpc::Status& status, const Failure& failure) {
  // An orderly end without a word is a server that stopped.
  return status.ok() || status.error_code() == grpc::StatusCode::UNAVAILABLE ||
         status.error_code() == grpc::StatusCode::ABORTED || failure.reason == "watch_too_slow" ||
         failure.reason == "overloaded";
}

std::optional<std::chrono::milliseconds> Left(const std::optional<Steady::time_point>& until) {
  if (!until) return std::nullopt;
  return std::chrono::duration_cast<std::chrono::milliseconds>(*until - Steady::now());
}

enum class Ended { kStopped, kBroken };

/// One watch; notes in `request` how far it came, and in `failures` that it came somewhere.
Outcome<Ended> FollowOnce(Client& client, v1::WatchAllocationsRequest& request,
                          grpc::ClientContext& context, const FollowHooks& hooks, int& failures,
                          grpc::Status& status) {
  const auto reader = client.Watch(context, request);
  v1::WatchAllocationsResponse response;
  bool begun = false;
  while (reader->Read(&response)) {
    failures = 0;
    if (!begun) {
      begun = true;
      const auto follow = hooks.on_begin();
      if (!follow.ok() || *follow == Follow::kStop) {
        context.TryCancel();
        reader->Finish();
        if (!follow.ok()) return follow.failure();
        return Ended::kStopped;
      }
    }
    for (const v1::AllocationChange& change : response.changes()) {
      if (hooks.on_change(change) == Follow::kStop) {
        context.TryCancel();
        reader->Finish();
        return Ended::kStopped;
      }
    }
    request.set_after_revision(response.resume_revision());
  }
  status = reader->Finish();
  return Ended::kBroken;
}

}  // namespace

Outcome<bool> FollowAllocations(Session& session, v1::WatchAllocationsRequest request,
                                std::optional<Steady::time_point> until, const FollowHooks& hooks) {
  const auto client = session.Connect();
  if (!client.ok()) return client.failure();
  const CallPolicy& policy = session.policy();
  int64_t pause_ms = policy.backoff_first_ms;
  for (int failures = 0;;) {
    const auto left = Left(until);
    if (left && left->count() <= 0) return false;
    grpc::ClientContext context;
    if (left) context.set_deadline(gpr_time_from_millis(left->count(), GPR_TIMESPAN));
    grpc::Status status;
    const int failures_before = failures;
    const auto ended = FollowOnce(**client, request, context, hooks, failures, status);
    if (!ended.ok()) return ended.failure();
    if (*ended == Ended::kStopped) return true;
    if (left && status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED) return false;

    const Failure failure = (*client)->WatchFailure(status);
    if (HasNewToken(session, failure)) continue;
    if (!MayResume(status, failure) || ++failures > kFailuresMax) return failure;
    pause_ms = failures <= failures_before ? policy.backoff_first_ms
                                           : std::min(pause_ms * 2, policy.backoff_max_ms);
    if (failures == 1) session.output().Note("the watch broke off; resuming");
    std::this_thread::sleep_for(std::chrono::milliseconds(pause_ms));
  }
}

}  // namespace allot::cli
