#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cmath>
#include <ctime>
#include <filesystem>
#include <fstream>

#include "e2e/installation.h"
#include "support/authority.h"

namespace allot::testing {
namespace {

using ::testing::HasSubstr;

class TlsTest : public ::testing::Test {
 protected:
  TlsTest() {
    authority_.MakeServer();
    for (const char* provider : {"naver", "kakao"}) authority_.MakeProvider(provider);
    nation_.emplace(authority_);
    nation_->RegisterSmallNation();
  }

  Authority authority_;
  std::optional<Installation> nation_;
};

TEST_F(TlsTest, WorkIsHandedOverAndTakenBackAsInPlainText) {
  const auto agent = nation_->StartAgent("naver-a");
  const Ended submitted =
      nation_->Allot({"submit", "snu/llm", "--gpus", "8", "--for", "1h", "--name", "a1", "--wait"});
  EXPECT_EQ(submitted.exit_code, 0) << submitted.err;
  EXPECT_EQ(nation_->StateOf("snu/llm/a1"), "active");
  const Ended released = nation_->Allot({"release", "snu/llm/a1", "--reason", "done", "--wait"});
  EXPECT_EQ(released.exit_code, 0) << released.err;
}

// What strangers send is remarked by gRPC itself, with bytes of their choice.
TEST_F(TlsTest, AFloodOfHandshakesThatFailIsNoFloodOfLines) {
  const auto knock_without_tls = [address = nation_->address()] {
    const sockaddr_in server{
        .sin_family = AF_INET,
        .sin_port = htons(static_cast<uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)))),
        .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)},
        .sin_zero = {}};
    const int knock = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT_EQ(::connect(knock, reinterpret_cast<const sockaddr*>(&server), sizeof server), 0);
    constexpr std::string_view kPlain = "GET / HTTP/1.0\r\n\r\n";
    ASSERT_EQ(::send(knock, kPlain.data(), kPlain.size(), 0), std::ssize(kPlain));
    // Until the server hangs up.
    std::array<char, 256> answer{};
    while (::recv(knock, answer.data(), answer.size(), 0) > 0) {
    }
    ::close(knock);
  };
  const auto errors = [&] {
    const std::string metrics = nation_->Metrics();
    const std::string name = "\nallot_grpc_errors_total ";
    return std::stod(metrics.substr(metrics.find(name) + name.size()));
  };
  EXPECT_LT(errors(), 10);
  for (int i = 0; i < 500; ++i) knock_without_tls();
  EXPECT_GE(errors(), 500);
  ASSERT_EQ(nation_->Allot({"clusters"}).exit_code, 0);
  std::size_t lines = 0;
  const std::string log = nation_->server().err();
  for (std::size_t at = 0; (at = log.find(R"("event":"grpc")", at)) != std::string::npos; ++at) {
    ++lines;
  }
  EXPECT_GE(lines, 10U);
  EXPECT_LT(lines, 250U) << "ten a second, however slow this machine is";
}

TEST_F(TlsTest, AClientThatCannotTrustTheServerSaysSo) {
  const Ended unknown =
      RunToEnd({Binary("allot"), "--data-dir", nation_->data_dir(), "--timeout", "2s", "clusters"});
  EXPECT_EQ(unknown.exit_code, 6);
  EXPECT_THAT(unknown.err, HasSubstr("--ca-file"));
  const Ended plain =
      RunToEnd({Binary("allot"), "--data-dir", nation_->data_dir(), "--server",
                "http://" + nation_->address().substr(8), "--timeout", "2s", "clusters"});
  EXPECT_EQ(plain.exit_code, 6);
}

TEST_F(TlsTest, OfSeveralServersTheNextIsTakenIfItsCertificateNamesTheFirst) {
  const std::string address = nation_->address().substr(8);
  const auto list = [&](const std::string& servers) {
    return RunToEnd({Binary("allot"), "--data-dir", nation_->data_dir(), "--ca-file",
                     authority_.ca(), "--server", servers, "--timeout", "5s", "clusters"});
  };
  // Nobody listens at the first of each.
  const Ended named = list("https://127.0.0.1:1," + address);
  EXPECT_EQ(named.exit_code, 0) << named.err;
  EXPECT_EQ(list("https://127.0.0.99:1," + address).exit_code, 6);
}

TEST_F(TlsTest, AnAgentWithAnotherProvidersCertificateIsRefused) {
  // Kakao's certificate with Naver's key.
  std::filesystem::copy_file(authority_.certificate("kakao"), authority_.certificate("naver"),
                             std::filesystem::copy_options::overwrite_existing);
  std::filesystem::copy_file(authority_.key("kakao"), authority_.key("naver"),
                             std::filesystem::copy_options::overwrite_existing);
  const auto agent = nation_->LaunchAgent("naver-a", "naver-a");
  const Ended ended = agent->Wait();
  EXPECT_EQ(ended.exit_code, 4);
  EXPECT_THAT(ended.err, HasSubstr("certificate_required"));
}

TEST_F(TlsTest, CertificatesAreReadAgainOnSighup) {
  const auto agent = nation_->StartAgent("naver-a");
  std::ofstream(authority_.certificate("server")) << "half a file";
  nation_->server().Signal(SIGHUP);
  const auto refused = nation_->server().AwaitErr(R"("event":"certificate_not_reloaded")");
  ASSERT_TRUE(refused);
  EXPECT_THAT(*refused, HasSubstr("server.tls.certificate"));
  EXPECT_EQ(nation_->Allot({"clusters"}).exit_code, 0) << "the old one serves on";

  authority_.MakeServer({"--days", "10"});
  authority_.MakeProvider("naver", {"--days", "10"});
  nation_->server().Signal(SIGHUP);
  EXPECT_TRUE(nation_->server().AwaitErr(R"("event":"certificate_reloaded")"));
  agent->Signal(SIGHUP);
  EXPECT_TRUE(agent->AwaitErr("the certificates were read again"));
  const Ended submitted =
      nation_->Allot({"submit", "snu/llm", "--gpus", "8", "--for", "1h", "--name", "a1", "--wait"});
  EXPECT_EQ(submitted.exit_code, 0) << submitted.err;
}

TEST_F(TlsTest, SaysWhenEachCertificateEndsThatItLivesBy) {
  authority_.MakeProvider("naver", {"--days", "5"});
  const auto agent = nation_->StartAgent("naver-a");
  const auto days_left = [&](const std::string& holder) {
    const std::string metrics = nation_->Metrics();
    const std::string name =
        "allot_certificate_expiry_timestamp_seconds{holder=\"" + holder + "\"} ";
    const std::size_t at = metrics.find(name);
    if (at == std::string::npos) return -1L;
    const double end = std::stod(metrics.substr(at + name.size()));
    return std::lround((end - static_cast<double>(std::time(nullptr))) / 86'400);
  };
  EXPECT_EQ(days_left("server"), 90);
  EXPECT_EQ(days_left("providers/naver"), 5);
  EXPECT_EQ(days_left("providers/kakao"), -1) << "none of its agents was heard";
  EXPECT_TRUE(agent->AwaitErr(R"("whose":"server")")) << "as the agent does: " << agent->err();
  EXPECT_THAT(agent->err(), HasSubstr("a certificate ends soon"));
  EXPECT_THAT(agent->err(), HasSubstr(R"("whose":"provider")"));
}

TEST_F(TlsTest, ACertificateThatIsNotValidNowEndsNobodyForGood) {
  // A clock that is not set yet after a power cut makes it so, too.
  authority_.MakeProvider("naver", {"--days", "-1"});
  const Ended agent = nation_->LaunchAgent("naver-a", "naver-a")->Wait();
  EXPECT_EQ(agent.exit_code, 1) << agent.err;
  EXPECT_THAT(agent.err, HasSubstr("expired"));

  authority_.MakeServer({"--days", "-1"});
  const TempDir dir;
  std::ofstream(dir / "allotd.yaml")
      << "server: {tls: {certificate: " << authority_.certificate("server")
      << ", key: " << authority_.key("server") << "}}\n";
  const Ended server =
      RunToEnd({Binary("allotd"), "serve", "--data-dir", dir / "data", "--listen", "127.0.0.1:0",
                "--metrics-listen", "off", "--config", dir / "allotd.yaml"});
  EXPECT_EQ(server.exit_code, 1) << server.err;
  EXPECT_THAT(server.err, HasSubstr("expired"));
  // It is tried again and again: a PostgreSQL that ends archives a segment of its log each time.
  EXPECT_FALSE(std::filesystem::exists(dir / "data")) << "no database is started for it";
}

TEST(TlsConfiguration, AnAddressThatOthersReachNeedsACertificate) {
  const TempDir dir;
  std::ofstream(dir / "allotd.yaml") << "server: {listen: '0.0.0.0:8443'}\n";
  const Ended open = RunToEnd({Binary("allotd"), "check-config", dir / "allotd.yaml"});
  EXPECT_EQ(open.exit_code, 2);
  EXPECT_THAT(open.err, HasSubstr("server.tls.certificate"));
  for (const char* half : {"certificate: /c", "key: /k", "client_ca: /a"}) {
    std::ofstream(dir / "allotd.yaml") << "server: {tls: {" << half << "}}\n";
    const Ended refused = RunToEnd({Binary("allotd"), "check-config", dir / "allotd.yaml"});
    EXPECT_EQ(refused.exit_code, 2) << half;
    EXPECT_THAT(refused.err, HasSubstr("allotd.yaml:1: server.tls.")) << half;
  }
}

}  // namespace
}  // namespace allot::testing
