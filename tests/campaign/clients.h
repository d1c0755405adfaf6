#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <grpcpp/grpcpp.h>

#include "allot/v1/allocation_service.grpc.pb.h"
#include "campaign/history.h"

namespace allot::campaign {

inline constexpr const char* kInstitute = "institutes/snu";
inline constexpr int kProjects = 3;
std::string ProjectName(int number);

/// Servers' addresses and a key.
struct Access {
  std::vector<std::string> servers;
  std::string key;
};

/// A channel to the first server that answers, beginning with one of them.
std::shared_ptr<grpc::Channel> Dial(const Access& access, std::size_t first);

/// Institutes at work: each client submits one allocation after the other, with a request id of its
/// own, repeats what was not answered with the same one, and gives back what it has had for a
/// while.
class Clients {
 public:
  Clients(Access access, History& history, int count, uint64_t seed, int pause_ms);
  /// Ends after the calls under way.
  ~Clients();
  Clients(const Clients&) = delete;
  Clients& operator=(const Clients&) = delete;

  /// Waits until each client was answered a create that it began at `since_ms` or later. The time
  /// of the last one's answer; -1 when it takes longer than `patience_ms`.
  int64_t AwaitAllServed(int64_t since_ms, int64_t patience_ms) const;
  int64_t calls() const { return calls_; }

 private:
  struct Client;
  void Run(Client& client, const std::stop_token& stop);
  void Submit(Client& client);
  void GiveBack(Client& client);
  /// Sends until it is answered, or a minute and a half have passed; what it said last.
  template <class Send>
  grpc::Status Repeat(Client& client, Call& call, const Send& send);

  const Access access_;
  History& history_;
  const int pause_ms_;
  std::atomic<int64_t> calls_ = 0;
  std::vector<std::unique_ptr<Client>> clients_;
  std::vector<std::jthread> threads_;
};

/// Watches all allocations from the beginning, and again from where it was whenever it ends.
class Watcher {
 public:
  Watcher(Access access, std::size_t first);
  ~Watcher();
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;

  using Change = std::pair<int64_t, std::string>;
  /// Waits until everything up to a revision has come; false when that takes too long.
  bool AwaitRevision(int64_t revision, int64_t patience_ms) const;
  /// Revision and allocation.
  std::set<Change> seen() const;
  /// What came a second time though the watch was resumed behind it, or out of order.
  int repeated() const { return repeated_; }
  int resumed() const { return resumed_; }

 private:
  void Run(const std::stop_token& stop);
  void WatchOnce(const std::stop_token& stop, std::size_t first);
  void Take(const v1::WatchAllocationsResponse& message, int64_t& newest);

  const Access access_;
  const std::size_t first_;
  mutable std::mutex mutex_;
  std::set<Change> seen_;
  int64_t resume_ = 0;
  std::atomic<int> repeated_ = 0;
  std::atomic<int> resumed_ = 0;
  std::jthread thread_;
};

}  // namespace allot::campaign
