#include "support/edge.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <stdexcept>
#include <thread>

namespace allot::testing {
namespace {

sockaddr_in Loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(port));
  return address;
}

/// nginx does not say which port it was given.
int FreePort() {
  const int probe = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = Loopback(0);
  socklen_t size = sizeof address;
  bind(probe, reinterpret_cast<const sockaddr*>(&address), size);
  getsockname(probe, reinterpret_cast<sockaddr*>(&address), &size);
  close(probe);
  return ntohs(address.sin_port);
}

bool Accepts(int port) {
  const int probe = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = Loopback(port);
  const bool accepted =
      connect(probe, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  close(probe);
  return accepted;
}

}  // namespace

Edge::Edge(const Authority& authority, const std::string& server) : port_(FreePort()) {
  process_ = std::make_unique<Process>(std::vector<std::string>{
      "deploy/edge/edge", "run", "--server", server, "--listen", address(), "--certificates",
      authority.folder(), "--run", dir_.path().string()});
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  // The master listens before it has workers.
  while (!Accepts(port_) || pids().size() < 2) {
    if (!process_->running() || std::chrono::steady_clock::now() > deadline) {
      throw std::runtime_error("the edge does not serve:\n" + process_->err());
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

EdgeFirewall::EdgeFirewall(int port) : table_("allot_edge_" + std::to_string(port)) {
  const Ended made =
      RunToEnd({"sh", "-c", "deploy/edge/edge firewall --listen \"$0\" | /usr/sbin/nft -f -",
                std::to_string(port)});
  if (made.exit_code != 0) throw std::runtime_error("nftables takes no rules: " + made.err);
}

EdgeFirewall::~EdgeFirewall() { RunToEnd({"/usr/sbin/nft", "delete", "table", "inet", table_}); }

std::unique_ptr<EdgeFirewall> EdgeFirewall::Make(int port) {
  const std::string tries = "allot_edge_try_" + std::to_string(getpid());
  if (RunToEnd({"/usr/sbin/nft", "add table inet " + tries + "; delete table inet " + tries})
          .exit_code != 0) {
    return nullptr;
  }
  return std::unique_ptr<EdgeFirewall>(new EdgeFirewall(port));
}

std::vector<pid_t> Edge::pids() const {
  std::vector<pid_t> pids = {process_->pid()};
  const std::string master = std::to_string(process_->pid());
  std::ifstream children("/proc/" + master + "/task/" + master + "/children");
  for (pid_t worker = 0; children >> worker;) pids.push_back(worker);
  return pids;
}

}  // namespace allot::testing
