#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>

#include "allot/agent/agent.h"

namespace allot::agent {

/// Drives an agent's two kinds of turns, each on a thread of its own.
class AgentThreads {
 public:
  /// `on_end` is called, on one of the threads, when the agent ends by itself. The agent outlives
  /// the object.
  AgentThreads(Agent& agent, std::function<void()> on_end);
  /// Stops.
  ~AgentThreads();
  AgentThreads(const AgentThreads&) = delete;
  AgentThreads& operator=(const AgentThreads&) = delete;

  /// Stops the agent, waits for the order under way to be enacted and acknowledged.
  void Stop();
  /// Takes the next report turn now: what the adapter says has changed.
  void WakeReports();

 private:
  /// `woken` takes a wake-up, under the lock.
  void Run(const std::function<int64_t()>& turn, const std::function<bool()>& woken);

  Agent& agent_;
  std::function<void()> on_end_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  bool report_woken_ = false;
  std::thread reports_;
  std::thread orders_;
};

}  // namespace allot::agent
