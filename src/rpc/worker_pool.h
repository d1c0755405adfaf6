#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "allot/base/turn_queue.h"

namespace allot::rpc {

/// A fixed number of threads and a bounded queue before them, in which every party has a line of
/// its own. The lines are served in turn: who sends more than others waits behind its own calls,
/// not they behind them.
class WorkerPool {
 public:
  struct Limits {
    int threads = 8;
    /// Jobs that wait, of all parties together.
    int queue_max = 1024;
    /// Of one party.
    int line_max = 128;
    /// How many threads a party's jobs may have at a time, so that one is free when another comes.
    int threads_a_party = 2;
  };

  explicit WorkerPool(const Limits& limits);
  /// Stops.
  ~WorkerPool();

  /// Whatever it answers but kTaken: the job will not run.
  QueueVerdict TryRun(const std::string& party, std::function<void()> job);
  /// Runs what is queued, then ends the threads.
  void Stop();

 private:
  struct Line {
    std::deque<std::function<void()>> jobs;
    int running = 0;
    /// It is in `turns_`.
    bool has_turn = false;
  };

  void Work();
  /// Under the mutex: gives the line a turn if it has a job that may run, and forgets it if it has
  /// nothing left.
  void Settle(const std::string& party);

  const Limits limits_;
  std::mutex mutex_;
  std::condition_variable ready_;
  std::map<std::string, Line> lines_;
  /// Who is next; each party once.
  std::deque<std::string> turns_;
  int queued_ = 0;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace allot::rpc
