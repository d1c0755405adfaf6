#include "allot/rpc/server.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <grpc/grpc.h>
#include <grpc/support/time.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>

#include "allot/transport/server_address.h"
#include "rpc/identification.h"
#include "rpc/table_service.h"
#include "rpc/unknown_methods.h"

namespace allot::rpc {
namespace {

/// Who pings more often than this, twice, is let go: a ping costs its sender nothing.
constexpr int kPingIntervalLeastMs = 10'000;
/// A connection with calls under way and nothing to read is asked whether anybody is there, and
/// let go without an answer: watches would hold it for ever.
constexpr int kKeepaliveMs = 60'000;
constexpr int kKeepaliveAnswerMs = 20'000;
/// All headers of a call. The certificate that the edge hands on takes 1 to 4 KiB of them.
constexpr int kMetadataBytesMax = 16 * 1024;
/// For answers to reach their callers, once all are given.
constexpr std::chrono::seconds kLastBytes{1};

/// Reflection for this server, as asked; gRPC's own switch is for all servers of a process, and its
/// library turns it on by being linked.
class Reflection final : public grpc::ServerBuilderOption {
 public:
  explicit Reflection(bool wanted) : wanted_(wanted) {}
  void UpdateArguments(grpc::ChannelArguments*) override {}
  void UpdatePlugins(std::vector<std::unique_ptr<grpc::ServerBuilderPlugin>>* plugins) override {
    std::erase_if(*plugins, [](const auto& plugin) {
      return dynamic_cast<grpc::reflection::ProtoServerReflectionPlugin*>(plugin.get()) != nullptr;
    });
    if (wanted_) {
      plugins->push_back(std::make_unique<grpc::reflection::ProtoServerReflectionPlugin>());
    }
  }

 private:
  const bool wanted_;
};

/// "127.0.0.1:0" with the port that was taken.
std::string WithPort(const std::string& address, int port) {
  if (port <= 0 || address.starts_with("unix:")) return address;
  return address.substr(0, address.rfind(':') + 1) + std::to_string(port);
}

class GrpcServer final : public Server {
 public:
  GrpcServer(const control::Context& context, control::Planner& planner, Options options)
      : options_(std::move(options)),
        cluster_names_(context),
        journal_(options_.log, options_.registry, options_.steady_micros),
        seen_certificates_(options_.registry, options_.steady_micros),
        shared_commit_(context, {.calls_max = static_cast<std::size_t>(options_.queued_calls_max),
                                 .calls_a_party_max =
                                     static_cast<std::size_t>(options_.queued_calls_a_party_max)}),
        authenticator_(context, {.calls_max = static_cast<std::size_t>(options_.queued_calls_max),
                                 .calls_a_party_max =
                                     static_cast<std::size_t>(options_.queued_calls_a_party_max)}),
        pool_({.threads = options_.workers,
               .queue_max = options_.queued_calls_max,
               .line_max = options_.queued_calls_a_party_max,
               .threads_a_party = options_.workers_a_party}),
        awaiting_(
            pool_,
            {.calls_max = static_cast<std::size_t>(options_.awaiting_calls_max),
             .calls_a_party_max = static_cast<std::size_t>(options_.awaiting_calls_a_party_max)},
            options_.steady_micros, options_.poll_ms),
        hub_({.threads = options_.watch_threads,
              .watches_max = options_.watches_max,
              .watches_per_key_max = options_.watches_per_key_max,
              .watches_a_party_max = options_.watches_a_party_max,
              .stall_ms = options_.watch_stall_ms,
              .progress_ms = options_.watch_progress_ms,
              .poll_ms = options_.poll_ms,
              .steady_micros = options_.steady_micros}),
        identification_(options_.tls.get(), seen_certificates_, options_.tokens.get(),
                        authenticator_, pool_),
        gateway_(context, options_.tls.get(), seen_certificates_, journal_, identification_, pool_,
                 awaiting_, hub_),
        unknown_methods_(context.ids, journal_) {
    const Services services{context, planner, shared_commit_, cluster_names_};
    for (const auto& methods :
         {AllocationMethods(services), ProjectMethods(services), QuotaMethods(services),
          PoolMethods(services), ProviderMethods(services), PolicyMethods(services),
          OperatorMethods(services), ProposalMethods(services), MemberMethods(services)}) {
      services_.push_back(std::make_unique<TableService>(methods, gateway_));
    }
  }
  ~GrpcServer() override { Drain(0); }

  Status Listen() {
    grpc::EnableDefaultHealthCheckService(true);
    grpc::ServerBuilder builder;
    builder.SetMaxReceiveMessageSize(kReceivedBytesMax);
    // Nobody is asked for a key before the message is whole, and nobody has to send its end.
    grpc::ResourceQuota memory("calls");
    memory.Resize(options_.call_memory_bytes);
    builder.SetResourceQuota(memory);
    builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS,
                               options_.streams_per_connection_max);
    builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                               kPingIntervalLeastMs);
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveAnswerMs);
    builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, kMetadataBytesMax);
    // No oldest age of a connection: agents and watches have one for weeks, and are cut by it.
    builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS, options_.idle_connection_ms);
    builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, options_.handshake_ms);
    // Two servers on one port would share its calls at random.
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    builder.SetOption(std::make_unique<Reflection>(options_.reflection));
    for (const auto& service : services_) builder.RegisterService(service.get());
    builder.RegisterCallbackGenericService(&unknown_methods_);
    int port = 0;
    builder.AddListeningPort(
        options_.address,
        options_.tls ? options_.tls->Credentials() : grpc::InsecureServerCredentials(), &port);
    server_ = builder.BuildAndStart();
    if (!server_) {
      return StateError(Reason::kConfigInvalid,
                        "the address " + Printable(options_.address) +
                            " cannot be listened on: expected one of this machine that nobody "
                            "listens on");
    }
    address_ = WithPort(options_.address, port);
    return Ok{};
  }

  const std::string& address() const override { return address_; }

  void NotifyCommit() override {
    awaiting_.Notify();
    hub_.Notify();
  }

  void SetServing(bool serving) override {
    server_->GetHealthCheckService()->SetServingStatus(serving);
  }

  void Drain(int64_t grace_ms) override {
    if (!server_ || std::exchange(drained_, true)) return;
    gateway_.RefuseNew();
    server_->GetHealthCheckService()->SetServingStatus(false);
    hub_.EndAll(StateError(Reason::kShuttingDown, "the server is shutting down"));
    awaiting_.EndAll();
    if (options_.tokens) options_.tokens->EndWaits();
    {
      const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(grace_ms);
      const std::jthread cutting(
          [this, deadline](const std::stop_token& ended) { CutWhatIsLeft(ended, deadline); });
      server_->Shutdown(
          gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(grace_ms, GPR_TIMESPAN)));
    }
    hub_.Stop();
    awaiting_.Stop();
    authenticator_.Stop();
    pool_.Stop();
    shared_commit_.Stop();
  }

 private:
  /// gRPC waits for its own calls, too: who watches the health, or has sent half a message, would
  /// hold up the end for all of the grace. And it waits for ours until each has an answer, however
  /// long ago it was cut: what waits for a database that hangs gets one without it.
  void CutWhatIsLeft(const std::stop_token& ended, std::chrono::steady_clock::time_point deadline) {
    journal_.AwaitNone(deadline);
    std::mutex mutex;
    std::condition_variable_any wait;
    std::unique_lock lock(mutex);
    wait.wait_until(lock, ended, std::min(deadline, std::chrono::steady_clock::now() + kLastBytes),
                    [] { return false; });
    if (ended.stop_requested()) return;
    authenticator_.RefuseAll();
    grpc_server_cancel_all_calls(server_->c_server());
    shared_commit_.Stop();
  }

  const Options options_;
  ClusterNames cluster_names_;
  CallJournal journal_;
  SeenCertificates seen_certificates_;
  control::SharedCommit shared_commit_;
  Authenticator authenticator_;
  WorkerPool pool_;
  AwaitingCalls awaiting_;
  WatchHub hub_;
  Identification identification_;
  Gateway gateway_;
  UnknownMethods unknown_methods_;
  std::vector<std::unique_ptr<TableService>> services_;
  std::string address_;
  bool drained_ = false;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace

Result<std::unique_ptr<Server>> Server::Start(const control::Context& context,
                                              control::Planner& planner, Options options) {
  if (!options.tls && !transport::StaysOnThisMachine(options.address)) {
    return FieldError(Reason::kConfigInvalid, "address", options.address,
                      "an address of this machine, as the server has no certificate");
  }
  auto server = std::make_unique<GrpcServer>(context, planner, std::move(options));
  ALLOT_RETURN_IF_ERROR(server->Listen());
  return std::unique_ptr<Server>(std::move(server));
}

}  // namespace allot::rpc
