#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <thread>

#include "rpc/worker_pool.h"

namespace allot::rpc {

/// Calls that wait for something to happen, without holding a worker. Each looks again on the pool,
/// in the line of its party, when something was committed, when the poll interval is over, and for
/// the last time when its wait is over.
class AwaitingCalls {
 public:
  struct Limits {
    /// Calls that wait, of all parties together, and of one.
    std::size_t calls_max = 1024;
    std::size_t calls_a_party_max = 64;
  };
  struct Parked {
    std::string party;
    /// One waits in a name, the one that came last; others end.
    std::string in_the_name_of;
    int64_t start_micros = 0;
    int64_t expiry_micros = 0;
    /// generation() from before the look that found nothing.
    uint64_t seen_generation = 0;
    /// Looks again; `last` when it must answer now. Never runs on the caller's thread.
    std::function<void(bool last)> look;
    /// Answers without a look: another waits in its place. Must not block.
    std::function<void()> end;
  };

  AwaitingCalls(WorkerPool& pool, const Limits& limits, std::function<int64_t()> steady_micros,
                int64_t poll_ms);
  ~AwaitingCalls();

  uint64_t generation() const;
  /// Whatever it answers but kTaken: the call does not wait, and neither function is called.
  QueueVerdict Park(Parked call);
  void Notify();
  /// All that are parked, now or later, answer at once. Requires: the pool still runs.
  void EndAll();
  void Stop();

 private:
  /// Requires, as all below: the mutex is held.
  QueueVerdict RoomFor(const std::string& party) const;
  void Run();
  /// Hands every due call to the pool; one that the full pool refuses stays parked.
  void ResumeDue();
  bool HasNews() const;
  int64_t WaitMicros() const;

  WorkerPool& pool_;
  const Limits limits_;
  const std::function<int64_t()> steady_micros_;
  const int64_t poll_micros_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::list<Parked> parked_;
  uint64_t generation_ = 0;
  /// When all look for what another server committed.
  int64_t next_poll_micros_ = 0;
  bool ending_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace allot::rpc
