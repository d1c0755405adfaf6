#include "rpc/worker_pool.h"

#include <utility>

namespace allot::rpc {

WorkerPool::WorkerPool(const Limits& limits) : limits_(limits) {
  for (int i = 0; i < limits_.threads; ++i) threads_.emplace_back([this] { Work(); });
}

WorkerPool::~WorkerPool() { Stop(); }

QueueVerdict WorkerPool::TryRun(const std::string& party, std::function<void()> job) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return QueueVerdict::kStopped;
    if (queued_ >= limits_.queue_max) return QueueVerdict::kQueueFull;
    Line& line = lines_[party];
    if (line.jobs.size() >= static_cast<std::size_t>(limits_.line_max))
      return QueueVerdict::kLineFull;
    line.jobs.push_back(std::move(job));
    ++queued_;
    Settle(party);
  }
  ready_.notify_one();
  return QueueVerdict::kTaken;
}

void WorkerPool::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  ready_.notify_all();
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

void WorkerPool::Settle(const std::string& party) {
  const auto found = lines_.find(party);
  Line& line = found->second;
  if (line.jobs.empty()) {
    if (line.running == 0) lines_.erase(found);
    return;
  }
  if (line.has_turn || line.running >= limits_.threads_a_party) return;
  line.has_turn = true;
  turns_.push_back(party);
}

void WorkerPool::Work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    ready_.wait(lock, [this] { return !turns_.empty() || (stopping_ && queued_ == 0); });
    if (turns_.empty()) return;
    const std::string party = std::move(turns_.front());
    turns_.pop_front();
    Line& line = lines_.at(party);
    line.has_turn = false;
    const std::function<void()> job = std::move(line.jobs.front());
    line.jobs.pop_front();
    --queued_;
    ++line.running;
    // To the end of the turns, if it has more.
    Settle(party);
    const bool more = !turns_.empty();
    lock.unlock();
    if (more) ready_.notify_one();
    job();
    lock.lock();
    // It was not forgotten meanwhile: something of it ran.
    --lines_.at(party).running;
    Settle(party);
    if (stopping_ && queued_ == 0) ready_.notify_all();
  }
}

}  // namespace allot::rpc
