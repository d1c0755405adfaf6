#include "support/held_calls.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <map>
#include <stdexcept>

#include "support/http2_frames.h"

namespace allot::testing {
namespace {

constexpr int64_t kFirstWindow = 65'535;
constexpr std::size_t kFrameBytesMax = 16'384;
/// Nothing is taken any more when it was not for so long.
constexpr int kPatienceMs = 300;

uint32_t NumberAt(const std::string& bytes, std::size_t at, int count = 4) {
  uint32_t value = 0;
  for (int i = 0; i < count; ++i) {
    value = value << 8 | static_cast<uint8_t>(bytes[at + static_cast<std::size_t>(i)]);
  }
  return value;
}

}  // namespace

/// One, with its calls; HTTP/2's windows say how much may be sent on each, and on all.
class HeldCalls::Connection {
 public:
  Connection(const Options& options, int calls) : options_(options) {
    fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons(static_cast<uint16_t>(options.port));
    if (connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) {
      throw std::runtime_error("nobody listens");
    }
    pending_ = Greeting();
    for (int i = 0; i < calls; ++i) {
      const auto stream = static_cast<uint32_t>(2 * i + 1);
      pending_ += Frame(kHeaders, kEndHeaders, stream, CallHeaders(options.path, /*tls=*/false));
      calls_[stream] = Call{};
    }
  }
  ~Connection() { close(fd_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void SendAll() {
    while (open_ && (SendMore() || Await())) {
    }
  }
  /// What came meanwhile.
  void Listen() {
    while (open_ && Readable(0)) Read();
  }
  std::size_t held_bytes() const {
    std::size_t bytes = 0;
    for (const auto& [stream, call] : calls_) {
      if (open_ && !call.ended) bytes += call.sent;
    }
    return bytes;
  }

 private:
  struct Call {
    std::size_t sent = 0;
    int64_t window = 0;
    bool ended = false;
  };

  bool Readable(int wait_ms) const {
    pollfd socket{.fd = fd_, .events = POLLIN, .revents = 0};
    return poll(&socket, 1, wait_ms) > 0;
  }

  /// False when nothing more may be sent for now.
  bool SendMore() {
    for (auto& [stream, call] : calls_) {
      if (pending_.size() >= kFrameBytesMax) break;
      const auto allowed = static_cast<std::size_t>(
          std::max<int64_t>(std::min(window_, first_window_ + call.window), 0));
      const std::size_t size =
          std::min({allowed, kFrameBytesMax, options_.message_bytes + 4 - call.sent});
      if (call.ended || size == 0) continue;
      std::string part(size, 'x');
      // gRPC's own head: not compressed, and how long the message is.
      if (call.sent == 0) {
        part.replace(0, 5, '\0' + Number(static_cast<uint32_t>(options_.message_bytes)));
      }
      pending_ += Frame(kData, 0, stream, part);
      call.sent += size;
      call.window -= static_cast<int64_t>(size);
      window_ -= static_cast<int64_t>(size);
    }
    if (pending_.empty()) return false;
    const ssize_t sent = send(fd_, pending_.data(), pending_.size(), MSG_NOSIGNAL);
    if (sent <= 0) {
      open_ = false;
    } else {
      pending_.erase(0, static_cast<std::size_t>(sent));
    }
    Listen();
    return true;
  }

  bool Await() {
    const bool done = std::ranges::all_of(calls_, [this](const auto& call) {
      return call.second.ended || call.second.sent == options_.message_bytes + 4;
    });
    if (done || !Readable(kPatienceMs)) return false;
    Read();
    return true;
  }

  void Read() {
    std::array<char, 65'536> bytes{};
    const ssize_t count = recv(fd_, bytes.data(), bytes.size(), 0);
    if (count <= 0) {
      open_ = false;
      return;
    }
    read_.append(bytes.data(), static_cast<std::size_t>(count));
    while (read_.size() >= kFrameHeadBytes) {
      const std::size_t size = NumberAt(read_, 0, 3);
      if (read_.size() < kFrameHeadBytes + size) return;
      Take(static_cast<uint8_t>(read_[3]), static_cast<uint8_t>(read_[4]), NumberAt(read_, 5),
           read_.substr(kFrameHeadBytes, size));
      read_.erase(0, kFrameHeadBytes + size);
    }
  }

  void Take(uint8_t type, uint8_t flags, uint32_t stream, const std::string& payload) {
    constexpr uint32_t kInitialWindowSize = 4;
    constexpr uint8_t kEndStream = 0x1;
    if (type == kSettings && (flags & kAcknowledged) == 0) {
      for (std::size_t at = 0; at + 6 <= payload.size(); at += 6) {
        if (NumberAt(payload, at, 2) == kInitialWindowSize) {
          first_window_ = NumberAt(payload, at + 2);
        }
      }
      pending_ += Frame(kSettings, kAcknowledged, 0, "");
    } else if (type == kPing && (flags & kAcknowledged) == 0) {
      pending_ += Frame(kPing, kAcknowledged, 0, payload);
    } else if (type == kWindowUpdate && stream == 0) {
      window_ += NumberAt(payload, 0);
    } else if (type == kWindowUpdate) {
      calls_[stream].window += NumberAt(payload, 0);
    } else if (type == kReset || (type == kHeaders && (flags & kEndStream) != 0)) {
      calls_[stream].ended = true;
    }
  }

  const Options options_;
  int fd_ = -1;
  bool open_ = true;
  int64_t window_ = kFirstWindow;
  int64_t first_window_ = kFirstWindow;
  std::map<uint32_t, Call> calls_;
  std::string pending_;
  std::string read_;
};

HeldCalls::HeldCalls(const Options& options) {
  for (int left = options.calls; left > 0; left -= options.calls_a_connection) {
    connections_.push_back(
        std::make_unique<Connection>(options, std::min(left, options.calls_a_connection)));
    connections_.back()->SendAll();
    Listen();
  }
}

HeldCalls::~HeldCalls() = default;

std::size_t HeldCalls::held_bytes() const {
  std::size_t bytes = 0;
  for (const auto& connection : connections_) bytes += connection->held_bytes();
  return bytes;
}

void HeldCalls::Listen() {
  for (const auto& connection : connections_) connection->Listen();
}

}  // namespace allot::testing
