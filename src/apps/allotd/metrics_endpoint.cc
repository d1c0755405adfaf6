#include "apps/allotd/metrics_endpoint.h"

#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <exception>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace allot::allotd {
namespace {

/// A connection that is closed at once.
void Knock(const std::string& host, const std::string& port) {
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), port.c_str(), nullptr, &found) != 0) return;
  for (const addrinfo* place = found; place != nullptr; place = place->ai_next) {
    const int knock = socket(place->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (knock < 0) continue;
    static_cast<void>(connect(knock, place->ai_addr, place->ai_addrlen));
    close(knock);
  }
  freeaddrinfo(found);
}

}  // namespace

Result<std::unique_ptr<MetricsEndpoint>> MetricsEndpoint::Listen(const std::string& listen) {
  try {
    // A connection that says nothing holds a thread for as long as it may.
    auto exposer = std::make_unique<prometheus::Exposer>(std::vector<std::string>{
        "listening_ports", listen, "num_threads", "16", "request_timeout_ms", "3000"});
    return std::unique_ptr<MetricsEndpoint>(
        new MetricsEndpoint(listen.substr(0, listen.rfind(':')), std::move(exposer)));
  } catch (const std::exception&) {
    return StateError(Reason::kConfigInvalid,
                      "metrics_listen: the address " + Printable(listen) +
                          " cannot be listened on: expected one of this machine that nobody "
                          "listens on");
  }
}

MetricsEndpoint::~MetricsEndpoint() {
  const std::string port = std::to_string(exposer_->GetListeningPorts().front());
  const std::string host = host_.front() == '[' ? host_.substr(1, host_.size() - 2) : host_;
  std::atomic<bool> ended = false;
  const std::jthread ending([this, &ended] {
    exposer_.reset();
    ended = true;
  });
  // The HTTP server looks whether it is to end only when somebody comes, or every two seconds.
  while (!ended) {
    Knock(host, port);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

void MetricsEndpoint::Add(const std::weak_ptr<prometheus::Collectable>& collectable) {
  exposer_->RegisterCollectable(collectable);
}

std::string MetricsEndpoint::address() const {
  return host_ + ":" + std::to_string(exposer_->GetListeningPorts().front());
}

}  // namespace allot::allotd
