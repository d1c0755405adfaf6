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
/// Who has more to be told of than this may take many looks; for all of them together there is so
/// long in a round.
constexpr Revision kFarBehind = 5'000;
constexpr int64_t kFarBehindMicros = 50'000;

template <class Key>
void CountDown(std::map<Key, int>& counts, const Key& key) {
  const auto found = counts.find(key);
  if (--found->second == 0) counts.erase(found);
}

template <class Key>
int CountOf(const std::map<Key, int>& counts, const Key& key) {
  const auto found = counts.find(key);
  return found == counts.end() ? 0 : found->second;
}

}  // namespace

WatchHub::WatchHub(Options options) : options_(std::move(options)) {
  for (int i = 0; i < options_.threads; ++i) shards_.push_back(std::make_unique<Shard>());
  for (const auto& shard : shards_) {
    shard->thread = std::thread([this, &shard = *shard] { Run(shard); });
  }
}

WatchHub::~WatchHub() { Stop(); }

Status WatchHub::Add(Watch watch) {
  ALLOT_RETURN_IF_ERROR(TakePlace(watch.key, watch.party));
  watch.stream->WhenDone(
      [this, key = watch.key, party = watch.party] { GiveBackPlace(key, party); });
  Shard* shard = nullptr;
  {
    const std::lock_guard lock(mutex_);
    shard = shards_[next_shard_++ % shards_.size()].get();
  }
  watch.stream->OnChange([this, shard] { Wake(*shard); });
  watch.stream->Send({watch.source->Begin()});
  auto fed = std::make_unique<Fed>();
  fed->watch = std::move(watch);
  fed->last_sent_micros = options_.steady_micros();
  fed->last_allowed_micros = fed->last_sent_micros;
  fed->last_look_micros = fed->last_sent_micros;
  {
    const std::lock_guard lock(shard->mutex);
    shard->added.push_back(std::move(fed));
  }
  Wake(*shard);
  return Ok{};
}

Status WatchHub::TakePlace(const KeyId& key, const std::string& party) {
  const std::lock_guard lock(mutex_);
  if (ended_by_) return *ended_by_;
  if (watches_ >= options_.watches_max) {
    return StateError(Reason::kOverloaded,
                      "all " + std::to_string(options_.watches_max) + " watches are in use");
  }
  const auto full = [](const std::string& who, int open) {
    return StateError(Reason::kOverloaded, who + " has " + std::to_string(open) +
                                               " watches open: end some, or watch a whole "
                                               "institute with one");
  };
  const int of_key = CountOf(watches_by_key_, key);
  if (of_key >= options_.watches_per_key_max) return full("this key", of_key);
  const int of_party = CountOf(watches_by_party_, party);
  if (of_party >= options_.watches_a_party_max) return full(party, of_party);
  ++watches_by_key_[key];
  ++watches_by_party_[party];
  ++watches_;
  return Ok{};
}

void WatchHub::GiveBackPlace(const KeyId& key, const std::string& party) {
  const std::lock_guard lock(mutex_);
  --watches_;
  CountDown(watches_by_key_, key);
  CountDown(watches_by_party_, party);
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
  stopping_ = true;
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

bool WatchHub::IsEnding() const {
  const std::lock_guard lock(mutex_);
  return stopping_ || ended_by_.has_value();
}

void WatchHub::Run(Shard& shard) {
  while (!stopping_) {
    const int64_t start = options_.steady_micros();
    {
      const std::lock_guard lock(shard.mutex);
      shard.woken = false;
      std::move(shard.added.begin(), shard.added.end(), std::back_inserter(shard.watches));
      shard.added.clear();
    }
    if (!IsEnding()) Mark(shard);
    std::erase_if(shard.watches, [this](const auto& fed) { return !Tend(*fed); });
    const bool all_fed = FeedAll(shard);

    const std::chrono::microseconds took(options_.steady_micros() - start);
    const auto stopped = [this] { return stopping_.load(); };
    std::unique_lock lock(shard.mutex);
    shard.changed.wait_for(lock, std::clamp(kRestPerLook * took, kCoalesceMin, kCoalesceMax),
                           stopped);
    if (!all_fed) continue;
    shard.changed.wait_for(lock, std::chrono::milliseconds(options_.poll_ms),
                           [&] { return shard.woken || stopping_; });
  }
}

void WatchHub::Mark(Shard& shard) {
  if (shard.watches.empty()) return;
  const auto news = shard.watches.front()->watch.source->NewsSince(shard.seen);
  // Each watch finds out for itself what is wrong, and says so to its caller.
  const bool nothing_new = news.ok() && news->revision == shard.seen;
  for (const auto& fed : shard.watches) {
    if (fed->behind || nothing_new) continue;
    fed->behind = !news.ok() || fed->watch.source->Concerns(*news);
    if (!fed->behind) fed->watch.source->PassOver(news->revision);
  }
  if (news.ok()) shard.seen = news->revision;
}

bool WatchHub::Tend(Fed& fed) const {
  WatchStream& stream = *fed.watch.stream;
  const int64_t now = options_.steady_micros();
  const int64_t stall_micros = options_.stall_ms * 1000;
  std::optional<Error> ended_by;
  {
    const std::lock_guard lock(mutex_);
    ended_by = ended_by_;
  }
  if (ended_by) stream.End(*ended_by);
  const int64_t stalled_since = stream.stalled_since_micros();
  if (stalled_since != 0 && now - stalled_since >= stall_micros) {
    stream.End(StateError(Reason::kWatchTooSlow,
                          "nothing was read for " + std::to_string(options_.stall_ms) + " ms"));
  }
  const bool asks = !stream.over() && stalled_since == 0 &&
                    now - fed.last_allowed_micros >= options_.progress_ms * 1000;
  if (asks) {
    const Status allowed = fed.watch.still_allowed();
    if (!allowed.ok()) stream.End(allowed.error());
    fed.last_allowed_micros = now;
  }
  if (!stream.over()) return true;
  // What it was sent last still has to be read, and the reason behind it.
  if (fed.over_since_micros == 0) fed.over_since_micros = now;
  if (now - fed.over_since_micros >= stall_micros) stream.Cut();
  return !stream.done();
}

bool WatchHub::FeedAll(Shard& shard) {
  const auto can_take = [](const Fed& fed) {
    return !fed.watch.stream->over() && fed.watch.stream->stalled_since_micros() == 0;
  };
  std::vector<Fed*> far_behind;
  for (const auto& fed : shard.watches) {
    if (IsEnding()) return true;
    if (!can_take(*fed)) continue;
    // Where it is to begin says how far behind a new one is: whoever resumes again and again with
    // an old revision waits, too.
    if (std::exchange(fed->is_new, false)) {
      fed->far_behind = shard.seen - fed->watch.source->given() > kFarBehind;
    }
    if (fed->far_behind) {
      far_behind.push_back(fed.get());
    } else {
      Feed(*fed, shard.seen);
    }
  }
  std::ranges::stable_sort(far_behind, {}, &Fed::last_look_micros);
  const int64_t start = options_.steady_micros();
  for (Fed* fed : far_behind) {
    if (IsEnding()) return true;
    if (options_.steady_micros() - start < kFarBehindMicros) {
      Feed(*fed, shard.seen);
    } else {
      KeepAlive(*fed);
    }
  }
  return std::ranges::none_of(shard.watches,
                              [&](const auto& fed) { return fed->behind && can_take(*fed); });
}

void WatchHub::Feed(Fed& fed, Revision seen) const {
  if (!fed.behind) return KeepAlive(fed);
  WatchSource& source = *fed.watch.source;
  fed.last_look_micros = options_.steady_micros();
  const auto messages = source.Next();
  if (!messages.ok()) return fed.watch.stream->End(messages.error());
  // What came behind what its shard knows of is in the next news.
  fed.behind = source.given() < seen;
  fed.far_behind = seen - source.given() > kFarBehind;
  if (messages->empty()) return KeepAlive(fed);
  fed.last_sent_micros = fed.last_look_micros;
  fed.watch.stream->Send(*messages);
}

void WatchHub::KeepAlive(Fed& fed) const {
  const int64_t now = options_.steady_micros();
  if (now - fed.last_sent_micros < options_.progress_ms * 1000) return;
  fed.last_sent_micros = now;
  fed.watch.stream->Send({fed.watch.source->SignOfLife()});
}

}  // namespace allot::rpc
