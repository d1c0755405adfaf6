#include "rpc/awaiting_calls.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace allot::rpc {
namespace {

/// Commits that come within this time share a look.
constexpr std::chrono::milliseconds kCoalesce{10};
/// The line that looks wait in: calls that were admitted already.
constexpr char kLooks[] = "looks";

}  // namespace

AwaitingCalls::AwaitingCalls(WorkerPool& pool, std::function<int64_t()> steady_micros,
                             int64_t poll_ms)
    : pool_(pool),
      steady_micros_(std::move(steady_micros)),
      poll_ms_(poll_ms),
      thread_([this] { Run(); }) {}

AwaitingCalls::~AwaitingCalls() { Stop(); }

uint64_t AwaitingCalls::generation() const {
  const std::lock_guard lock(mutex_);
  return generation_;
}

void AwaitingCalls::Park(Parked call) {
  {
    const std::lock_guard lock(mutex_);
    parked_.push_back(std::move(call));
  }
  changed_.notify_one();
}

void AwaitingCalls::Notify() {
  {
    const std::lock_guard lock(mutex_);
    ++generation_;
  }
  changed_.notify_one();
}

void AwaitingCalls::EndAll() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_one();
}

void AwaitingCalls::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void AwaitingCalls::Run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const bool signalled = changed_.wait_for(lock, std::chrono::milliseconds(WaitMs()), [this] {
      const bool news = std::any_of(parked_.begin(), parked_.end(), [this](const Parked& call) {
        return call.seen_generation != generation_;
      });
      return stopping_ || (!parked_.empty() && (ending_ || news));
    });
    if (stopping_) return;
    ResumeDue(!signalled);
    changed_.wait_for(lock, kCoalesce, [this] { return stopping_; });
  }
}

void AwaitingCalls::ResumeDue(bool all_look) {
  const int64_t now = steady_micros_();
  for (auto call = parked_.begin(); call != parked_.end();) {
    const bool last = ending_ || now >= call->expiry_micros;
    const bool due = last || all_look || call->seen_generation != generation_;
    if (due &&
        pool_.TryRun(kLooks, [look = call->look, last] { look(last); }) == QueueVerdict::kTaken) {
      call = parked_.erase(call);
    } else {
      ++call;
    }
  }
}

int64_t AwaitingCalls::WaitMs() const {
  int64_t wait_ms = poll_ms_;
  const int64_t now = steady_micros_();
  for (const Parked& call : parked_) {
    wait_ms = std::min(wait_ms, (call.expiry_micros - now + 999) / 1000);
  }
  return std::max<int64_t>(wait_ms, 1);
}

}  // namespace allot::rpc
