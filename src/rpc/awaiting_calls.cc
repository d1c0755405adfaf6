#include "rpc/awaiting_calls.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace allot::rpc {
namespace {

/// Commits that come within this time share a look.
constexpr std::chrono::milliseconds kCoalesce{10};

}  // namespace

AwaitingCalls::AwaitingCalls(WorkerPool& pool, const Limits& limits,
                             std::function<int64_t()> steady_micros, int64_t poll_ms)
    : pool_(pool),
      limits_(limits),
      steady_micros_(std::move(steady_micros)),
      poll_micros_(poll_ms * 1000),
      thread_([this] { Run(); }) {}

AwaitingCalls::~AwaitingCalls() { Stop(); }

uint64_t AwaitingCalls::generation() const {
  const std::lock_guard lock(mutex_);
  return generation_;
}

QueueVerdict AwaitingCalls::Park(Parked call) {
  std::function<void()> end_older;
  {
    const std::lock_guard lock(mutex_);
    const auto other = std::ranges::find(parked_, call.in_the_name_of, &Parked::in_the_name_of);
    if (other != parked_.end()) {
      // One that looked and waits on may be the older.
      if (call.start_micros > other->start_micros) std::swap(*other, call);
      end_older = std::move(call.end);
    } else {
      const QueueVerdict room = RoomFor(call.party);
      if (room != QueueVerdict::kTaken) return room;
      parked_.push_back(std::move(call));
    }
  }
  changed_.notify_one();
  if (end_older) end_older();
  return QueueVerdict::kTaken;
}

QueueVerdict AwaitingCalls::RoomFor(const std::string& party) const {
  if (parked_.size() >= limits_.calls_max) return QueueVerdict::kQueueFull;
  const auto of_party = std::ranges::count(parked_, party, &Parked::party);
  return static_cast<std::size_t>(of_party) >= limits_.calls_a_party_max ? QueueVerdict::kLineFull
                                                                         : QueueVerdict::kTaken;
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
    changed_.wait_for(lock, std::chrono::microseconds(WaitMicros()),
                      [this] { return stopping_ || HasNews(); });
    if (stopping_) return;
    ResumeDue();
    changed_.wait_for(lock, kCoalesce, [this] { return stopping_; });
  }
}

bool AwaitingCalls::HasNews() const {
  return std::ranges::any_of(parked_, [this](const Parked& call) {
    return ending_ || call.seen_generation != generation_;
  });
}

void AwaitingCalls::ResumeDue() {
  const int64_t now = steady_micros_();
  const bool all_look = now >= next_poll_micros_;
  if (all_look) next_poll_micros_ = now + poll_micros_;
  for (auto call = parked_.begin(); call != parked_.end();) {
    const bool last = ending_ || now >= call->expiry_micros;
    const bool due = last || all_look || call->seen_generation != generation_;
    if (due && pool_.TryRun(call->party, [look = call->look, last] { look(last); }) ==
                   QueueVerdict::kTaken) {
      call = parked_.erase(call);
    } else {
      ++call;
    }
  }
}

int64_t AwaitingCalls::WaitMicros() const {
  const int64_t now = steady_micros_();
  int64_t wait = std::min(next_poll_micros_ - now, poll_micros_);
  for (const Parked& call : parked_) wait = std::min(wait, call.expiry_micros - now);
  return std::max<int64_t>(wait, 1'000);
}

}  // namespace allot::rpc
