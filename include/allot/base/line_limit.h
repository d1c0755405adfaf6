#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <utility>

namespace allot {

/// Of the lines of a log that a stranger can cause, so many a second are written and the others
/// counted: a flood of calls is not to become one of lines. Thread safe.
class LineLimit {
 public:
  explicit LineLimit(int lines_a_second) : lines_a_second_(lines_a_second) {}

  /// Whether there is to be a line, and then how many since the last there were not.
  std::optional<int64_t> Take(int64_t steady_micros) {
    const int64_t second = steady_micros / 1'000'000;
    const std::lock_guard lock(mutex_);
    if (second != second_) {
      second_ = second;
      written_ = 0;
    }
    if (written_ >= lines_a_second_) {
      ++unwritten_;
      return std::nullopt;
    }
    ++written_;
    return std::exchange(unwritten_, 0);
  }

 private:
  const int lines_a_second_;
  std::mutex mutex_;
  int64_t second_ = 0;
  /// In it.
  int written_ = 0;
  int64_t unwritten_ = 0;
};

}  // namespace allot
