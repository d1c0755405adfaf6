#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "allot/base/turn_queue.h"
#include "allot/control/context.h"
#include "allot/control/identity.h"
#include "rpc/known_callers.h"

namespace allot::rpc {

/// Finds out who is behind a key or a token that was verified. Nobody is remembered: every call's
/// is looked up, so that a key that was revoked, and a member who was removed, is refused from that
/// moment on; calls that come together share the look. Thread safe.
class Authenticator {
 public:
  struct Limits {
    /// Calls that wait, of all parties together, and of one.
    std::size_t calls_max = 1024;
    std::size_t calls_a_party_max = 128;
    /// Calls that share a look.
    std::size_t together_max = 256;
  };
  /// Runs on the authenticator's thread; must not block.
  using Done = std::function<void(const Result<Principal>&)>;

  /// `context` outlives it.
  Authenticator(const control::Context& context, const Limits& limits);
  /// Stops.
  ~Authenticator();

  /// Whatever it answers but kTaken: `done` will not be called.
  QueueVerdict TryAsk(const control::Proof& proof, Done done);
  /// At once, on the caller's thread.
  Result<Principal> Ask(const control::Proof& proof);
  /// From now on whoever waits, or comes, is refused as shutting_down: nobody is looked up.
  void RefuseAll();
  /// Refuses all that wait, then ends.
  void Stop();

 private:
  struct Waiting {
    control::Proof proof;
    Done done;
  };

  void Run();
  void Learn(const control::Proof& proof, const Result<Principal>& principal);

  const control::Context& context_;
  const Limits limits_;
  KnownCallers known_callers_;
  std::mutex mutex_;
  std::condition_variable changed_;
  TurnQueue<Waiting> waiting_;
  bool refusing_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace allot::rpc
