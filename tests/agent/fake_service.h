#pragma once

#include <google/protobuf/empty.pb.h>
#include <google/protobuf/unknown_field_set.h>
#include <google/rpc/status.pb.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "allot/v1/provider_service.grpc.pb.h"

namespace allot::agent {

/// A status as the server sends it: with the catalogue's reason in its details.
inline grpc::Status Refusal(grpc::StatusCode code, const std::string& reason,
                            const std::string& message) {
  google::protobuf::Empty info;
  auto* fields = info.GetReflection()->MutableUnknownFields(&info);
  *fields->AddLengthDelimited(1) = reason;
  *fields->AddLengthDelimited(2) = "allot.v1";
  google::rpc::Status details;
  details.set_code(code);
  details.set_message(message);
  auto* any = details.add_details();
  any->set_type_url("type.googleapis.com/google.rpc.ErrorInfo");
  any->set_value(info.SerializeAsString());
  return {code, message, details.SerializeAsString()};
}

/// ProviderService over loopback, with one cluster, in memory. Everything it saw can be looked at
/// and awaited.
class FakeService final : public v1::ProviderService::Service {
 public:
  /// Port 0 takes a free one.
  explicit FakeService(int port = 0) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:" + std::to_string(port), grpc::InsecureServerCredentials(),
                             &port_);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
  }
  ~FakeService() override { Shutdown(); }

  int port() const { return port_; }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  /// Gone, its port included; a server that is only shut down may still accept on it.
  void Shutdown() {
    if (server_ != nullptr) server_->Shutdown(std::chrono::system_clock::now());
    server_.reset();
  }

  /// Under the lock; wakes those who wait.
  void Change(const std::function<void(FakeService&)>& change) {
    const std::lock_guard lock(mutex_);
    change(*this);
    changed_.notify_all();
  }
  /// Under the lock.
  void Look(const std::function<void(const FakeService&)>& look) {
    const std::lock_guard lock(mutex_);
    look(*this);
  }
  /// Until it holds; false when it does not within ten seconds.
  bool Await(const std::function<bool(const FakeService&)>& holds) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(10), [&] { return holds(*this); });
  }

  grpc::Status RegisterAgent(grpc::ServerContext* context, const v1::RegisterAgentRequest* request,
                             v1::RegisterAgentResponse* response) override {
    const std::lock_guard lock(mutex_);
    if (auto refused = Begin("RegisterAgent", *context, request->cluster())) return *refused;
    gpu_model = request->gpu_model();
    request_ids.push_back(request->request_id());
    changed_.notify_all();
    const auto [known, is_new] = registrations.emplace(request->request_id(), session + 1);
    if (is_new || request->request_id().empty()) {
      generation = 0;
      known->second = ++session;
    }
    if (known->second != session) return Superseded();
    response->set_session(session);
    return grpc::Status::OK;
  }

  grpc::Status SyncInventory(grpc::ServerContext* context, const v1::SyncInventoryRequest* request,
                             v1::SyncInventoryResponse* response) override {
    const std::lock_guard lock(mutex_);
    if (auto refused = Begin("SyncInventory", *context, request->cluster())) return *refused;
    if (request->session() != session) return Superseded();
    generation = request->generation();
    inventory = *request;
    response->set_inventory_generation(generation);
    return grpc::Status::OK;
  }

  grpc::Status Heartbeat(grpc::ServerContext* context, const v1::HeartbeatRequest* request,
                         v1::HeartbeatResponse* response) override {
    const std::lock_guard lock(mutex_);
    if (auto refused = Begin("Heartbeat", *context, request->cluster())) return *refused;
    if (request->session() != session) return Superseded();
    heartbeat = *request;
    response->set_inventory_wanted(request->generation() != generation);
    response->mutable_heartbeat_expiry()->set_seconds(expiry_s);
    return grpc::Status::OK;
  }

  grpc::Status PullOrders(grpc::ServerContext* context, const v1::PullOrdersRequest* request,
                          v1::PullOrdersResponse* response) override {
    std::unique_lock lock(mutex_);
    if (auto refused = Begin("PullOrders", *context, request->cluster())) return *refused;
    const auto until =
        std::chrono::steady_clock::now() + std::chrono::seconds(request->wait().seconds());
    while (open.empty() && request->session() == session && !context->IsCancelled() &&
           std::chrono::steady_clock::now() < until) {
      changed_.wait_for(lock, std::chrono::milliseconds(20));
    }
    if (request->session() != session) return Superseded();
    for (const v1::Order& order : open) *response->add_orders() = order;
    return grpc::Status::OK;
  }

  grpc::Status AcknowledgeOrder(grpc::ServerContext* context,
                                const v1::AcknowledgeOrderRequest* request, v1::Order*) override {
    const std::lock_guard lock(mutex_);
    if (auto refused = Begin("AcknowledgeOrder", *context, "")) return *refused;
    if (request->session() != session) return Superseded();
    acknowledged.push_back(*request);
    std::erase_if(open, [&](const v1::Order& order) { return order.name() == request->name(); });
    return grpc::Status::OK;
  }

  static grpc::Status Superseded() {
    return Refusal(grpc::StatusCode::ABORTED, "AGENT_SUPERSEDED", "session 1 is not the last");
  }

  std::map<std::string, int> calls;
  /// Answers instead of the real ones, by method.
  std::map<std::string, grpc::Status> refusals;
  /// A method whose calls wait until they are cancelled or time out.
  std::string hanging;
  /// Of the last call.
  std::string authorization;
  std::string cluster;
  v1::GpuModel gpu_model{};
  /// Of every registration that was carried out, and the sessions they opened.
  std::vector<std::string> request_ids;
  std::map<std::string, int64_t> registrations;
  int64_t session = 0;
  int64_t generation = 0;
  int64_t expiry_s = 30;
  v1::SyncInventoryRequest inventory;
  v1::HeartbeatRequest heartbeat;
  std::vector<v1::Order> open;
  std::vector<v1::AcknowledgeOrderRequest> acknowledged;

 private:
  std::optional<grpc::Status> Begin(const std::string& method, grpc::ServerContext& context,
                                    const std::string& of_cluster) {
    ++calls[method];
    changed_.notify_all();
    const auto& metadata = context.client_metadata();
    const auto found = metadata.find("authorization");
    authorization =
        found == metadata.end() ? "" : std::string(found->second.data(), found->second.size());
    if (!of_cluster.empty()) cluster = of_cluster;
    while (hanging == method && !context.IsCancelled()) {
      mutex_.unlock();
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
      mutex_.lock();
    }
    const auto refusal = refusals.find(method);
    if (refusal != refusals.end()) return refusal->second;
    return std::nullopt;
  }

  int port_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::unique_ptr<grpc::Server> server_;
};

inline v1::Order MakeOrderMessage(const std::string& id, v1::Order::Kind kind,
                                  const std::string& node = "n1") {
  const std::string parent = "providers/naver/clusters/naver-a";
  v1::Order order;
  order.set_name(parent + "/orders/" + id);
  order.set_allocation("institutes/snu/projects/llm/allocations/train");
  order.set_attempt(1);
  order.set_kind(kind);
  order.set_state(v1::Order::STATE_OPEN);
  auto* gpus = order.add_nodes();
  gpus->set_node(parent + "/nodes/" + node);
  for (int i = 0; i < 8; ++i) gpus->add_gpu_indices(i);
  order.mutable_start_time()->set_seconds(1'000);
  order.mutable_end_time()->set_seconds(4'600);
  order.set_epoch(3);
  return order;
}

}  // namespace allot::agent
