#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace allot::testing {

/// Calls in plain text over HTTP/2, without a key, each of which sends all of its message but the
/// last byte, and then nothing. They are held until this is destroyed.
class HeldCalls {
 public:
  struct Options {
    int port = 0;
    std::string path;
    int calls = 0;
    int calls_a_connection = 50;
    std::size_t message_bytes = 0;
  };
  /// Returns when everything was sent, or nothing more is taken.
  explicit HeldCalls(const Options& options);
  ~HeldCalls();
  HeldCalls(const HeldCalls&) = delete;
  HeldCalls& operator=(const HeldCalls&) = delete;

  /// Takes note of what came since.
  void Listen();
  /// Of all calls that the other side has not ended.
  std::size_t held_bytes() const;

 private:
  class Connection;
  std::vector<std::unique_ptr<Connection>> connections_;
};

}  // namespace allot::testing
