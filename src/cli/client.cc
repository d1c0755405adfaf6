#include "cli/client.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include "allot/transport/channel_credentials.h"

namespace allot::cli {
namespace {

constexpr int kAnswerBytesMax = 64 << 20;

std::shared_ptr<grpc::Channel> Connect(const Connection& connection) {
  grpc::ChannelArguments arguments = transport::ChannelArgumentsFor(connection.server);
  // A command is short: where nobody listens it tries again soon, within its own deadline. What is
  // called the least pause is how long gRPC lets one attempt to connect take.
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 3'000);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 30'000);
  arguments.SetMaxReceiveMessageSize(kAnswerBytesMax);
  return grpc::CreateCustomChannel(connection.server.target, connection.credentials, arguments);
}

}  // namespace

Client::Client(const Connection& connection, CallPolicy policy, IdSource& ids, SeededRandom& random)
    : settings_{.server = connection.server.target,
                .key = connection.key,
                .policy = policy,
                .random = random,
                .renew_key = {},
                .on_trouble = {}},
      ids_(ids),
      channel_(Connect(connection)),
      stubs_(v1::AllocationService::NewStub(channel_), v1::ProjectService::NewStub(channel_),
             v1::QuotaService::NewStub(channel_), v1::PoolService::NewStub(channel_),
             v1::ProviderService::NewStub(channel_), v1::PolicyService::NewStub(channel_),
             v1::OperatorService::NewStub(channel_), v1::ProposalService::NewStub(channel_),
             v1::MemberService::NewStub(channel_)),
      services_(std::apply([](const auto&... stub) { return std::make_tuple(stub->async()...); },
                           stubs_)) {}

std::string Client::NextRequestId() {
  if (!request_id_.empty()) return std::exchange(request_id_, {});
  // In the groups of a UUID, so that people recognise it; 5 bits or more a character.
  std::string id = ids_.Mint(32);
  for (const std::size_t at : {20U, 16U, 12U, 8U}) id.insert(at, "-");
  return id;
}

std::unique_ptr<grpc::ClientReaderInterface<v1::WatchAllocationsResponse>> Client::Watch(
    grpc::ClientContext& context, const v1::WatchAllocationsRequest& request) {
  context.AddMetadata("authorization", "Bearer " + settings_.key);
  return std::get<std::unique_ptr<v1::AllocationService::StubInterface>>(stubs_)->WatchAllocations(
      &context, request);
}

Failure Client::WatchFailure(const grpc::Status& status) const {
  return FailureOf(status, settings_.server, "the time given");
}

}  // namespace allot::cli
