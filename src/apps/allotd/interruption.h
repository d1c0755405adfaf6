#pragma once

#include <atomic>
#include <csignal>
#include <optional>
#include <stop_token>
#include <thread>

namespace allot::allotd {

/// SIGINT, SIGTERM and SIGHUP of a command that puts away what it has begun before it ends. The
/// second one ends it at once, with 128 + its number. Made before any other thread; afterwards the
/// three do not end the process any more.
class Interruption {
 public:
  Interruption();

  /// Requested when the first of them comes.
  std::stop_token token() const { return stop_.get_token(); }
  /// 128 + its number, once one has come.
  std::optional<int> ExitStatus() const;

 private:
  void Await(const std::stop_token& end);

  sigset_t signals_{};
  std::atomic<int> signal_ = 0;
  std::stop_source stop_;
  std::jthread thread_;
};

}  // namespace allot::allotd
