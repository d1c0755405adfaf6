#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "allot/base/id.h"
#include "allot/base/result.h"
#include "rpc/method_table.h"
#include "rpc/watch_stream.h"

namespace allot::rpc {

/// Feeds all watches from a few threads. A watch is given more only when it took what it had, so a
/// slow reader costs one batch of memory; one that stalls for too long is ended as watch_too_slow,
/// and cut off when it does not take that either. Whoever is far behind waits for those that are
/// not, and gets one look at a time.
class WatchHub {
 public:
  struct Options {
    int threads = 2;
    int watches_max = 4096;
    int watches_per_key_max = 128;
    int watches_a_party_max = 256;
    int64_t stall_ms = 10'000;
    int64_t progress_ms = 15'000;
    int64_t poll_ms = 500;
    std::function<int64_t()> steady_micros;
  };
  struct Watch {
    std::shared_ptr<WatchStream> stream;
    std::unique_ptr<WatchSource> source;
    KeyId key;
    /// PartyOf the key's principal.
    std::string party;
    /// Whether the watcher may still see what it sees; asked every `progress_ms`, busy or not.
    std::function<Status()> still_allowed;
  };

  explicit WatchHub(Options options);
  ~WatchHub();

  /// Sends the first message and feeds the watch from now on; overloaded when there are too many,
  /// shutting_down after EndAll. It counts until gRPC is done with it.
  Status Add(Watch watch);
  /// Something was committed.
  void Notify();
  /// Ends every watch, and every one still to come.
  void EndAll(const Error& error);
  void Stop();

 private:
  /// A watch, and how far it has come. Of its shard's thread alone.
  struct Fed {
    Watch watch;
    int64_t last_sent_micros = 0;
    int64_t last_allowed_micros = 0;
    /// Since when it waits for a look: the last one, or when it came.
    int64_t last_look_micros = 0;
    int64_t over_since_micros = 0;
    /// There may be something it has not been given.
    bool behind = true;
    bool is_new = true;
    /// Far from everything was given after its last look, or before the first.
    bool far_behind = false;
  };
  /// One thread and its watches.
  struct Shard {
    std::mutex mutex;
    std::condition_variable changed;
    bool woken = false;
    std::vector<std::unique_ptr<Fed>> added;
    /// From here on of the thread alone.
    std::vector<std::unique_ptr<Fed>> watches;
    /// What its watches know of, each of which is behind or has all of it.
    Revision seen = 0;
    std::thread thread;
  };

  Status TakePlace(const KeyId& key, const std::string& party);
  void GiveBackPlace(const KeyId& key, const std::string& party);
  void Wake(Shard& shard);

  void Run(Shard& shard);
  /// Marks the watches that something was committed for since the last round: one question for all
  /// of the shard.
  static void Mark(Shard& shard);
  /// Ends the watch if it is to end. False when gRPC is done with it.
  bool Tend(Fed& fed) const;
  /// Those that are nearly told everything, and then, for a bounded time, those that are not. False
  /// when some could be given more at once.
  bool FeedAll(Shard& shard);
  /// One look at the most.
  void Feed(Fed& fed, Revision seen) const;
  /// A sign of life, when nothing was sent for `progress_ms`.
  void KeepAlive(Fed& fed) const;
  bool IsEnding() const;

  const Options options_;
  mutable std::mutex mutex_;
  int watches_ = 0;
  std::map<KeyId, int> watches_by_key_;
  std::map<std::string, int> watches_by_party_;
  std::size_t next_shard_ = 0;
  std::optional<Error> ended_by_;
  std::atomic<bool> stopping_{false};
  std::vector<std::unique_ptr<Shard>> shards_;
};

}  // namespace allot::rpc
