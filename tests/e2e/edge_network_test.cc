// Who counts as one caller at the edge.

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <string>
#include <thread>

#include "support/process.h"
#include "support/temp_dir.h"

namespace allot::testing {
namespace {

/// The map of the edge's configuration, in an nginx that says what it makes of an address.
class Network : public ::testing::Test {
 protected:
  Network() {
    std::ifstream file("deploy/edge/nginx.conf");
    const std::string edge{std::istreambuf_iterator<char>(file), {}};
    const std::size_t map = edge.find("map $remote_addr $network");
    // Of stream, then of http.
    const std::string of_http = edge.substr(edge.rfind("map $remote_addr $network"));
    EXPECT_EQ(edge.substr(map, edge.find("\n    }", map) - map),
              of_http.substr(0, of_http.find("\n    }")));
    std::ofstream(dir_ / "nginx.conf")
        << "pid " << dir_ / "pid"
        << ";\nevents {}\nhttp {\n  access_log off;\n  "
        << of_http.substr(0, of_http.find("\n    }")) << "\n}\n"
        << TemporaryFolders() << "  set_real_ip_from unix:;\n  real_ip_header proxy_protocol;\n"
        << "  server { listen unix:" << socket_ << " proxy_protocol; return 200 $network; }\n}\n";
    nginx_.emplace(std::vector<std::string>{"/usr/sbin/nginx", "-p", dir_.path().string(), "-c",
                                            dir_ / "nginx.conf", "-e", "stderr", "-g",
                                            "daemon off;"});
    while (Ask("127.0.0.1").empty() && nginx_->running()) std::this_thread::yield();
    EXPECT_TRUE(nginx_->running()) << nginx_->err();
  }

  std::string TemporaryFolders() const {
    std::string lines;
    for (const std::string use : {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"}) {
      lines += "  " + use + "_temp_path " + dir_ / use + ";\n";
    }
    return lines;
  }

  /// What a caller from there is counted as.
  std::string Ask(const std::string& address) const {
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un to{};
    to.sun_family = AF_UNIX;
    socket_.copy(to.sun_path, sizeof to.sun_path - 1);
    std::string answer;
    if (connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0) {
      const bool v6 = address.find(':') != std::string::npos;
      const std::string question = "PROXY " + std::string(v6 ? "TCP6 " : "TCP4 ") + address +
                                   (v6 ? " ::1" : " 127.0.0.1") + " 1 2\r\nGET / HTTP/1.0\r\n\r\n";
      send(fd, question.data(), question.size(), MSG_NOSIGNAL);
      char bytes[4096];
      for (ssize_t count = 0; (count = recv(fd, bytes, sizeof bytes, 0)) > 0;) {
        answer.append(bytes, static_cast<std::size_t>(count));
      }
    }
    close(fd);
    const std::size_t body = answer.find("\r\n\r\n");
    return body == std::string::npos ? "" : answer.substr(body + 4);
  }

  TempDir dir_;
  const std::string socket_ = dir_ / "socket";
  std::optional<Process> nginx_;
};

TEST_F(Network, OfIpv6ANetworkIsOneCallerOfIpv4AnAddress) {
  EXPECT_EQ(Ask("192.0.2.1"), "\xc0" + std::string("\0\x02\x01", 3));
  EXPECT_NE(Ask("192.0.2.1"), Ask("192.0.2.2"));
  const std::string network = Ask("2001:db8:1:2:aaaa:bbbb:cccc:dddd");
  EXPECT_EQ(network, "2001:db8:1:2:");
  for (const char* address : {"2001:db8:1:2::1", "2001:db8:1:2:0:1:0:2", "2001:db8:1:2:ffff::"}) {
    EXPECT_EQ(Ask(address), network) << address;
  }
  EXPECT_NE(Ask("2001:db8:1:3::1"), network);
  EXPECT_EQ(Ask("2001:db8:1::1"), Ask("2001:db8:1::2:3:4"));
  EXPECT_NE(Ask("2001:db8:1::1"), Ask("2001:db8:2::1"));
  EXPECT_NE(Ask("::1"), Ask("::2"));
}

}  // namespace
}  // namespace allot::testing
