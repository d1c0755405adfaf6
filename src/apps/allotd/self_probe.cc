#include "apps/allotd/self_probe.h"

#include <condition_variable>
#include <future>
#include <memory>
#include <mutex>
#include <utility>

#include <grpc/grpc_security_constants.h>
#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/security/tls_certificate_verifier.h>
#include <grpcpp/security/tls_credentials_options.h>
#include <grpcpp/support/byte_buffer.h>

#include "apps/allotd/json_log.h"

namespace allot::allotd {
namespace {

/// Debian has no stubs of grpc.health.v1.
constexpr const char* kCheck = "/grpc.health.v1.Health/Check";

/// No key is sent, so it does not matter who answers; and this server's own certificate names hosts
/// that it may not be reached by from here.
std::shared_ptr<grpc::ChannelCredentials> CredentialsOf(bool encrypted) {
  if (!encrypted) return grpc::InsecureChannelCredentials();
  grpc::experimental::TlsChannelCredentialsOptions options;
  options.set_verify_server_certs(false);
  options.set_check_call_host(false);
  options.set_certificate_verifier(std::make_shared<grpc::experimental::NoOpCertificateVerifier>());
  return grpc::experimental::TlsCredentials(options);
}

std::shared_ptr<grpc::Channel> NewConnection(const std::string& target, bool encrypted) {
  grpc::ChannelArguments arguments;
  // Otherwise the connection of the last probe would be taken again.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  return grpc::CreateCustomChannel(target, CredentialsOf(encrypted), arguments);
}

/// What is said of a way, in the metrics and in the log.
struct Words {
  const char* up;
  const char* up_help;
  const char* failures;
  const char* failures_help;
  const char* silent;
  const char* advice;
  const char* answered;
};

const Words& WordsOf(SelfProbe::Way way) {
  static constexpr Words kDirect{
      .up = "allot_probe_up",
      .up_help = "1 while the server answers its own probes through new connections.",
      .failures = "allot_probe_failures_total",
      .failures_help = "Probes through a new connection that were not answered.",
      .silent = "new_connections_not_answered",
      .advice = "Restart this server unless that is over within a minute.",
      .answered = "new_connections_answered"};
  static constexpr Words kThroughTheEdge{
      .up = "allot_edge_up",
      .up_help = "1 while the server answers its own probes through the edge.",
      .failures = "allot_edge_failures_total",
      .failures_help = "Probes through the edge that were not answered.",
      .silent = "edge_not_answered",
      .advice = "Look at the edge and at its certificates: docs/runbooks/certificate-expires.md.",
      .answered = "edge_answered"};
  return way == SelfProbe::Way::kDirect ? kDirect : kThroughTheEdge;
}

prometheus::Gauge& UpGauge(const Words& words, prometheus::Registry& registry) {
  return prometheus::BuildGauge().Name(words.up).Help(words.up_help).Register(registry).Add({}, 1);
}

prometheus::Counter& FailuresCounter(const Words& words, prometheus::Registry& registry) {
  return prometheus::BuildCounter()
      .Name(words.failures)
      .Help(words.failures_help)
      .Register(registry)
      .Add({});
}

}  // namespace

SelfProbe::SelfProbe(Options options, prometheus::Registry& registry)
    : options_(std::move(options)),
      up_(UpGauge(WordsOf(options_.way), registry)),
      failures_(FailuresCounter(WordsOf(options_.way), registry)),
      thread_([this](const std::stop_token& stop) { Run(stop); }) {}

void SelfProbe::Run(const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any wake;
  std::unique_lock lock(mutex);
  while (!stop.stop_requested()) {
    Probe(stop);
    wake.wait_for(lock, stop, options_.period, [] { return false; });
  }
}

void SelfProbe::Probe(const std::stop_token& stop) {
  const grpc::Status status = Ask(stop);
  if (stop.stop_requested()) return;
  if (status.ok() && options_.on_answer) options_.on_answer();
  if (!status.ok()) failures_.Increment();
  up_.Set(status.ok() ? 1 : 0);
  // Said once when it begins and once when it is over.
  const Words& words = WordsOf(options_.way);
  if (answered_ && !status.ok()) {
    LogWarning(
        words.silent,
        {{"target", options_.target}, {"cause", status.error_message()}, {"advice", words.advice}});
  }
  if (!answered_ && status.ok()) LogInfo(words.answered, {});
  answered_ = status.ok();
}

grpc::Status SelfProbe::Ask(const std::stop_token& stop) const {
  const auto channel = NewConnection(options_.target, options_.encrypted);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + options_.patience);
  const std::stop_callback end_sooner(stop, [&context] { context.TryCancel(); });
  // An empty message asks for the whole server. Which health it says does not matter: it has
  // accepted a connection and served a call.
  const grpc::Slice nothing;
  const grpc::ByteBuffer whole_server(&nothing, 1);
  grpc::ByteBuffer health;
  std::promise<grpc::Status> answer;
  grpc::GenericStub(channel).UnaryCall(
      &context, kCheck, grpc::StubOptions(), &whole_server, &health,
      [&answer](grpc::Status status) { answer.set_value(std::move(status)); });
  grpc::Status status = answer.get_future().get();
  if (status.ok() && options_.on_certificate) {
    const auto shown = context.auth_context()->FindPropertyValues(GRPC_X509_PEM_CERT_PROPERTY_NAME);
    if (!shown.empty()) options_.on_certificate(std::string(shown[0].data(), shown[0].size()));
  }
  return status;
}

}  // namespace allot::allotd
