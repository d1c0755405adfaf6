#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "allot/base/turn_queue.h"
#include "allot/control/submit.h"

namespace allot::control {

/// Submissions that share a commit: whoever comes while as many are under way as may be waits for
/// the next, which takes all that have come by then, one of each party in turn. Nobody waits for
/// company: who comes while a thread is free goes at once. Thread safe.
class SharedCommit {
 public:
  struct Limits {
    /// Calls that wait, of all parties together, and of one.
    std::size_t calls_max = 1024;
    std::size_t calls_a_party_max = 128;
    /// Allocations in one commit. One call may have more.
    std::size_t allocations_max = 256;
    /// Commits under way at a time: while one waits for the disk, the next is prepared.
    int threads = 1;
  };
  /// Gets the answer, on a thread of this; must not throw, and must not block.
  using Done = std::function<void(Submitted)>;

  /// `context` outlives it.
  SharedCommit(const Context& context, const Limits& limits);
  /// Stops.
  ~SharedCommit();

  /// Whatever it answers but kTaken: nothing is done, and `done` is not called. Requires: the call
  /// is not validate_only.
  QueueVerdict Submit(const std::string& party, PreparedSubmissions call, Done done);
  /// Commits what waits, then ends. Without a store it refuses what waits: each group would wait
  /// for one as long as the first.
  void Stop();

 private:
  struct Waiting {
    PreparedSubmissions call;
    Done done;
  };

  void Run();
  void RefuseRestIfStopping();

  const Context& context_;
  const Limits limits_;
  std::mutex mutex_;
  std::condition_variable changed_;
  TurnQueue<Waiting> waiting_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace allot::control
