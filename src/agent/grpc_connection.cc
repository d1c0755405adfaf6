#include "agent/grpc_connection.h"

#include <grpc/grpc_security_constants.h>
#include <grpcpp/channel.h>
#include <grpcpp/create_channel.h>

#include <utility>

#include "agent/call_failure.h"
#include "agent/order_message.h"
#include "allot/base/text.h"
#include "allot/transport/channel_credentials.h"

namespace allot::agent {
namespace {

constexpr int kOrdersMax = 1'000;
constexpr std::size_t kTextBytesMax = 500;
/// What a long poll may take beyond its wait.
constexpr int64_t kPullMarginMs = 10'000;
/// How long a call waits for a connection before it is tried without one.
constexpr int64_t kConnectWaitMs = 1'000;

gpr_timespec In(int64_t ms) {
  return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(ms, GPR_TIMESPAN));
}

std::shared_ptr<grpc::Channel> MakeChannel(
    const transport::ServerAddress& server,
    const std::shared_ptr<grpc::ChannelCredentials>& credentials) {
  grpc::ChannelArguments arguments = transport::ChannelArgumentsFor(server);
  // The agent paces its calls itself; the channel must be ready to try when they come.
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 3'000);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 2'000);
  // Finds out that the other side is gone without a word, and leaves time to reach another server
  // before this agent counts as silent. Heartbeats are more frequent, so a ping is sent only when
  // they bring nothing back.
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 12'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 3'000);
  return grpc::CreateCustomChannel(server.target, credentials, arguments);
}

/// The start of a text, as plain text within the API's bound.
std::string Fitting(std::string_view text) {
  std::string fitting;
  while (!text.empty()) {
    const auto character = FirstCharacter(text);
    const std::size_t bytes = character ? character->bytes : 1;
    const bool plain = character && !IsControl(character->code_point);
    if (fitting.size() + bytes > kTextBytesMax) break;
    fitting += plain ? text.substr(0, bytes) : " ";
    text.remove_prefix(bytes);
  }
  return fitting;
}

void Fill(const NodeReport& node, v1::NodeReport& message) {
  message.set_node_id(node.name);
  message.set_unhealthy(!node.healthy);
  message.set_reason(Fitting(node.reason));
  message.set_leaf(node.leaf);
}

}  // namespace

/// One call: its deadline and key, and its place among those that Interrupt ends.
class GrpcConnection::Call {
 public:
  enum class Interruption : uint8_t { kAllowed, kForbidden };

  Call(GrpcConnection& connection, int64_t deadline_ms, Interruption interruption)
      : connection_(connection), link_(connection.link()) {
    // A channel makes progress only while somebody waits on it. Calls that fail at once, with
    // sleeps between them, would leave a server that is back unnoticed for seconds.
    if (!connection.interrupted()) link_->channel->WaitForConnected(In(kConnectWaitMs));
    context_.set_deadline(In(deadline_ms));
    context_.AddMetadata("authorization", "Bearer " + connection.options_.api_key);
    if (interruption == Interruption::kForbidden) return;
    const std::lock_guard lock(connection_.mutex_);
    connection_.contexts_.insert(&context_);
    if (connection_.interrupted_) context_.TryCancel();
  }
  ~Call() {
    const std::lock_guard lock(connection_.mutex_);
    connection_.contexts_.erase(&context_);
  }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  grpc::ClientContext* context() { return &context_; }
  v1::ProviderService::Stub& stub() { return *link_->stub; }

 private:
  GrpcConnection& connection_;
  const std::shared_ptr<Link> link_;
  grpc::ClientContext context_;
};

GrpcConnection::GrpcConnection(Options options)
    : options_(std::move(options)),
      cluster_name_(ClusterName(options_.provider, options_.cluster)),
      link_(MakeLink(options_.credentials)) {}

std::shared_ptr<GrpcConnection::Link> GrpcConnection::MakeLink(
    const std::shared_ptr<grpc::ChannelCredentials>& credentials) const {
  auto channel = MakeChannel(options_.server, credentials);
  auto stub = v1::ProviderService::NewStub(channel);
  return std::make_shared<Link>(Link{std::move(channel), std::move(stub)});
}

std::shared_ptr<GrpcConnection::Link> GrpcConnection::link() {
  const std::lock_guard lock(mutex_);
  return link_;
}

void GrpcConnection::Renew(const std::shared_ptr<grpc::ChannelCredentials>& credentials) {
  auto link = MakeLink(credentials);
  const std::lock_guard lock(mutex_);
  link_ = std::move(link);
}

bool GrpcConnection::interrupted() {
  const std::lock_guard lock(mutex_);
  return interrupted_;
}

void GrpcConnection::Interrupt() {
  const std::lock_guard lock(mutex_);
  interrupted_ = true;
  for (grpc::ClientContext* context : contexts_) context->TryCancel();
}

void GrpcConnection::NoteServerCertificate(const grpc::ClientContext& context) {
  const auto shown = context.auth_context()->FindPropertyValues(GRPC_X509_PEM_CERT_PROPERTY_NAME);
  if (shown.empty() || !options_.on_server_certificate) return;
  std::string certificate(shown[0].data(), shown[0].size());
  {
    const std::lock_guard lock(mutex_);
    if (server_certificate_ == certificate) return;
    server_certificate_ = certificate;
  }
  options_.on_server_certificate(certificate);
}

Answer<Registration> GrpcConnection::Register(const std::string& request_id) {
  v1::RegisterAgentRequest request;
  request.set_cluster(cluster_name_);
  request.set_request_id(request_id);
  request.set_gpu_model(options_.gpu_model == GpuModel::kB200 ? v1::GPU_MODEL_B200
                                                              : v1::GPU_MODEL_H200);
  v1::RegisterAgentResponse response;
  Call call(*this, options_.call_deadline_ms, Call::Interruption::kAllowed);
  const grpc::Status status = call.stub().RegisterAgent(call.context(), request, &response);
  if (!status.ok()) return FailureOf(status);
  return Registration{response.session(), response.inventory_generation()};
}

Answer<int64_t> GrpcConnection::SyncInventory(const ReportHead& head,
                                              const std::vector<NodeReport>& nodes) {
  v1::SyncInventoryRequest request;
  request.set_cluster(cluster_name_);
  request.set_session(head.session);
  request.set_generation(head.generation);
  request.set_report(head.number);
  for (const NodeReport& node : nodes) Fill(node, *request.add_nodes());
  v1::SyncInventoryResponse response;
  Call call(*this, options_.long_call_deadline_ms, Call::Interruption::kAllowed);
  const grpc::Status status = call.stub().SyncInventory(call.context(), request, &response);
  if (!status.ok()) return FailureOf(status);
  return response.inventory_generation();
}

Answer<HeartbeatAnswer> GrpcConnection::Heartbeat(const ReportHead& head,
                                                  const std::vector<NodeReport>& unhealthy) {
  v1::HeartbeatRequest request;
  request.set_cluster(cluster_name_);
  request.set_session(head.session);
  request.set_generation(head.generation);
  request.set_report(head.number);
  for (const NodeReport& node : unhealthy) Fill(node, *request.add_unhealthy_nodes());
  v1::HeartbeatResponse response;
  Call call(*this, options_.call_deadline_ms, Call::Interruption::kAllowed);
  const grpc::Status status = call.stub().Heartbeat(call.context(), request, &response);
  if (!status.ok()) return FailureOf(status);
  NoteServerCertificate(*call.context());
  return HeartbeatAnswer{response.inventory_wanted(),
                         Seconds{response.heartbeat_expiry().seconds()}};
}

Answer<PulledOrders> GrpcConnection::PullOrders(int64_t session, Seconds wait) {
  v1::PullOrdersRequest request;
  request.set_cluster(cluster_name_);
  request.set_session(session);
  request.set_max_orders(kOrdersMax);
  if (wait > Seconds{0}) request.mutable_wait()->set_seconds(wait.count);
  v1::PullOrdersResponse response;
  Call call(*this, wait.count * 1'000 + kPullMarginMs, Call::Interruption::kAllowed);
  const grpc::Status status = call.stub().PullOrders(call.context(), request, &response);
  if (!status.ok()) return FailureOf(status);
  PulledOrders pulled;
  for (const v1::Order& message : response.orders()) {
    Result<Order> order = ParseOrder(message, options_.provider, options_.cluster);
    if (order.ok()) {
      pulled.orders.push_back(*std::move(order));
    } else {
      pulled.unreadable.push_back({OrderIdOf(message), order.error().message});
    }
  }
  return pulled;
}

Answer<Ok> GrpcConnection::Acknowledge(int64_t session, const OrderId& order,
                                       const Outcome& outcome) {
  v1::AcknowledgeOrderRequest request;
  request.set_name(OrderName(options_.provider, options_.cluster, order));
  request.set_session(session);
  request.set_outcome(outcome.done ? v1::AcknowledgeOrderRequest::OUTCOME_DONE
                                   : v1::AcknowledgeOrderRequest::OUTCOME_FAILED);
  request.set_message(Fitting(outcome.message));
  v1::Order response;
  Call call(*this, options_.long_call_deadline_ms, Call::Interruption::kForbidden);
  const grpc::Status status = call.stub().AcknowledgeOrder(call.context(), request, &response);
  if (status.ok()) return Ok{};
  Failure failure = FailureOf(status);
  // An order that is not there is not current either; if the cluster is gone, the next pull says
  // so.
  if (status.error_code() == grpc::StatusCode::NOT_FOUND) {
    failure.kind = Failure::Kind::kOrderNotCurrent;
  }
  return failure;
}

}  // namespace allot::agent
