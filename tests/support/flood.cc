#include "support/flood.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <memory>
#include <utility>

#include "support/http2_frames.h"

namespace allot::testing {
namespace {

using ContextPtr = std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)>;

constexpr std::string_view kPath = "/allot.v1.AllocationService/GetAllocation";

ContextPtr NewContext() {
  ContextPtr context(SSL_CTX_new(TLS_client_method()), &SSL_CTX_free);
  constexpr std::array<unsigned char, 3> kOnlyHttp2 = {2, 'h', '2'};
  SSL_CTX_set_alpn_protos(context.get(), kOnlyHttp2.data(), kOnlyHttp2.size());
  SSL_CTX_set_mode(context.get(),
                   SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  return context;
}

int64_t CpuMicros() {
  rusage use{};
  getrusage(RUSAGE_THREAD, &use);
  return (use.ru_utime.tv_sec + use.ru_stime.tv_sec) * 1'000'000 + use.ru_utime.tv_usec +
         use.ru_stime.tv_usec;
}

}  // namespace

/// One that is opened again whenever it was closed.
class Flood::Connection {
 public:
  Connection(Flood& flood, SSL_CTX* tls, int epoll, int number)
      : flood_(flood), tls_(tls), epoll_(epoll), number_(number) {}
  ~Connection() { Close(); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  bool open() const { return fd_ >= 0; }

  /// False when there is no descriptor or no port for it now.
  bool Open() {
    fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd_ < 0) return false;
    sockaddr_in from{};
    from.sin_family = AF_INET;
    from.sin_addr.s_addr =
        htonl(0x7f000101U + static_cast<uint32_t>(number_ % flood_.options_.addresses));
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons(static_cast<uint16_t>(flood_.options_.port));
    if (bind(fd_, reinterpret_cast<const sockaddr*>(&from), sizeof from) != 0 ||
        (connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0 &&
         errno != EINPROGRESS)) {
      Close();
      return false;
    }
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT | EPOLLET;
    event.data.ptr = this;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, fd_, &event);
    session_ = SSL_new(tls_);
    SSL_set_fd(session_, fd_);
    SSL_set_connect_state(session_);
    pending_ = Greeting();
    stream_ = 1;
    return true;
  }

  /// Something may be read or written.
  void Go() {
    if (Silent()) return WaitForItsEnd();
    // What is found out about this one is not to be taken for another's.
    ERR_clear_error();
    if (!Read()) return Closed();
    // So many turns for one before the others have theirs.
    constexpr int kTurns = 4;
    for (int turn = 0; turn < kTurns; ++turn) {
      if (pending_.empty() && SSL_is_init_finished(session_) == 1) pending_ = Next();
      if (pending_.empty()) return;
      const int written = SSL_write(session_, pending_.data(), static_cast<int>(pending_.size()));
      if (written <= 0) {
        if (!WantsMore(written)) Closed();
        return;
      }
      if (!greeted_) ++flood_.connected_;
      greeted_ = true;
      pending_.erase(0, static_cast<std::size_t>(written));
    }
    more_ = true;
  }
  /// Whether it stopped without having to.
  bool TakeMore() { return std::exchange(more_, false); }

 private:
  /// A third of those that only take descriptors says nothing, a third half of a greeting.
  bool Silent() const { return flood_.options_.kind == Kind::kConnections && number_ % 3 != 2; }

  void WaitForItsEnd() {
    constexpr std::string_view kHalfHello("\x16\x03\x01\x02\x00\x01\x00", 7);
    if (!greeted_) {
      const std::string_view greeting = number_ % 3 == 1 ? kHalfHello : "";
      if (send(fd_, greeting.data(), greeting.size(), MSG_NOSIGNAL) < 0) {
        if (errno != EAGAIN) Closed();
        return;
      }
      greeted_ = true;
      ++flood_.connected_;
    }
    char byte = 0;
    const ssize_t count = recv(fd_, &byte, 1, 0);
    if (count == 0 || (count < 0 && errno != EAGAIN)) Closed();
  }

  std::string Next() {
    switch (flood_.options_.kind) {
      case Kind::kRapidReset:
        return NextResets();
      case Kind::kUnfinishedHeaders:
        return NextHeaders();
      case Kind::kConnections:
        return "";
    }
    return "";
  }

  std::string NextResets() {
    constexpr int kCallsAtATime = 50;
    static const std::string headers = CallHeaders(kPath, /*tls=*/true);
    std::string frames;
    for (int i = 0; i < kCallsAtATime; ++i, stream_ += 2) {
      frames += Frame(kHeaders, kEndHeaders, stream_, headers);
      frames += Frame(kReset, 0, stream_, Number(8));
    }
    flood_.frames_ += 2 * kCallsAtATime;
    return frames;
  }

  std::string NextHeaders() {
    using namespace std::string_literals;
    // A value of 256 MiB: its length in HPACK.
    const std::string huge_value = "\x00\x01x\x7f\x81\xff\xff\x7f"s;
    std::string frames;
    if (stream_ == 1) {
      frames = Frame(kHeaders, 0, stream_,
                     CallHeaders(kPath, /*tls=*/true) + (number_ % 3 == 0 ? huge_value : ""));
      stream_ = 3;
    }
    constexpr int kPartsAtATime = 50;
    std::string part;
    if (number_ % 3 == 0) part = std::string(100, 'v');
    for (int i = 0; number_ % 3 == 1 && i < 20; ++i) part += "\x00\x01x\x01v"s;
    for (int i = 0; i < kPartsAtATime; ++i) frames += Frame(kContinuation, 0, 1, part);
    flood_.frames_ += kPartsAtATime;
    return frames;
  }

  /// Reads away whatever is there; false when the other side has closed.
  bool Read() {
    std::array<char, 16'384> ignored{};
    int count = 0;
    while ((count = SSL_read(session_, ignored.data(), ignored.size())) > 0) {
    }
    return WantsMore(count);
  }
  bool WantsMore(int result) const {
    const int error = SSL_get_error(session_, result);
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
  }

  void Closed() {
    ++flood_.closed_;
    Close();
  }
  void Close() {
    if (session_ != nullptr) SSL_free(session_);
    session_ = nullptr;
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
    greeted_ = false;
  }

  Flood& flood_;
  SSL_CTX* const tls_;
  const int epoll_;
  const int number_;
  int fd_ = -1;
  SSL* session_ = nullptr;
  std::string pending_;
  uint32_t stream_ = 1;
  bool greeted_ = false;
  bool more_ = false;
};

Flood::Flood(const Options& options)
    : options_(options), thread_([this](const std::stop_token& stop) { Run(stop); }) {}

Flood::~Flood() = default;

Flood::Counts Flood::counts() const {
  return {.connected = connected_, .closed = closed_, .frames = frames_, .cpu_micros = cpu_micros_};
}

Flood::Counts& Flood::Counts::operator+=(const Counts& more) {
  connected += more.connected;
  closed += more.closed;
  frames += more.frames;
  cpu_micros += more.cpu_micros;
  return *this;
}

void Flood::Run(const std::stop_token& stop) {
  // Who writes to a connection that was closed is not to end with it.
  sigset_t broken_pipe;
  sigemptyset(&broken_pipe);
  sigaddset(&broken_pipe, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &broken_pipe, nullptr);
  // Of this thread alone, on Linux.
  setpriority(PRIO_PROCESS, 0, options_.nice);
  const ContextPtr tls = NewContext();
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  {
    std::vector<std::unique_ptr<Connection>> connections;
    for (int i = 0; i < options_.connections; ++i) {
      connections.push_back(std::make_unique<Connection>(*this, tls.get(), epoll, i));
    }
    std::vector<Connection*> ready;
    std::array<epoll_event, 512> events{};
    while (!stop.stop_requested()) {
      bool all_open = true;
      for (const auto& connection : connections) {
        // Whoever finds no descriptor tries again later, with all that are closed behind it.
        if (!connection->open() && !connection->Open()) {
          all_open = false;
          break;
        }
      }
      const int patience_ms = !ready.empty() ? 0 : all_open ? 50 : 5;
      const int count =
          epoll_wait(epoll, events.data(), static_cast<int>(events.size()), patience_ms);
      for (int i = 0; i < count; ++i) {
        ready.push_back(static_cast<Connection*>(events[static_cast<std::size_t>(i)].data.ptr));
      }
      std::vector<Connection*> again;
      for (Connection* connection : ready) {
        if (!connection->open()) continue;
        connection->Go();
        if (connection->open() && connection->TakeMore()) again.push_back(connection);
      }
      ready = std::move(again);
      cpu_micros_ = CpuMicros();
    }
  }
  close(epoll);
}

std::string_view Name(Flood::Kind kind) {
  switch (kind) {
    case Flood::Kind::kRapidReset:
      return "rapid_reset";
    case Flood::Kind::kUnfinishedHeaders:
      return "unfinished_headers";
    case Flood::Kind::kConnections:
      return "connections";
  }
  return "";
}

}  // namespace allot::testing
