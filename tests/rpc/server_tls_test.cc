#include "allot/rpc/server_tls.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fstream>

#include "rpc/api_fixture.h"
#include "support/authority.h"
#include "support/percent_encoded.h"
#include "support/process.h"

namespace allot::rpc {
namespace {

using ::testing::HasSubstr;

/// Before anything of gRPC, as a server's main does.
const bool kOnlyTls13 = (AllowOnlyTls13(), true);

std::string ReadWhole(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

Instant WallNow() {
  return Instant::FromSeconds(std::chrono::duration_cast<std::chrono::seconds>(
                                  std::chrono::system_clock::now().time_since_epoch())
                                  .count());
}

class ServerTlsTest : public Api {
 protected:
  void SetUp() override {
    Api::SetUp();
    authority_.MakeServer();
    for (const char* provider : {"prov", "other"}) authority_.MakeProvider(provider);
  }

  void ServeTls(const std::string& client_ca) {
    auto tls = ServerTls::Load({.certificate = {"certificate", authority_.certificate("server")},
                                .key = {"key", authority_.key("server")},
                                .client_ca = {"client_ca", client_ca},
                                .trust_domain = "allot"},
                               WallNow());
    ASSERT_TRUE(tls.ok()) << Describe(tls.error());
    options_.tls = *tls;
    auto started = Server::Start(*context_, *planner_, options_);
    ASSERT_TRUE(started.ok()) << Describe(started.error());
    server_ = std::move(started).value();
    ConnectAs(authority_, "");
  }

  /// From now on over a connection that shows a certificate; of nobody when `name` is empty.
  void ConnectAs(const testing::Authority& authority, const std::string& name) {
    grpc::SslCredentialsOptions options{.pem_root_certs = ReadWhole(authority_.ca())};
    if (!name.empty()) {
      options.pem_cert_chain = ReadWhole(authority.certificate(name));
      options.pem_private_key = ReadWhole(authority.key(name));
    }
    channel_ = grpc::CreateChannel(server_->address(), grpc::SslCredentials(options));
  }

  /// Provider "prov", with a key.
  void AddProvider() {
    EXPECT_EQ(ReasonOf(Call<v1::PoolService>(operator_key_, &Pool::CreateProvider,
                                             "provider_id: 'prov'")),
              "OK");
    agent_key_ = KeyFor("role: ROLE_PROVIDER provider: 'providers/prov'");
  }
  std::string List(const std::string& key) {
    return ReasonOf(Call<v1::PoolService>(key, &Pool::ListProviders, ""));
  }
  /// With the provider's key, and what an edge would say of its callers' certificates.
  std::string ListForwarding(const std::vector<std::string>& certificates) {
    auto context = As(agent_key_);
    for (const std::string& certificate : certificates) {
      context->AddMetadata("allot-client-certificate", certificate);
    }
    v1::ListProvidersResponse ignored;
    return ReasonOf(Pool(channel_).ListProviders(context.get(), {}, &ignored));
  }
  /// As nginx writes a certificate into a header.
  std::string PercentEncoded(const std::string& provider) const {
    return testing::PercentEncoded(ReadWhole(authority_.certificate(provider)));
  }
  /// What a stranger's TLS client is told.
  std::string Handshake(std::vector<std::string> options) const {
    options.insert(options.begin(), {"openssl", "s_client", "-connect", server_->address(),
                                     "-CAfile", authority_.ca(), "-alpn", "h2"});
    return testing::RunToEnd(options).out;
  }

  /// The certificate that a new connection meets, in PEM.
  std::string Shown() const {
    const std::string told = Handshake({"-showcerts"});
    constexpr std::string_view kEnd = "-----END CERTIFICATE-----";
    const auto begin = told.find("-----BEGIN CERTIFICATE-----");
    const auto end = told.find(kEnd);
    EXPECT_NE(end, std::string::npos) << told;
    return end == std::string::npos ? "" : told.substr(begin, end + kEnd.size() - begin);
  }

  testing::Authority authority_;
};

TEST_F(ServerTlsTest, SpeaksTls13AndNothingOlder) {
  ServeTls("");
  EXPECT_EQ(List(operator_key_), "OK");
  EXPECT_THAT(Handshake({"-tls1_3"}), HasSubstr("Verify return code: 0 (ok)"));
  EXPECT_THAT(Handshake({"-tls1_2"}), HasSubstr("no peer certificate available"));
  // Nor with what plain text would be.
  channel_ = grpc::CreateChannel(server_->address(), grpc::InsecureChannelCredentials());
  EXPECT_THAT(List(operator_key_), HasSubstr("without a reason"));
}

TEST_F(ServerTlsTest, AClientThatDoesNotKnowTheAuthorityOrTheNameGoesNoFurther) {
  ServeTls("");
  channel_ = grpc::CreateChannel(server_->address(), grpc::SslCredentials({}));
  EXPECT_THAT(List(operator_key_), HasSubstr("without a reason"));
  grpc::ChannelArguments arguments;
  arguments.SetSslTargetNameOverride("pool.example");
  channel_ = grpc::CreateCustomChannel(
      server_->address(), grpc::SslCredentials({.pem_root_certs = ReadWhole(authority_.ca())}),
      arguments);
  EXPECT_THAT(List(operator_key_), HasSubstr("without a reason"));
}

TEST_F(ServerTlsTest, AProviderNeedsItsKeyAndItsCertificate) {
  ServeTls(authority_.ca());
  AddProvider();
  EXPECT_EQ(List(operator_key_), "OK") << "people need no certificate";
  EXPECT_EQ(List(agent_key_), "CERTIFICATE_REQUIRED");
  ConnectAs(authority_, "other");
  EXPECT_EQ(List(agent_key_), "CERTIFICATE_REQUIRED");
  ConnectAs(authority_, "prov");
  EXPECT_EQ(List(agent_key_), "OK");
  EXPECT_EQ(List(""), "CREDENTIAL_MISSING") << "a certificate alone is nobody";
  EXPECT_EQ(List(operator_key_), "OK");
}

TEST_F(ServerTlsTest, AnotherDomainsNameIsNotTheProviders) {
  authority_.MakeProvider("prov", {"--trust-domain", "elsewhere"});
  ServeTls(authority_.ca());
  AddProvider();
  ConnectAs(authority_, "prov");
  EXPECT_EQ(List(agent_key_), "CERTIFICATE_REQUIRED");
}

TEST_F(ServerTlsTest, TheEdgeSaysWhoseCertificateItsCallersHave) {
  ServeTls(authority_.ca());
  AddProvider();
  authority_.MakeEdge();
  ConnectAs(authority_, "edge");
  EXPECT_EQ(ListForwarding({PercentEncoded("prov")}), "OK");
  EXPECT_EQ(ListForwarding({PercentEncoded("other")}), "CERTIFICATE_REQUIRED");
  EXPECT_EQ(ListForwarding({}), "CERTIFICATE_REQUIRED") << "the edge itself is no provider";
  EXPECT_EQ(ListForwarding({PercentEncoded("prov"), PercentEncoded("other")}),
            "CERTIFICATE_REQUIRED");
  for (const char* bad : {"-", "%", "%4", "%zz", "%2", "spiffe://allot/provider/prov"}) {
    EXPECT_EQ(ListForwarding({bad}), "CERTIFICATE_REQUIRED") << bad;
  }
}

TEST_F(ServerTlsTest, NobodyElseDoes) {
  ServeTls(authority_.ca());
  AddProvider();
  authority_.MakeEdge({"--trust-domain", "elsewhere"});
  for (const char* name : {"", "other", "edge"}) {
    ConnectAs(authority_, name);
    EXPECT_EQ(ListForwarding({PercentEncoded("prov")}), "CERTIFICATE_REQUIRED") << name;
  }
  // An edge that is signed by somebody else makes no connection at all.
  const testing::Authority stranger;
  stranger.MakeEdge();
  ConnectAs(stranger, "edge");
  EXPECT_THAT(ListForwarding({PercentEncoded("prov")}), HasSubstr("without a reason"));
}

TEST_F(ServerTlsTest, ACertificateOfAnotherAuthorityOrOutsideItsTimeMakesNoConnection) {
  const testing::Authority stranger;
  stranger.MakeProvider("prov");
  authority_.MakeProvider("other", {"--days", "-1"});
  ServeTls(authority_.ca());
  ConnectAs(stranger, "prov");
  EXPECT_THAT(List(operator_key_), HasSubstr("without a reason"));
  ConnectAs(authority_, "other");
  EXPECT_THAT(List(operator_key_), HasSubstr("without a reason"));
}

TEST_F(ServerTlsTest, WithoutAuthoritiesForClientsAKeyIsEnough) {
  ServeTls("");
  AddProvider();
  EXPECT_EQ(List(agent_key_), "OK");
}

TEST_F(ServerTlsTest, NewConnectionsMeetTheReloadedCertificateAndOldOnesGoOn) {
  ServeTls("");
  EXPECT_EQ(List(operator_key_), "OK");
  const auto old_channel = channel_;
  const std::string old_certificate = Shown();
  authority_.MakeServer({"--days", "10"});
  EXPECT_EQ(Shown(), old_certificate) << "nobody said that it is to be read";
  ASSERT_TRUE(options_.tls->Reload(WallNow()).ok());
  EXPECT_LT(options_.tls->expire_time(), WallNow() + Days(11));
  EXPECT_NE(Shown(), old_certificate);
  EXPECT_EQ(List(operator_key_), "OK");
  channel_ = old_channel;
  EXPECT_EQ(List(operator_key_), "OK");
}

/// Connects, sends `bytes`, and waits until the other side hangs up.
bool IsLetGo(const std::string& address, const std::string& bytes) {
  const int port = std::stoi(address.substr(address.rfind(':') + 1));
  const int connection = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in to{.sin_family = AF_INET, .sin_port = htons(static_cast<uint16_t>(port))};
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  bool gone = false;
  if (connect(connection, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0 &&
      write(connection, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size())) {
    pollfd hung_up{.fd = connection, .events = POLLRDHUP, .revents = 0};
    constexpr int kPatienceMs = 60'000;
    gone = poll(&hung_up, 1, kPatienceMs) == 1;
  }
  close(connection);
  return gone;
}

TEST_F(ServerTlsTest, WhoConnectsAndDoesNotSpeakIsLetGo) {
  options_.handshake_ms = 500;
  ServeTls("");
  EXPECT_TRUE(IsLetGo(server_->address(), ""));
  EXPECT_TRUE(IsLetGo(server_->address(), std::string("\x16\x03\x01\x02\x00", 5)))
      << "the beginning of a greeting";
  EXPECT_TRUE(IsLetGo(server_->address(), "GET / HTTP/1.1\r\n\r\n"));
  EXPECT_EQ(List(operator_key_), "OK");
}

TEST_F(ServerTlsTest, AReloadThatFailsChangesNothing) {
  ServeTls("");
  const Instant before = options_.tls->expire_time();
  std::ofstream(authority_.certificate("server")) << "not a certificate";
  const Status reloaded = options_.tls->Reload(WallNow());
  ASSERT_FALSE(reloaded.ok());
  EXPECT_EQ(reloaded.error().field, "certificate");
  EXPECT_EQ(options_.tls->expire_time(), before);
  EXPECT_EQ(List(operator_key_), "OK");
  EXPECT_THAT(Handshake({"-tls1_3"}), HasSubstr("Verify return code: 0 (ok)"));
}

TEST_F(ServerTlsTest, TheAuthoritiesOfClientsAreReloadedToo) {
  const testing::Authority next;
  next.MakeProvider("prov");
  std::ofstream(authority_.folder() + "/clients.crt") << ReadWhole(authority_.ca());
  ServeTls(authority_.folder() + "/clients.crt");
  AddProvider();
  ConnectAs(next, "prov");
  EXPECT_THAT(List(agent_key_), HasSubstr("without a reason"));
  std::ofstream(authority_.folder() + "/clients.crt") << ReadWhole(next.ca());
  ASSERT_TRUE(options_.tls->Reload(WallNow()).ok());
  ConnectAs(next, "prov");
  EXPECT_EQ(List(agent_key_), "OK");
  ConnectAs(authority_, "prov");
  EXPECT_THAT(List(agent_key_), HasSubstr("without a reason"));
}

}  // namespace
}  // namespace allot::rpc
