// Which key goes to which server, and how a connection is made.

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "fake_server.h"
#include "run.h"
#include "support/temp_dir.h"

namespace allot::cli::testing {
namespace {

namespace fs = std::filesystem;
using allot::testing::TempDir;
using Words = std::vector<std::string>;

/// This process is in the folder while it lives.
class InFolder {
 public:
  explicit InFolder(const fs::path& folder) : before_(fs::current_path()) {
    fs::current_path(folder);
  }
  ~InFolder() { fs::current_path(before_); }
  InFolder(const InFolder&) = delete;
  InFolder& operator=(const InFolder&) = delete;

 private:
  const fs::path before_;
};

class Folders : public ::testing::Test {
 protected:
  Folders() {
    runner_.variables.clear();
    runner_.variables["HOME"] = home_.path().string();
  }

  /// As `allotd serve --data-dir` leaves it.
  static void Fill(const fs::path& folder, const std::string& server, const std::string& key) {
    fs::create_directories(folder / "keys");
    fs::permissions(folder, fs::perms(0755));
    std::ofstream(folder / "keys/operator.key") << key << "\n";
    fs::permissions(folder / "keys/operator.key", fs::perms(0600));
    std::ofstream(folder / "server.address") << server << "\n";
  }
  fs::path InHome() const { return home_.path() / ".local/share/allot"; }
  std::string LastKey() const {
    const auto seen = server_.seen();
    return seen.empty() ? "" : seen.back().authorization;
  }

  TempDir home_;
  TempDir here_;
  const InFolder in_{here_.path()};
  FakeServer server_;
  Runner runner_{server_.address()};
};

TEST_F(Folders, AKeyGoesToTheServerOfItsFolderAndToNoOther) {
  Fill(InHome(), server_.address(), "allot_home_key");
  ASSERT_EQ(runner_.Run({"list"}).code, 0);
  EXPECT_EQ(LastKey(), "Bearer allot_home_key");
  const std::size_t calls = server_.seen().size();

  FakeServer other;
  for (const bool by_variable : {false, true}) {
    if (by_variable) runner_.variables["ALLOT_SERVER"] = other.address();
    const Ran ran =
        by_variable ? runner_.Run({"list"}) : runner_.Run({"--server", other.address(), "list"});
    EXPECT_EQ(ran.code, 4);
    EXPECT_NE(ran.err.find("found no API key for " + other.address()), std::string::npos)
        << ran.err;
    EXPECT_NE(ran.err.find("operator.key (which is for " + server_.address() + ")"),
              std::string::npos)
        << ran.err;
    EXPECT_NE(ran.err.find("--key-file"), std::string::npos) << "what to give";
  }
  EXPECT_TRUE(other.seen().empty());
  EXPECT_EQ(server_.seen().size(), calls);

  // What is named goes where it is sent.
  runner_.variables.erase("ALLOT_SERVER");
  EXPECT_EQ(
      runner_.Run({"--server", other.address(), "--data-dir", InHome().string(), "list"}).code, 0);
  fs::remove(InHome() / "server.address");
  const Ran stopped = runner_.Run({"--server", server_.address(), "list"});
  EXPECT_EQ(stopped.code, 4);
  EXPECT_NE(stopped.err.find("of a server that does not run"), std::string::npos) << stopped.err;
}

TEST_F(Folders, EachServerGetsTheKeyOfItsOwnFolder) {
  FakeServer other;
  Fill("allot-data", other.address(), "allot_here_key");
  Fill(InHome(), server_.address(), "allot_home_key");
  ASSERT_EQ(runner_.Run({"--server", server_.address(), "list"}).code, 0);
  EXPECT_EQ(LastKey(), "Bearer allot_home_key");
  ASSERT_EQ(runner_.Run({"list"}).code, 0);
  ASSERT_FALSE(other.seen().empty());
  EXPECT_EQ(other.seen().back().authorization, "Bearer allot_here_key");
}

TEST_F(Folders, AFolderThatOthersCouldHaveMadeIsIgnored) {
  FakeServer trap;
  Fill("allot-data", trap.address(), "allot_their_key");
  Fill(InHome(), server_.address(), "allot_home_key");
  fs::permissions("allot-data", fs::perms(0777));
  const Ran writable = runner_.Run({"list"});
  EXPECT_EQ(writable.code, 0) << writable.err;
  EXPECT_EQ(LastKey(), "Bearer allot_home_key");
  EXPECT_NE(writable.err.find("ignored ./allot-data"), std::string::npos) << writable.err;
  EXPECT_EQ(writable.err.find("ignored"), writable.err.rfind("ignored")) << "once";
  EXPECT_TRUE(trap.seen().empty());
  fs::permissions("allot-data", fs::perms(0755));
  if (::geteuid() == 0) {
    ASSERT_EQ(::chown("allot-data", 65'534, 65'534), 0);
    EXPECT_EQ(runner_.Run({"list"}).code, 0);
    // Nor through a link of theirs to a folder that is ours.
    fs::rename("allot-data", "ours");
    ASSERT_EQ(::chown("ours", 0, 0), 0);
    fs::create_symlink("ours", "allot-data");
    ASSERT_EQ(::lchown("allot-data", 65'534, 65'534), 0);
    EXPECT_EQ(runner_.Run({"list"}).code, 0);
    EXPECT_TRUE(trap.seen().empty());
    ASSERT_EQ(::lchown("allot-data", 0, 0), 0);
  }
  EXPECT_EQ(runner_.Run({"list"}).code, 0);
  EXPECT_EQ(trap.seen().size(), 1U) << "and one that is ours is not";
}

TEST_F(Folders, AKeyThatOthersMayReadIsRefused) {
  const std::string file = here_ / "member.key";
  std::ofstream(file) << FakeServer::kKey << "\n";
  const Words list = {"--server", server_.address(), "--key-file", file, "list"};
  for (const auto mode : {0644, 0640, 0622}) {
    fs::permissions(file, fs::perms(mode));
    const Ran ran = runner_.Run(list);
    EXPECT_EQ(ran.code, 4) << mode;
    EXPECT_NE(ran.err.find("may be read or written by others"), std::string::npos) << ran.err;
    EXPECT_NE(ran.err.find("chmod 600"), std::string::npos) << ran.err;
  }
  EXPECT_TRUE(server_.seen().empty());
  fs::permissions(file, fs::perms(0600));
  EXPECT_EQ(runner_.Run(list).code, 0);
}

/// Hands bytes on between whoever connects and a server, one connection at a time, and keeps the
/// first ones to itself for a while: as a connection over a long way that loses packets.
class SlowWay {
 public:
  SlowWay(const std::string& server, std::chrono::milliseconds delay)
      : port_(std::stoi(server.substr(server.rfind(':') + 1))), delay_(delay) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = Loopback(0);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(listener_, SOMAXCONN), 0);
    EXPECT_EQ(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    address_ = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
    thread_ = std::thread([this] { Serve(); });
  }
  ~SlowWay() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }
  SlowWay(const SlowWay&) = delete;
  SlowWay& operator=(const SlowWay&) = delete;

  const std::string& address() const { return address_; }

 private:
  static sockaddr_in Loopback(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<uint16_t>(port));
    return address;
  }

  void Serve() {
    for (;;) {
      const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (client < 0) return;
      const int server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      const sockaddr_in address = Loopback(port_);
      if (::connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
        // It is the way that takes so long: nothing happens that could be awaited.
        std::this_thread::sleep_for(delay_);
        while (HandOn(client, server)) {
        }
      }
      ::close(server);
      ::close(client);
    }
  }

  static bool HandOn(int client, int server) {
    std::array<pollfd, 2> ends = {pollfd{client, POLLIN, 0}, pollfd{server, POLLIN, 0}};
    if (::poll(ends.data(), ends.size(), -1) < 0) return false;
    for (std::size_t i = 0; i < ends.size(); ++i) {
      if (ends[i].revents == 0) continue;
      std::array<char, 65'536> bytes;
      const ssize_t count = ::recv(ends[i].fd, bytes.data(), bytes.size(), 0);
      if (count <= 0) return false;
      const int to = ends[1 - i].fd;
      if (::send(to, bytes.data(), static_cast<std::size_t>(count), MSG_NOSIGNAL) != count) {
        return false;
      }
    }
    return true;
  }

  const int port_;
  const std::chrono::milliseconds delay_;
  int listener_ = -1;
  std::string address_;
  std::thread thread_;
};

TEST(Connecting, MayTakeItsTime) {
  FakeServer server;
  const SlowWay way(server.address(), std::chrono::milliseconds(2'000));
  Runner runner(way.address());
  const Ran ran = runner.Run({"list"});
  EXPECT_EQ(ran.code, 0) << ran.err;
}

}  // namespace
}  // namespace allot::cli::testing
