#include "rpc/watch_hub.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>

namespace allot::rpc {
namespace {

/// Commits that come within this time share a look.
constexpr std::chrono::microseconds kCoalesceMin{5'000};
constexpr std::chrono::microseconds kCoalesceMax{250'000};
/// A thread looks for a fifth of the time at most: the more there is to tell, and to the more, the
/// more is told at a time.
constexpr int kRestPerLook = 4;

}  // namespace

WatchHub::WatchHub(Options options) : options_(std::move(options)) {
  for (int i = 0; i < options_.threads; ++i) shards_.push_back(std::make_unique<Shard>());
  for (const auto& shard : shards_) {
    shard->thread = std::thread([this, &shard = *shard] { Run(shard); });
  }
}

WatchHub::~WatchHub() { Stop(); }

Status WatchHub::Add(Watch watch) {
  Shard* shard = nullptr;
  {
    const std::lock_guard lock(mutex_);
    if (ended_by_) return *ended_by_;
    if (watches_ >= options_.watches_max) {
      return StateError(Reason::kOverloaded,
                        "all " + std::to_string(options_.watches_max) + " watches are in use");
    }
    int& of_key = watches_by_key_[watch.key];
    if (of_key >= options_.watches_per_key_max) {
      return StateError(Reason::kOverloaded, "this key has " + std::to_string(of_key) +
                                                 " watches open: end some, or watch a whole "
                                                 "institute with one");
    }
    ++of_key;
    ++watches_;
    shard = shards_[next_shard_++ % shards_.size()].get();
  }
  watch.stream->OnChange([this, shard] { Wake(*shard); });
  watch.stream->Send({watch.source->Begin()});
  watch.last_sent_micros = options_.steady_micros();
  watch.last_allowed_micros = watch.last_sent_micros;
  {
    const std::lock_guard lock(shard->mutex);
    shard->added.push_back(std::make_unique<Watch>(std::move(watch)));
  }
  Wake(*shard);
  return Ok{};
}

void WatchHub::Notify() {
  for (const auto& shard : shards_) Wake(*shard);
}

void WatchHub::EndAll(const Error& error) {
  {
    const std::lock_guard lock(mutex_);
    ended_by_ = error;
  }
  Notify();
}

void WatchHub::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  Notify();
  for (const auto& shard : shards_) {
    if (shard->thread.joinable()) shard->thread.join();
  }
}

void WatchHub::Wake(Shard& shard) {
  {
    const std::lock_guard lock(shard.mutex);
    shard.woken = true;
  }
  shard.changed.notify_one();
}

void WatchHub::Run(Shard& shard) {
  std::vector<std::unique_ptr<Watch>> watches;
  for (;;) {
    {
      std::unique_lock lock(shard.mutex);
      shard.changed.wait_for(lock, std::chrono::milliseconds(options_.poll_ms),
                             [&] { return shard.woken; });
      shard.woken = false;
      std::move(shard.added.begin(), shard.added.end(), std::back_inserter(watches));
      shard.added.clear();
    }
    const int64_t start = options_.steady_micros();
    Mark(shard, watches);
    const auto over = std::partition(watches.begin(), watches.end(),
                                     [this](const auto& watch) { return Feed(*watch); });
    {
      const std::lock_guard lock(mutex_);
      for (auto watch = over; watch != watches.end(); ++watch) Forget(**watch);
      if (stopping_) return;
    }
    watches.erase(over, watches.end());
    const std::chrono::microseconds took(options_.steady_micros() - start);
    std::this_thread::sleep_for(std::clamp(kRestPerLook * took, kCoalesceMin, kCoalesceMax));
  }
}

void WatchHub::Forget(const Watch& watch) {
  --watches_;
  const auto of_key = watches_by_key_.find(watch.key);
  if (--of_key->second == 0) watches_by_key_.erase(of_key);
}

void WatchHub::Mark(Shard& shard, std::vector<std::unique_ptr<Watch>>& watches) {
  if (watches.empty()) return;
  const auto news = watches.front()->source->NewsSince(shard.seen);
  // Each watch finds out for itself what is wrong, and says so to its caller.
  const bool nothing_new = news.ok() && news->revision == shard.seen;
  for (const auto& watch : watches) {
    if (watch->behind || nothing_new) continue;
    watch->behind = !news.ok() || watch->source->Concerns(*news);
    if (!watch->behind) watch->source->PassOver(news->revision);
  }
  if (news.ok()) shard.seen = news->revision;
}

bool WatchHub::Feed(Watch& watch) {
  std::optional<Error> ended_by;
  {
    const std::lock_guard lock(mutex_);
    ended_by = ended_by_;
  }
  if (ended_by) watch.stream->End(*ended_by);
  if (watch.stream->over()) return false;

  const int64_t now = options_.steady_micros();
  if (const int64_t since = watch.stream->stalled_since_micros(); since != 0) {
    if (now - since < options_.stall_ms * 1000) return true;
    watch.stream->End(
        StateError(Reason::kWatchTooSlow,
                   "nothing was read for " + std::to_string(options_.stall_ms) + " ms"));
    return false;
  }
  const auto messages = MessagesFor(watch, now);
  if (!messages.ok()) {
    watch.stream->End(messages.error());
    return false;
  }
  if (!messages->empty()) watch.last_sent_micros = now;
  watch.stream->Send(*messages);
  return true;
}

Result<std::vector<std::string>> WatchHub::MessagesFor(Watch& watch, int64_t now) const {
  if (now - watch.last_allowed_micros >= options_.progress_ms * 1000) {
    ALLOT_RETURN_IF_ERROR(watch.still_allowed());
    watch.last_allowed_micros = now;
  }
  std::vector<std::string> messages;
  if (watch.behind) {
    ALLOT_ASSIGN_OR_RETURN(messages, watch.source->Next());
    // A look that found something may have stopped before the end.
    watch.behind = !messages.empty();
  }
  if (!messages.empty() || now - watch.last_sent_micros < options_.progress_ms * 1000) {
    return messages;
  }
  return std::vector{watch.source->SignOfLife()};
}

}  // namespace allot::rpc
