#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include <grpcpp/channel.h>
#include <grpcpp/security/credentials.h>

#include "allot/agent/connection.h"
#include "allot/transport/server_address.h"
#include "allot/v1/provider_service.grpc.pb.h"

namespace allot::agent {

/// The real server, over allot.v1.ProviderService. The API key goes with every call.
class GrpcConnection final : public Connection {
 public:
  struct Options {
    transport::ServerAddress server;
    std::shared_ptr<grpc::ChannelCredentials> credentials;
    std::string api_key;
    ProviderId provider;
    ClusterId cluster;
    GpuModel gpu_model = GpuModel::kH200;
    /// Told the certificate that the server shows, in PEM: the first time, and when it is another.
    std::function<void(const std::string& certificate)> on_server_certificate = {};
    /// Bound of a call that does not wait.
    int64_t call_deadline_ms = 5'000;
    /// Of a full inventory, and of an acknowledgement that must not be lost to a slow moment.
    int64_t long_call_deadline_ms = 15'000;
  };
  explicit GrpcConnection(Options options);

  /// Calls made from now on go over a connection of its own, with these; those under way go on.
  void Renew(const std::shared_ptr<grpc::ChannelCredentials>& credentials);

  Answer<Registration> Register(const std::string& request_id) override;
  Answer<int64_t> SyncInventory(const ReportHead& head,
                                const std::vector<NodeReport>& nodes) override;
  Answer<HeartbeatAnswer> Heartbeat(const ReportHead& head,
                                    const std::vector<NodeReport>& unhealthy) override;
  Answer<PulledOrders> PullOrders(int64_t session, Seconds wait) override;
  Answer<Ok> Acknowledge(int64_t session, const OrderId& order, const Outcome& outcome) override;
  void Interrupt() override;

 private:
  class Call;

  /// A channel and what calls over it.
  struct Link {
    std::shared_ptr<grpc::Channel> channel;
    std::unique_ptr<v1::ProviderService::Stub> stub;
  };

  std::shared_ptr<Link> MakeLink(
      const std::shared_ptr<grpc::ChannelCredentials>& credentials) const;
  std::shared_ptr<Link> link();
  bool interrupted();
  void NoteServerCertificate(const grpc::ClientContext& context);

  const Options options_;
  const std::string cluster_name_;
  std::mutex mutex_;
  std::shared_ptr<Link> link_;
  std::string server_certificate_;
  bool interrupted_ = false;
  /// Calls under way that Interrupt ends.
  std::set<grpc::ClientContext*> contexts_;
};

}  // namespace allot::agent
