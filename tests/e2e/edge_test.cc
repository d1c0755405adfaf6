// The edge as shipped, a real nginx, in front of the real server.

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <iterator>

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include "allot/oidc/token_verifier.h"
#include "allot/store/private_cluster.h"
#include "allot/v1/pool_service.grpc.pb.h"
#include "e2e/installation.h"
#include "support/edge.h"
#include "support/flood.h"
#include "support/percent_encoded.h"

namespace allot::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string ReadWhole(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// One nation behind an edge for all of them, because it takes seconds to start; nothing is left
/// behind that another test would meet.
class EdgeTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    authority_.emplace();
    authority_->MakeServer();
    authority_->MakeEdge();
    for (const char* provider : {"naver", "kakao"}) authority_->MakeProvider(provider);
    nation_.emplace(*authority_);
    edge_.emplace(*authority_, server_address());
    nation_->PutBehind("https://" + edge_->address());
    nation_->RegisterSmallNation();
  }
  static void TearDownTestSuite() {
    edge_.reset();
    nation_.reset();
    authority_.reset();
  }

  /// What a call with Naver's key is answered, on a connection made with a certificate of
  /// `authority`, or with none, and with a header that only the edge may send.
  static std::string CallAsNaver(const std::string& address, const Authority* authority,
                                 const std::string& certificate, const std::string& header = "") {
    grpc::SslCredentialsOptions options{.pem_root_certs = ReadWhole(authority_->ca())};
    if (authority != nullptr) {
      options.pem_cert_chain = ReadWhole(authority->certificate(certificate));
      options.pem_private_key = ReadWhole(authority->key(certificate));
    }
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    const auto channel =
        grpc::CreateCustomChannel(address, grpc::SslCredentials(options), arguments);
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kPatience);
    std::string key = ReadWhole(nation_->ProviderKey("naver"));
    key.erase(key.find_last_not_of('\n') + 1);
    context.AddMetadata("authorization", "Bearer " + key);
    if (!header.empty()) context.AddMetadata("allot-client-certificate", header);
    v1::ListClustersResponse clusters;
    v1::ListClustersRequest request;
    request.set_parent("providers/naver");
    const auto status =
        v1::PoolService::NewStub(channel)->ListClusters(&context, request, &clusters);
    return status.ok() ? "OK" : std::to_string(status.error_code()) + " " + status.error_message();
  }
  static std::string Forwarded(const std::string& provider) {
    return PercentEncoded(ReadWhole(authority_->certificate(provider)));
  }
  static std::string server_address() {
    return nation_->address().substr(std::string("https://").size());
  }

  static inline std::optional<Authority> authority_;
  static inline std::optional<Installation> nation_;
  static inline std::optional<Edge> edge_;
};

TEST_F(EdgeTest, ATokenOfTheLargestSizeComesThrough) {
  const TempDir folder;
  const std::string file = folder / "token";
  std::ofstream(file) << "a.b." << std::string(oidc::kTokenBytesMax - 4, 'c') << "\n";
  std::filesystem::permissions(file, std::filesystem::perms(0600));
  const Ended ended = nation_->AllotAs(file, {"clusters"});
  EXPECT_EQ(ended.exit_code, 4);
  EXPECT_THAT(ended.err, HasSubstr("token_invalid")) << "the server's word, not the edge's";
}

TEST_F(EdgeTest, WorkIsHandedOverAndTakenBackThroughIt) {
  const auto agent = nation_->StartAgent("naver-a");
  const auto watch = nation_->StartAllot({"watch"});
  const Ended submitted =
      nation_->Allot({"submit", "snu/llm", "--gpus", "8", "--for", "1h", "--name", "a1", "--wait"});
  EXPECT_EQ(submitted.exit_code, 0) << submitted.err;
  EXPECT_TRUE(watch->AwaitOut("a1")) << watch->err();
  EXPECT_EQ(nation_->StateOf("snu/llm/a1"), "active");
  const Ended released = nation_->Allot({"release", "snu/llm/a1", "--reason", "done", "--wait"});
  EXPECT_EQ(released.exit_code, 0) << released.err;
}

TEST_F(EdgeTest, AProviderNeedsItsOwnCertificateThere) {
  EXPECT_EQ(CallAsNaver(edge_->address(), &*authority_, "naver"), "OK");
  EXPECT_THAT(CallAsNaver(edge_->address(), &*authority_, "kakao"), HasSubstr("certificate of"));
  EXPECT_THAT(CallAsNaver(edge_->address(), nullptr, ""), HasSubstr("certificate of"));
}

TEST_F(EdgeTest, TheServerSaysWhenItsCertificateAndThoseThatItHandsOnEnd) {
  EXPECT_EQ(CallAsNaver(edge_->address(), &*authority_, "naver"), "OK");
  const std::string metrics = nation_->Metrics();
  for (const char* holder : {"edge", "providers/naver"}) {
    EXPECT_THAT(metrics, HasSubstr("allot_certificate_expiry_timestamp_seconds{holder=\"" +
                                   std::string(holder) + "\"} "));
  }
}

TEST_F(EdgeTest, AServerLooksAtTheEdgeFromOutside) {
  const TempDir dir;
  const auto serve_behind = [&](const std::string& edge) {
    std::ofstream(dir / "allotd.yaml") << "server: {edge: '" << edge << "'}\n";
    return std::make_unique<Process>(std::vector<std::string>{
        Binary("allotd"), "serve", "--database",
        *store::PrivateCluster::RunningUrl(nation_->data_dir()), "--listen", "127.0.0.1:0",
        "--metrics-listen", "127.0.0.1:0", "--config", dir / "allotd.yaml"});
  };
  const auto silent = serve_behind("127.0.0.1:9");
  ASSERT_TRUE(silent->AwaitErr(R"("event":"edge_not_answered")")) << silent->err();
  EXPECT_THAT(MetricsOf(*silent), HasSubstr("allot_edge_up 0"));
  EXPECT_THAT(MetricsOf(*silent), HasSubstr("allot_probe_up 1"));

  const auto server = serve_behind(edge_->address());
  ASSERT_TRUE(server->AwaitErr(R"("event":"serving")")) << server->err();
  std::string metrics;
  while (metrics.find("holder=\"edge_front\"") == std::string::npos) {
    metrics = MetricsOf(*server);
    ASSERT_TRUE(server->running()) << server->err();
  }
  EXPECT_THAT(metrics, HasSubstr("allot_edge_up 1"));
}

TEST_F(EdgeTest, APortAloneIsOfEveryAddress) {
  // In a network of its own, where every address is this machine's.
  const TempDir run;
  const Ended ended = RunToEnd(
      {"unshare", "--net", "bash", "-c",
       R"(ip link set lo up && { deploy/edge/edge run --listen 8443 --certificates "$1" --run "$2" & } &&
          for at in 127.0.0.1 '[::1]'; do
            until openssl s_client -connect "$at:8443" </dev/null 2>/dev/null | openssl x509 -noout -subject 2>/dev/null; do
              [ $((++tries)) -lt 200 ] && sleep 0.05 || break
            done
          done
          kill %1; wait)",
       "-", authority_->folder(), run.path().string()});
  if (ended.err.find("unshare failed") != std::string::npos) GTEST_SKIP() << ended.err;
  EXPECT_EQ(ended.out, "subject=CN = 127.0.0.1\nsubject=CN = 127.0.0.1\n") << ended.err;
}

TEST_F(EdgeTest, WhatACallerSaysOfItsCertificateIsNotBelieved) {
  const std::string naver = Forwarded("naver");
  for (const std::string& address : {edge_->address(), server_address()}) {
    EXPECT_THAT(CallAsNaver(address, nullptr, "", naver), HasSubstr("certificate of")) << address;
    EXPECT_THAT(CallAsNaver(address, &*authority_, "kakao", naver), HasSubstr("certificate of"))
        << address;
    EXPECT_EQ(CallAsNaver(address, &*authority_, "naver", Forwarded("kakao")), "OK") << address;
  }
}

TEST_F(EdgeTest, ACertificateThatIsNotGoodOpensNothing) {
  const Authority stranger;
  stranger.MakeProvider("naver");
  authority_->MakeProvider("late", {"--days", "-1"});
  for (const auto& [authority, name] :
       {std::pair<const Authority*, const char*>(&stranger, "naver"), {&*authority_, "late"}}) {
    EXPECT_EQ(CallAsNaver(edge_->address(), authority, name),
              "16 the certificate of this connection is not valid here");
  }
}

TEST_F(EdgeTest, CertificatesAreReadAgainOnSighup) {
  authority_->MakeServer({"--days", "10"});
  const auto shown = [&] {
    return RunToEnd({"openssl", "s_client", "-connect", edge_->address(), "-showcerts"}).out;
  };
  const std::string certificate = ReadWhole(authority_->certificate("server"));
  EXPECT_THAT(shown(), ::testing::Not(HasSubstr(certificate)));
  edge_->process().Signal(SIGHUP);
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (shown().find(certificate) == std::string::npos) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline);
  }
  EXPECT_EQ(nation_->Allot({"clusters"}).exit_code, 0);
}

TEST_F(EdgeTest, SpeaksTls13AndHttp2AndNothingOlder) {
  const auto handshake = [&](const char* version) {
    return RunToEnd({"openssl", "s_client", "-connect", edge_->address(), "-alpn", "h2", version})
        .out;
  };
  EXPECT_THAT(handshake("-tls1_3"), HasSubstr("ALPN protocol: h2"));
  EXPECT_THAT(handshake("-tls1_2"), HasSubstr("no peer certificate available"));
}

TEST_F(EdgeTest, AServerThatIsGoneIsUnavailable) {
  const Edge before_nobody(*authority_, "127.0.0.1:9");
  EXPECT_EQ(CallAsNaver(before_nobody.address(), &*authority_, "naver"),
            "14 allotd does not answer the edge");
}

/// What a call with that many bytes in the first text of its request is answered there.
std::string CallWithMuch(const std::string& address, const Authority& authority,
                         const std::string& path, std::size_t bytes) {
  const grpc::SslCredentialsOptions options{.pem_root_certs = ReadWhole(authority.ca())};
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  grpc::GenericStub stub(
      grpc::CreateCustomChannel(address, grpc::SslCredentials(options), arguments));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kPatience);
  v1::ListClustersRequest request;
  request.set_parent(std::string(bytes, 'x'));
  const grpc::Slice slice(request.SerializeAsString());
  const grpc::ByteBuffer message(&slice, 1);
  grpc::ByteBuffer response;
  std::promise<grpc::Status> ended;
  stub.UnaryCall(&context, path, grpc::StubOptions(), &message, &response,
                 [&](grpc::Status status) { ended.set_value(std::move(status)); });
  const grpc::Status status = ended.get_future().get();
  return std::to_string(status.error_code()) + " " + status.error_message();
}

TEST_F(EdgeTest, OnlyWhatMayBeLargeIs) {
  constexpr char kList[] = "/allot.v1.PoolService/ListClusters";
  constexpr char kSync[] = "/allot.v1.ProviderService/SyncInventory";
  const auto call = [&](const char* path, std::size_t bytes) {
    return CallWithMuch(edge_->address(), *authority_, path, bytes);
  };
  EXPECT_THAT(call(kList, 100'000), HasSubstr("16 ")) << "the server's word: there is no key";
  EXPECT_THAT(call(kList, 300'000), StartsWith("3 the message is not allowed"));
  EXPECT_THAT(call(kSync, 300'000), HasSubstr("16 "));
  // Side by side: a connection is read at 256 KiB a second.
  auto beyond = std::async(std::launch::async, [&] { return call(kSync, 5'500'000); });
  EXPECT_THAT(call(kSync, 4'500'000), HasSubstr("16 "));
  EXPECT_THAT(beyond.get(), StartsWith("3 the message is not allowed"));
}

TEST_F(EdgeTest, NobodyReflectsThere) {
  EXPECT_THAT(CallWithMuch(edge_->address(), *authority_,
                           "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", 1),
              StartsWith("12 the edge hands on no reflection"));
}

TEST_F(EdgeTest, SaysTheServersOwnReasons) {
  const Ended unknown = nation_->Allot({"get", "snu/llm/nobody"});
  EXPECT_EQ(unknown.exit_code, 4) << unknown.err;
  EXPECT_THAT(unknown.err, HasSubstr("not_found"));
}

/// A socket of that address that connects, or has begun to where `flags` has SOCK_NONBLOCK.
int ConnectFrom(const char* from, int port, int flags = 0) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  inet_pton(AF_INET, from, &address.sin_addr);
  bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
  address.sin_port = htons(static_cast<uint16_t>(port));
  const bool connects =
      connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  EXPECT_TRUE(connects || errno == EINPROGRESS) << errno;
  return fd;
}

/// Connections from one address to the edge that are still there after `wait_ms`.
int ConnectionsKept(int port, const char* from, int wanted, int wait_ms) {
  std::vector<pollfd> connections;
  for (int i = 0; i < wanted; ++i) {
    connections.push_back({.fd = ConnectFrom(from, port), .events = POLLIN, .revents = 0});
  }
  // What is closed becomes readable, one after the other.
  int kept = wanted;
  while (poll(connections.data(), connections.size(), wait_ms) > 0) {
    for (pollfd& connection : connections) {
      if (connection.fd < 0 || connection.revents == 0) continue;
      close(connection.fd);
      connection.fd = -1;
      --kept;
    }
  }
  for (const pollfd& connection : connections) {
    if (connection.fd >= 0) close(connection.fd);
  }
  return kept;
}

TEST_F(EdgeTest, AnAddressHasSoManyConnectionsAndOthersHaveTheirs) {
  EXPECT_EQ(ConnectionsKept(edge_->port(), "127.0.2.1", 100, 1'000), 64);
  EXPECT_EQ(nation_->Allot({"clusters"}).exit_code, 0);
}

/// From an address; closed again when destroyed.
class Connections {
 public:
  Connections(int port, const char* from, int wanted) {
    for (int i = 0; i < wanted; ++i) {
      const int fd = ConnectFrom(from, port, SOCK_NONBLOCK);
      waiting_.push_back({.fd = fd, .events = POLLOUT, .revents = 0});
    }
  }
  ~Connections() {
    for (const pollfd& connection : waiting_) close(connection.fd);
  }
  Connections(const Connections&) = delete;
  Connections& operator=(const Connections&) = delete;

  /// How many were let in until now.
  int Made(std::chrono::milliseconds patience) {
    poll(waiting_.data(), waiting_.size(), static_cast<int>(patience.count()));
    made_ += static_cast<int>(std::erase_if(waiting_, [](const pollfd& connection) {
      if (connection.revents != 0) close(connection.fd);
      return connection.revents != 0;
    }));
    return made_;
  }

 private:
  std::vector<pollfd> waiting_;
  int made_ = 0;
};

TEST_F(EdgeTest, AnAddressConnectsOnlySoOftenAndOthersMeanwhile) {
  const auto firewall = EdgeFirewall::Make(edge_->port());
  if (firewall == nullptr) GTEST_SKIP() << "this user may make no rules of nftables";
  const auto start = std::chrono::steady_clock::now();
  Connections many(edge_->port(), "127.0.2.2", 600);
  const int at_once = many.Made(std::chrono::milliseconds(0));
  const auto took = std::chrono::duration<double>(std::chrono::steady_clock::now() - start);
  EXPECT_GE(at_once, 128);
  EXPECT_LE(at_once, 128 + 32 * took.count() + 1);
  EXPECT_EQ(nation_->Allot({"clusters"}).exit_code, 0);
  // Who was not let in tries again by itself.
  EXPECT_GT(many.Made(kPatience), at_once);
}

class EdgeUnderFlood : public EdgeTest, public ::testing::WithParamInterface<Flood::Kind> {};

TEST_P(EdgeUnderFlood, OthersAreServedMeanwhileAndAfter) {
  const std::string name = "a-" + std::to_string(static_cast<int>(GetParam()));
  const auto agent = nation_->StartAgent("naver-a");
  {
    const Flood flood({.kind = GetParam(), .port = edge_->port(), .connections = 100, .nice = 19});
    while (flood.counts().connected < 40) usleep(1'000);
    // Each by a connection of its own.
    for (int i = 0; i < 5; ++i) {
      const Ended listed = nation_->Allot({"clusters"});
      EXPECT_EQ(listed.exit_code, 0) << listed.err << edge_->process().err();
    }
    const Ended submitted = nation_->Allot(
        {"submit", "snu/llm", "--gpus", "8", "--for", "1h", "--name", name, "--wait"});
    EXPECT_EQ(submitted.exit_code, 0) << submitted.err;
  }
  const Ended released =
      nation_->Allot({"release", "snu/llm/" + name, "--reason", "done", "--wait"});
  EXPECT_EQ(released.exit_code, 0) << released.err;
  EXPECT_TRUE(nation_->server().running());
  EXPECT_TRUE(edge_->process().running());
}

INSTANTIATE_TEST_SUITE_P(Floods, EdgeUnderFlood,
                         ::testing::Values(Flood::Kind::kRapidReset,
                                           Flood::Kind::kUnfinishedHeaders,
                                           Flood::Kind::kConnections),
                         [](const auto& flood) { return std::string(Name(flood.param)); });

}  // namespace
}  // namespace allot::testing
