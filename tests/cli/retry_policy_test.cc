// What docs/api.md publishes for other clients: gRPC takes it, and does by it what it says.
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <iterator>
#include <string>

#include "allot/v1/pool_service.grpc.pb.h"
#include "cli/fake_server.h"

namespace allot::cli::testing {
namespace {

constexpr const char* kMethod = "ListClusters";

class PublishedRetryPolicy : public ::testing::Test {
 protected:
  grpc::Status Call(const std::string& service_config) {
    grpc::ChannelArguments arguments;
    if (!service_config.empty()) arguments.SetServiceConfigJSON(service_config);
    v1::PoolService::Stub pool(grpc::CreateCustomChannel(
        server_.address(), grpc::InsecureChannelCredentials(), arguments));
    grpc::ClientContext context;
    context.AddMetadata("authorization", std::string("Bearer ") + FakeServer::kKey);
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
    v1::ListClustersRequest request;
    request.set_parent("providers/-");
    v1::ListClustersResponse clusters;
    return pool.ListClusters(&context, request, &clusters);
  }
  static std::string Published() {
    std::ifstream file("deploy/grpc-service-config.json");
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }

  FakeServer server_;
};

TEST_F(PublishedRetryPolicy, MeetsAServerThatGoesAwayAndComesBack) {
  server_.BreakNext(kMethod, 2);
  EXPECT_TRUE(Call(Published()).ok());
  EXPECT_EQ(server_.seen(kMethod).size(), 3U);
}

TEST_F(PublishedRetryPolicy, GivesUpInTheEnd) {
  server_.BreakNext(kMethod, 100);
  EXPECT_EQ(Call(Published()).error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(server_.seen(kMethod).size(), 5U);
}

TEST_F(PublishedRetryPolicy, WithoutItACallIsMadeOnce) {
  server_.BreakNext(kMethod, 2);
  EXPECT_FALSE(Call("").ok());
  EXPECT_EQ(server_.seen(kMethod).size(), 1U);
}

}  // namespace
}  // namespace allot::cli::testing
