#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/support/status.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "cli/failure.h"

namespace allot::cli {

/// How patient a call is.
struct CallPolicy {
  /// For all attempts of a call together.
  int64_t timeout_ms = 10'000;
  int attempts_max = 6;
  /// Doubles with every attempt, up to the bound.
  int64_t backoff_first_ms = 50;
  int64_t backoff_max_ms = 1'000;
};

/// What every call carries, and how its failures are worded.
struct CallSettings {
  std::string server;
  std::string key;
  CallPolicy policy;
};

/// Keeps at most `limit` calls under way on one channel. Answers, repeats and whatever `done` does
/// happen on the thread that runs the loop, so that nobody else needs a lock.
///
/// A call that met UNAVAILABLE or ABORTED is repeated as it is, with its request_id, after a pause;
/// not when the answer says that a repeat cannot help (a stale etag), nor past its deadline.
class CallLoop {
 public:
  using Answered = std::function<void(grpc::Status)>;
  /// Begins one attempt; `answered` may be called on any thread, once.
  using Begin = std::function<void(grpc::ClientContext&, Answered answered)>;

  CallLoop(const CallSettings& settings, int limit) : settings_(settings), limit_(limit) {}
  CallLoop(const CallLoop&) = delete;
  CallLoop& operator=(const CallLoop&) = delete;
  /// Requires: no call is under way; Run has returned.
  ~CallLoop() = default;

  /// `done` gets nothing when the call succeeded, and may add further calls.
  void Add(Begin begin, std::function<void(const Failure* failure)> done);

  /// Until every call added is done.
  void Run();

  /// Forgets the calls that are not under way, as if never added. Those that are will still be
  /// done.
  void Drop();

 private:
  using Steady = std::chrono::steady_clock;
  struct Job {
    Begin begin;
    std::function<void(const Failure*)> done;
    std::unique_ptr<grpc::ClientContext> context;
    int attempts = 0;
    Steady::time_point deadline;
    /// Not begun again before.
    Steady::time_point due;
  };
  struct Answer {
    std::unique_ptr<Job> job;
    grpc::Status status;
  };

  void BeginJobs();
  void Attempt(std::unique_ptr<Job> job);
  void Settle(Answer answer);
  bool MayRepeat(const Job& job, const grpc::Status& status, const Failure& failure) const;
  int64_t BackoffMs(int attempts) const;
  /// Waits for an answer, or for the next pause to end.
  std::vector<Answer> AwaitAnswers();

  const CallSettings& settings_;
  const int limit_;
  int under_way_ = 0;
  std::deque<std::unique_ptr<Job>> ready_;
  std::vector<std::unique_ptr<Job>> pausing_;

  std::mutex mutex_;
  std::condition_variable arrived_;
  std::vector<Answer> answers_;
};

}  // namespace allot::cli
