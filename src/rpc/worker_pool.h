#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace allot::rpc {

/// A fixed number of threads and a bounded queue before them.
class WorkerPool {
 public:
  WorkerPool(int threads, int queue_max);
  /// Stops.
  ~WorkerPool();

  /// False when the queue is full or the pool has stopped; then nothing will run.
  bool TryRun(std::function<void()> job);
  std::size_t queued() const;
  /// Runs what is queued, then ends the threads.
  void Stop();

 private:
  void Work();

  const std::size_t queue_max_;
  mutable std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<std::function<void()>> queue_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace allot::rpc
