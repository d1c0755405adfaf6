#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace allot::testing {

/// Who wants to bring a server on this machine down with what gRPC 1.51 does not withstand, over
/// TLS with frames of HTTP/2 made by hand. Goes on until destroyed; what is closed on it is opened
/// again at once.
class Flood {
 public:
  enum class Kind : uint8_t {
    /// Calls that are taken back in the same breath (CVE-2023-44487).
    kRapidReset,
    /// Headers that never end: a value in small pieces, ever more headers, or empty parts
    /// (CVE-2023-33953).
    kUnfinishedHeaders,
    /// As many connections as there are descriptors: silent ones, ones that end in the middle of
    /// TLS, and whole ones without a call (CVE-2023-4785).
    kConnections,
  };
  struct Options {
    Kind kind = Kind::kRapidReset;
    int port = 0;
    int connections = 32;
    /// They come from so many addresses of this machine, beginning with 127.0.1.1.
    int addresses = 1;
    /// Above 0 the flood makes way for others on the processors that it shares with them.
    int nice = 0;
  };
  struct Counts {
    int64_t connected = 0;
    /// By the other side.
    int64_t closed = 0;
    int64_t frames = 0;
    int64_t cpu_micros = 0;

    Counts& operator+=(const Counts& more);
  };

  explicit Flood(const Options& options);
  ~Flood();
  Flood(const Flood&) = delete;
  Flood& operator=(const Flood&) = delete;

  Counts counts() const;

 private:
  class Connection;
  void Run(const std::stop_token& stop);

  const Options options_;
  std::atomic<int64_t> connected_{0};
  std::atomic<int64_t> closed_{0};
  std::atomic<int64_t> frames_{0};
  std::atomic<int64_t> cpu_micros_{0};
  std::jthread thread_;
};

/// "rapid_reset", "unfinished_headers", "connections".
std::string_view Name(Flood::Kind kind);

}  // namespace allot::testing
