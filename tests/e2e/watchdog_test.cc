// What a server does that still answers on the connections it has, and accepts no others.

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <iterator>

#include "e2e/installation.h"

namespace allot::testing {
namespace {

using ::testing::HasSubstr;

/// systemd's side of its notifications.
class Supervisor {
 public:
  Supervisor() : fd_(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = dir_ / "notify";
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address);
    // Inherited by the servers that the test starts.
    setenv("NOTIFY_SOCKET", path.c_str(), 1);     // NOLINT(concurrency-mt-unsafe)
    setenv("WATCHDOG_USEC", kWatchdogMicros, 1);  // NOLINT(concurrency-mt-unsafe)
  }
  ~Supervisor() {
    unsetenv("NOTIFY_SOCKET");  // NOLINT(concurrency-mt-unsafe)
    unsetenv("WATCHDOG_USEC");  // NOLINT(concurrency-mt-unsafe)
    close(fd_);
  }
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  /// Two seconds, for a probe each half of one.
  static constexpr const char* kWatchdogMicros = "2000000";
  static constexpr int kWatchdogMs = 2'000;

  /// Whether it is told this within `patience_ms`, among other things.
  bool Hears(std::string_view wanted, int patience_ms) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(patience_ms);
    for (;;) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
                            deadline - std::chrono::steady_clock::now())
                            .count();
      pollfd told{.fd = fd_, .events = POLLIN, .revents = 0};
      if (left <= 0 || poll(&told, 1, static_cast<int>(left)) <= 0) return false;
      char text[512];
      const ssize_t size = recv(fd_, text, sizeof text, 0);
      if (size > 0 && std::string_view(text, static_cast<std::size_t>(size)) == wanted) return true;
    }
  }

 private:
  TempDir dir_;
  int fd_;
};

std::ptrdiff_t DescriptorsOf(pid_t pid) {
  const std::filesystem::directory_iterator open("/proc/" + std::to_string(pid) + "/fd");
  return std::distance(begin(open), end(open));
}

/// Connections to the server that say nothing, more than it has descriptors for.
class Crowd {
 public:
  Crowd(const std::string& address, int count) {
    for (int i = 0; i < count; ++i) {
      const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      sockaddr_in to{};
      to.sin_family = AF_INET;
      const std::size_t colon = address.rfind(':');
      to.sin_port = htons(static_cast<uint16_t>(std::atoi(address.c_str() + colon + 1)));
      to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      EXPECT_EQ(connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to), 0);
      connections_.push_back(fd);
    }
  }
  ~Crowd() {
    for (const int fd : connections_) close(fd);
  }
  Crowd(const Crowd&) = delete;
  Crowd& operator=(const Crowd&) = delete;

 private:
  std::vector<int> connections_;
};

TEST(Watchdog, IsToldWhenTheServerServesAndThatItAnswersNewConnections) {
  Supervisor supervisor;
  const Installation nation;
  EXPECT_TRUE(supervisor.Hears("READY=1", 10'000));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(supervisor.Hears("WATCHDOG=1", Supervisor::kWatchdogMs));
}

TEST(Watchdog, IsAskedForTheTimeThatTheEndMayTake) {
  Supervisor supervisor;
  Installation nation("server: {drain_timeout: 10m}\n");
  nation.server().Signal(SIGTERM);
  EXPECT_TRUE(supervisor.Hears("STOPPING=1\nEXTEND_TIMEOUT_USEC=660000000", 10'000));
}

TEST(Watchdog, HearsNothingOfAServerThatAnswersOldConnectionsOnly) {
  Supervisor supervisor;
  Installation nation;
  ASSERT_TRUE(supervisor.Hears("WATCHDOG=1", 10'000));
  const auto watch = nation.StartAllot({"watch"});
  nation.RegisterSmallNation();

  constexpr rlim_t kLeft = 20;
  const pid_t server = nation.server().pid();
  rlimit few{};
  ASSERT_EQ(prlimit(server, RLIMIT_NOFILE, nullptr, &few), 0);
  few.rlim_cur = static_cast<rlim_t>(DescriptorsOf(server)) + kLeft;
  ASSERT_EQ(prlimit(server, RLIMIT_NOFILE, &few, nullptr), 0);
  {
    const Crowd crowd(nation.address(), kLeft + 20);
    const auto noticed = nation.server().AwaitErr(R"("event":"new_connections_not_answered")");
    ASSERT_TRUE(noticed);
    EXPECT_THAT(*noticed, HasSubstr(nation.address()));
  }
  // The crowd is gone, and the server is still not to be reached: gRPC 1.51 listens no more.
  while (supervisor.Hears("WATCHDOG=1", 0)) {
  }
  EXPECT_FALSE(supervisor.Hears("WATCHDOG=1", Supervisor::kWatchdogMs));
  EXPECT_TRUE(watch->running()) << "what was connected before goes on: " << watch->err();

  // What systemd does when it has heard nothing for so long.
  const Ended ended = nation.server().Terminate();
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  nation.StartServer();
  EXPECT_TRUE(supervisor.Hears("WATCHDOG=1", 10'000));
  EXPECT_EQ(nation.AllotJson({"providers"})["providers"].size(), 2U);
}

TEST(Watchdog, AServerThatMayHaveFewDescriptorsSaysSoAtItsStart) {
  const TempDir dir;
  Process server({"bash", "-c", "ulimit -n 1500 && exec \"$@\"", "-", Binary("allotd"), "serve",
                  "--data-dir", dir / "data", "--listen", "127.0.0.1:0", "--metrics-listen",
                  "off"});
  const auto warned = server.AwaitErr(R"("event":"descriptors_few")");
  ASSERT_TRUE(warned) << server.err();
  EXPECT_THAT(*warned, HasSubstr("\"limit\":1500"));
  EXPECT_TRUE(server.AwaitErr(R"("event":"serving")")) << "and serves";
}

}  // namespace
}  // namespace allot::testing
