#include "agent/agent_threads.h"

#include <chrono>
#include <utility>

namespace allot::agent {

AgentThreads::AgentThreads(Agent& agent, std::function<void()> on_end)
    : agent_(agent), on_end_(std::move(on_end)) {
  reports_ = std::thread([this] {
    Run([this] { return agent_.ReportTurn(); },
        [this] { return std::exchange(report_woken_, false); });
  });
  orders_ =
      std::thread([this] { Run([this] { return agent_.OrderTurn(); }, [] { return false; }); });
}

AgentThreads::~AgentThreads() { Stop(); }

void AgentThreads::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  agent_.Stop();
  if (reports_.joinable()) reports_.join();
  if (orders_.joinable()) orders_.join();
}

void AgentThreads::WakeReports() {
  {
    const std::lock_guard lock(mutex_);
    report_woken_ = true;
  }
  wake_.notify_all();
}

void AgentThreads::Run(const std::function<int64_t()>& turn, const std::function<bool()>& woken) {
  for (;;) {
    const int64_t wait_ms = turn();
    if (agent_.ending()) return on_end_();
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, std::chrono::milliseconds(wait_ms), [&] { return stopping_ || woken(); });
    if (stopping_) return;
  }
}

}  // namespace allot::agent
