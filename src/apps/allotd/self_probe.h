#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>

#include <grpcpp/support/status.h>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>

namespace allot::allotd {

/// Asks the server that it runs in for its health, regularly and through a new connection each
/// time. A server may go on answering on the connections it has and accept no others: gRPC 1.51
/// stops accepting for good once it ran out of descriptors (CVE-2023-4785). Says so in the log and
/// in allot_probe_up; what follows is the supervisor's to do. Through the edge it asks in the same
/// way, whose certificates may have ended while all is well here: allot_edge_up.
class SelfProbe {
 public:
  enum class Way : uint8_t { kDirect, kThroughTheEdge };
  struct Options {
    Way way = Way::kDirect;
    /// Where the server, or the edge, listens, as gRPC dials it, and whether it speaks TLS there.
    std::string target;
    bool encrypted = false;
    std::chrono::milliseconds period{15'000};
    /// For one answer.
    std::chrono::milliseconds patience{5'000};
    /// After each answer. Whoever awaits it hears nothing of a server that does not answer.
    std::function<void()> on_answer = {};
    /// With each answer, what was shown there, in PEM, whether or not it is to be believed.
    std::function<void(const std::string& certificate)> on_certificate = {};
  };

  /// Probes until destroyed.
  SelfProbe(Options options, prometheus::Registry& registry);

 private:
  void Run(const std::stop_token& stop);
  void Probe(const std::stop_token& stop);
  grpc::Status Ask(const std::stop_token& stop) const;

  const Options options_;
  prometheus::Gauge& up_;
  prometheus::Counter& failures_;
  bool answered_ = true;
  std::jthread thread_;
};

}  // namespace allot::allotd
