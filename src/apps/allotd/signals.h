#pragma once

#include <csignal>
#include <functional>
#include <thread>

namespace allot::allotd {

/// SIGTERM, SIGINT and SIGHUP as something to wait for. Blocks them for the calling thread and all
/// it starts, so it is made before the first of them.
class Signals {
 public:
  Signals();

  /// Until one of the first two comes; returns it. Calls `on_hangup` for each SIGHUP until then;
  /// one that comes later is ignored.
  int AwaitEnd(const std::function<void()>& on_hangup) const;
  /// From now on another SIGTERM or SIGINT ends the process without further ado, with 128 + its
  /// number, after `before`. For as long as the object returned lives.
  std::jthread EndAtOnceOnTheNext(std::function<void()> before) const;

 private:
  sigset_t ends_{};
};

}  // namespace allot::allotd
