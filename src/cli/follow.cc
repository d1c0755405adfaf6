#include "cli/follow.h"

#include <grpc/support/time.h>

#include <algorithm>
#include <thread>
#include <utility>

namespace allot::cli {
namespace {

using Steady = std::chrono::steady_clock;

/// With pauses of five seconds at most: a server that restarts is back long before.
constexpr int kFailuresMax = 30;

std::optional<std::chrono::milliseconds> Left(const std::optional<Steady::time_point>& until) {
  if (!until) return std::nullopt;
  return std::chrono::duration_cast<std::chrono::milliseconds>(*until - Steady::now());
}

/// A watch that goes on over what breaks it.
class Following {
 public:
  Following(Session& session, Client& client, v1::WatchAllocationsRequest request,
            std::optional<Steady::time_point> until, const FollowHooks& hooks)
      : session_(session),
        client_(client),
        request_(std::move(request)),
        until_(until),
        hooks_(hooks) {}

  Outcome<bool> Run() {
    for (;;) {
      const auto left = Left(until_);
      if (left && left->count() <= 0) return false;
      grpc::ClientContext context;
      if (left) context.set_deadline(gpr_time_from_millis(left->count(), GPR_TIMESPAN));
      const Break broke = WatchOnce(context);
      if (broke.stopped) return true;
      if (left && broke.status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED) return false;
      if (HasNewToken(broke.failure)) continue;
      // An orderly end without a word is a server that stopped.
      const bool passes =
          broke.status.ok() || MayPass(broke.status, broke.failure) || BeginsAnew(broke.failure);
      if (!passes || ++failures_ > kFailuresMax) return broke.failure;
      if (failures_ == 1) session_.output().Note("the watch broke off; resuming");
      auto pause = PauseAfter(failures_, broke.failure, session_.policy(), session_.random());
      if (const auto rest = Left(until_)) pause = std::min(pause, *rest);
      std::this_thread::sleep_for(pause);
    }
  }

 private:
  /// How a watch ended.
  struct Break {
    bool stopped = false;
    grpc::Status status;
    Failure failure;
  };

  /// One watch; notes how far it came.
  Break WatchOnce(grpc::ClientContext& context) {
    const auto reader = client_.Watch(context, request_);
    const auto stop = [&] {
      context.TryCancel();
      reader->Finish();
      return Break{.stopped = true, .status = {}, .failure = {}};
    };
    v1::WatchAllocationsResponse response;
    bool begun = false;
    while (reader->Read(&response)) {
      may_renew_ = true;
      if (auto fault = WhyMalformed(response)) return Give(context, *reader, *std::move(fault));
      if (!std::exchange(begun, true)) {
        const auto follow = hooks_.on_begin();
        if (!follow.ok()) return Give(context, *reader, follow.failure());
        if (*follow == Follow::kStop) return stop();
      }
      failures_ = 0;
      for (const v1::AllocationChange& change : response.changes()) {
        if (hooks_.on_change(change) == Follow::kStop) return stop();
      }
      request_.set_after_revision(response.resume_revision());
    }
    const grpc::Status status = reader->Finish();
    return {.stopped = false, .status = status, .failure = client_.WatchFailure(status)};
  }

  /// Ends the watch for a failure beside it. A server that is away is as if the watch had broken.
  static Break Give(grpc::ClientContext& context,
                    grpc::ClientReaderInterface<v1::WatchAllocationsResponse>& reader,
                    Failure failure) {
    context.TryCancel();
    reader.Finish();
    const auto code = failure.exit_code == ExitCode::kUnavailable ? grpc::StatusCode::UNAVAILABLE
                                                                  : grpc::StatusCode::UNKNOWN;
    return {.stopped = false,
            .status = grpc::Status(code, failure.message),
            .failure = std::move(failure)};
  }

  /// A watch lasts longer than a token: who has another goes on with that, once until it came
  /// somewhere.
  bool HasNewToken(const Failure& failure) {
    return failure.reason == "token_invalid" && std::exchange(may_renew_, false) &&
           session_.RenewKey();
  }

  /// After a failover of the database revisions of before may count for nothing.
  bool BeginsAnew(const Failure& failure) {
    if (!hooks_.may_begin_anew || failure.reason != "revision_out_of_range") return false;
    request_.clear_after_revision();
    return true;
  }

  Session& session_;
  Client& client_;
  v1::WatchAllocationsRequest request_;
  const std::optional<Steady::time_point> until_;
  const FollowHooks& hooks_;
  /// In a row.
  int failures_ = 0;
  bool may_renew_ = true;
};

}  // namespace

Outcome<bool> FollowAllocations(Session& session, v1::WatchAllocationsRequest request,
                                std::optional<Steady::time_point> until, const FollowHooks& hooks) {
  const auto client = session.Connect();
  if (!client.ok()) return client.failure();
  return Following(session, **client, std::move(request), until, hooks).Run();
}

}  // namespace allot::cli
