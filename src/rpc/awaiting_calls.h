#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>
#include <mutex>
#include <thread>

#include "rpc/worker_pool.h"

namespace allot::rpc {

/// Calls that wait for something to happen, without holding a worker. Each looks again on the pool
/// when something was committed, when the poll interval is over, and for the last time when its
/// wait is over.
class AwaitingCalls {
 public:
  struct Parked {
    int64_t expiry_micros = 0;
    /// generation() from before the look that found nothing.
    uint64_t seen_generation = 0;
    /// Looks again; `last` when it must answer now. Never runs on the caller's thread.
    std::function<void(bool last)> look;
  };

  AwaitingCalls(WorkerPool& pool, std::function<int64_t()> steady_micros, int64_t poll_ms);
  ~AwaitingCalls();

  uint64_t generation() const;
  void Park(Parked call);
  void Notify();
  /// All that are parked, now or later, answer at once. Requires: the pool still runs.
  void EndAll();
  void Stop();

 private:
  void Run();
  /// Hands every due call to the pool; one that the full pool refuses stays parked.
  void ResumeDue(bool all_look);
  int64_t WaitMs() const;

  WorkerPool& pool_;
  const std::function<int64_t()> steady_micros_;
  const int64_t poll_ms_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::list<Parked> parked_;
  uint64_t generation_ = 0;
  bool ending_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace allot::rpc
