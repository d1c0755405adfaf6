#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "allot/base/id.h"
#include "allot/base/result.h"
#include "rpc/method_table.h"
#include "rpc/watch_stream.h"

namespace allot::rpc {

/// Feeds all watches from a few threads. A watch is given more only when it took what it had, so a
/// slow reader costs one batch of memory; one that stalls for too long is ended as watch_too_slow.
class WatchHub {
 public:
  struct Options {
    int threads = 2;
    int watches_max = 1024;
    int watches_per_key_max = 128;
    int64_t stall_ms = 10'000;
    int64_t progress_ms = 15'000;
    int64_t poll_ms = 500;
    std::function<int64_t()> steady_micros;
  };
  struct Watch {
    std::shared_ptr<WatchStream> stream;
    std::unique_ptr<WatchSource> source;
    KeyId key;
    /// Whether the watcher may still see what it sees; asked every `progress_ms`, busy or not.
    std::function<Status()> still_allowed;
    int64_t last_sent_micros = 0;
    int64_t last_allowed_micros = 0;
    /// There may be something it has not been given.
    bool behind = true;
  };

  explicit WatchHub(Options options);
  ~WatchHub();

  /// Sends the first message and feeds the watch from now on; overloaded when there are too many,
  /// shutting_down after EndAll.
  Status Add(Watch watch);
  /// Something was committed.
  void Notify();
  /// Ends every watch, and every one still to come.
  void EndAll(const Error& error);
  void Stop();

 private:
  /// One thread and its watches.
  struct Shard {
    std::mutex mutex;
    std::condition_variable changed;
    bool woken = false;
    std::vector<std::unique_ptr<Watch>> added;
    /// Of the thread alone: what its watches know of, each of which is behind or has all of it.
    Revision seen = 0;
    std::thread thread;
  };

  void Run(Shard& shard);
  /// Marks the watches that something was committed for since the last round: one question for all
  /// of the shard.
  static void Mark(Shard& shard, std::vector<std::unique_ptr<Watch>>& watches);
  /// False when the watch is over.
  bool Feed(Watch& watch);
  /// What to send now; nothing most of the time.
  Result<std::vector<std::string>> MessagesFor(Watch& watch, int64_t now) const;
  void Wake(Shard& shard);
  /// Requires: the caller holds the mutex.
  void Forget(const Watch& watch);

  const Options options_;
  std::mutex mutex_;
  int watches_ = 0;
  std::map<KeyId, int> watches_by_key_;
  std::size_t next_shard_ = 0;
  std::optional<Error> ended_by_;
  bool stopping_ = false;
  std::vector<std::unique_ptr<Shard>> shards_;
};

}  // namespace allot::rpc
