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
#include <optional>
#include <string>
#include <vector>

#include "cli/failure.h"
#include "cli/retry.h"

namespace allot::cli {

/// What every call carries, and how its failures are worded.
struct CallSettings {
  std::string server;
  std::string key;
  CallPolicy policy;
  /// Of the pauses.
  SeededRandom& random;
  /// Looks for another `key` when the server says that a token has ended: whether there is one.
  std::function<bool()> renew_key;
  /// A call fails for a while already and goes on being tried.
  std::function<void(const Failure& failure)> on_trouble;
};

/// Keeps at most `limit` calls under way on one channel. Answers, repeats and whatever `done` does
/// happen on the thread that runs the loop, so that nobody else needs a lock.
///
/// A call whose failure may pass (see MayPass) is repeated as it is, with its request_id, after a
/// pause, until its deadline. One whose token has ended is repeated once, with another.
class CallLoop {
 public:
  using Answered = std::function<void(grpc::Status)>;
  /// Begins one attempt; `answered` may be called on any thread, once.
  using Begin = std::function<void(grpc::ClientContext&, Answered answered)>;

  CallLoop(CallSettings& settings, int limit) : settings_(settings), limit_(limit) {}
  CallLoop(const CallLoop&) = delete;
  CallLoop& operator=(const CallLoop&) = delete;
  /// Requires: no call is under way; Run has returned.
  ~CallLoop() = default;

  /// `done` gets nothing when the call succeeded, and may add further calls.
  void Add(Begin begin, std::function<void(const Failure* failure)> done);

  /// Until every call added is done.
  void Run();

  /// Forgets the calls that never were under way, as if never added. Those that are will still be
  /// done; those that wait to be repeated are done with their last failure: they may have happened.
  void Drop();

 private:
  using Steady = std::chrono::steady_clock;
  struct Job {
    Begin begin;
    std::function<void(const Failure*)> done;
    std::unique_ptr<grpc::ClientContext> context;
    int attempts = 0;
    std::optional<Failure> last;
    /// Of the last attempt.
    std::string key;
    bool renewed = false;
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
  /// Whether it may go on with another key than it had.
  bool HasAnotherKey(Job& job);
  /// Waits for an answer, or for the next pause to end.
  std::vector<Answer> AwaitAnswers();

  CallSettings& settings_;
  const int limit_;
  /// Since then nothing is repeated any more.
  bool dropped_ = false;
  int under_way_ = 0;
  std::deque<std::unique_ptr<Job>> ready_;
  std::vector<std::unique_ptr<Job>> pausing_;

  std::mutex mutex_;
  std::condition_variable arrived_;
  std::vector<Answer> answers_;
};

}  // namespace allot::cli
