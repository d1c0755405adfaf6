#pragma once

#include <csignal>
#include <functional>
#include <thread>

namespace allot::allotd {

/// SIGTERM and SIGINT as something to wait for. Blocks both for the calling thread and all it
/// starts, so it is made before the first of them.
class EndSignals {
 public:
  EndSignals();

  /// Until the first of them comes; returns it.
  int Await() const;
  /// From now on another one ends the process without further ado, with 128 + its number, after
  /// `before`. For as long as the object returned lives.
  std::jthread EndAtOnceOnTheNext(std::function<void()> before) const;

 private:
  sigset_t signals_{};
};

}  // namespace allot::allotd
