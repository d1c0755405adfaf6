#include "allot/transport/certificate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>
#include <fstream>

#include "allot/transport/channel_credentials.h"
#include "support/authority.h"

namespace allot::transport {
namespace {

using ::testing::HasSubstr;

Instant Now() {
  return Instant::FromSeconds(std::chrono::duration_cast<std::chrono::seconds>(
                                  std::chrono::system_clock::now().time_since_epoch())
                                  .count());
}

class CertificateTest : public ::testing::Test {
 protected:
  PemFile Chain(const std::string& name) const {
    return {"server.tls.certificate", authority_.certificate(name)};
  }
  PemFile Key(const std::string& name) const { return {"server.tls.key", authority_.key(name)}; }
  std::string Write(const std::string& name, const std::string& text) const {
    const std::string path = authority_.folder() + "/" + name;
    std::ofstream(path) << text;
    chmod(path.c_str(), 0600);
    return path;
  }
  /// Why the pair is refused, as people read it.
  static std::string Refusal(const PemFile& chain, const PemFile& key, Instant now = Now()) {
    const auto certificate = ReadCertificate(chain, key, now);
    if (certificate.ok()) return "taken";
    EXPECT_EQ(certificate.error().reason, Reason::kConfigInvalid);
    return certificate.error().field + " | " + Describe(certificate.error());
  }

  testing::Authority authority_;
};

TEST_F(CertificateTest, IsReadWithItsKeyAndItsEnd) {
  authority_.MakeServer();
  const auto certificate = ReadCertificate(Chain("server"), Key("server"), Now());
  ASSERT_TRUE(certificate.ok()) << Describe(certificate.error());
  EXPECT_EQ(certificate->subject, "CN=127.0.0.1");
  EXPECT_GT(certificate->expire_time, Now() + Days(89));
  EXPECT_LT(certificate->expire_time, Now() + Days(91));
  EXPECT_THAT(certificate->chain, HasSubstr("BEGIN CERTIFICATE"));
  EXPECT_THAT(certificate->key, HasSubstr("PRIVATE KEY"));
}

TEST_F(CertificateTest, IsRefusedOutsideItsTime) {
  authority_.MakeServer();
  EXPECT_THAT(Refusal(Chain("server"), Key("server"), Now() + Days(91)), HasSubstr("expired 20"));
  EXPECT_THAT(Refusal(Chain("server"), Key("server"), Now() - Days(1)),
              HasSubstr("is not valid before 20"));
}

TEST_F(CertificateTest, IsRefusedWithAKeyThatIsNotItsOwnOrIsOpenToAll) {
  authority_.MakeServer();
  authority_.MakeProvider("naver");
  EXPECT_THAT(Refusal(Chain("server"), Key("naver")), HasSubstr("is not the key of"));
  EXPECT_THAT(Refusal(Chain("server"), {"server.tls.key", authority_.certificate("server")}),
              HasSubstr("may be read or written by everybody"));
  chmod(authority_.key("server").c_str(), 0644);
  const std::string open = Refusal(Chain("server"), Key("server"));
  EXPECT_THAT(open, HasSubstr("server.tls.key | "));
  EXPECT_THAT(open, HasSubstr("mode 0600 or 0640"));
  chmod(authority_.key("server").c_str(), 0640);
  EXPECT_EQ(Refusal(Chain("server"), Key("server")), "taken");
}

TEST_F(CertificateTest, IsRefusedWhenAFileIsNotWhatItShouldBe) {
  authority_.MakeServer();
  const auto with_chain = [&](const std::string& path) {
    return Refusal({"server.tls.certificate", path}, Key("server"));
  };
  EXPECT_THAT(with_chain("/nowhere/server.crt"), HasSubstr("No such file"));
  EXPECT_THAT(with_chain(authority_.folder()), HasSubstr("not a plain file"));
  EXPECT_THAT(with_chain(Write("empty", "")), HasSubstr("holds no certificate"));
  EXPECT_THAT(with_chain(Write("text", "certificate")), HasSubstr("holds no certificate"));
  EXPECT_THAT(with_chain(Write("large", std::string((1 << 20) + 1, 'x'))), HasSubstr("1 MiB"));
  EXPECT_THAT(with_chain(authority_.key("server")), HasSubstr("holds no certificate"));
  const auto good = ReadCertificate(Chain("server"), Key("server"), Now());
  ASSERT_TRUE(good.ok());
  // A chain whose second certificate is cut short is not silently taken for the first alone.
  EXPECT_THAT(with_chain(Write("cut", good->chain + good->chain.substr(0, 200))),
              HasSubstr("holds no certificate"));
  EXPECT_EQ(with_chain(Write("twice", good->chain + good->chain)), "taken");
  EXPECT_THAT(Refusal(Chain("server"), {"server.tls.key", Write("no.key", "x")}),
              HasSubstr("holds no key"));
}

TEST_F(CertificateTest, NoMessageShowsWhatIsInAKeyFile) {
  authority_.MakeServer();
  const std::string path = Write("odd.key", "TOPSECRET");
  EXPECT_EQ(Refusal(Chain("server"), {"server.tls.key", path}).find("TOPSECRET"),
            std::string::npos);
}

TEST_F(CertificateTest, AuthoritiesAreOneOrMoreCertificates) {
  ASSERT_TRUE(ReadAuthorities({"--ca-file", authority_.ca()}).ok());
  const auto none = ReadAuthorities({"--ca-file", Write("none", "")});
  ASSERT_FALSE(none.ok());
  EXPECT_EQ(none.error().field, "--ca-file");
}

TEST_F(CertificateTest, ASpiffeIdIsTheOnlyUriOfACertificate) {
  const auto id_of = [&](const std::string& name) {
    const auto read = ReadCertificate(Chain(name), Key(name), Now());
    return read.ok() ? SpiffeIdOf(read->chain).value_or("none") : "unread";
  };
  authority_.MakeProvider("naver");
  authority_.MakeEdge({"--trust-domain", "gpu.example"});
  authority_.MakeServer();
  EXPECT_EQ(id_of("naver"), "spiffe://allot/provider/naver");
  EXPECT_EQ(id_of("edge"), "spiffe://gpu.example/edge");
  EXPECT_EQ(id_of("server"), "none");
  const auto id_of_uris = [&](const std::string& uris) {
    const testing::Ended made = testing::RunToEnd(
        {"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-subj", "/CN=x", "-addext", "subjectAltName=" + uris, "-keyout", "/dev/null"});
    EXPECT_EQ(made.exit_code, 0) << made.err;
    return SpiffeIdOf(made.out).value_or("none");
  };
  EXPECT_EQ(id_of_uris("DNS:naver.example,URI:spiffe://allot/provider/naver"),
            "spiffe://allot/provider/naver");
  EXPECT_EQ(id_of_uris("URI:spiffe://allot/provider/naver,URI:spiffe://allot/provider/kakao"),
            "none");
  EXPECT_EQ(id_of_uris("URI:https://allot/provider/naver"), "none");
  EXPECT_EQ(SpiffeIdOf("spiffe://allot/provider/naver"), std::nullopt);
  EXPECT_EQ(SpiffeIdOf(""), std::nullopt);
}

TEST_F(CertificateTest, AClientNamesBothFilesOrNeitherAndOnlyForTls) {
  authority_.MakeProvider("naver");
  const PemFile ca{"--ca-file", authority_.ca()};
  const PemFile certificate{"--certificate", authority_.certificate("naver")};
  const PemFile key{"--certificate-key", authority_.key("naver")};
  const PemFile no_certificate{"--certificate", ""};
  const PemFile no_key{"--certificate-key", ""};
  const ServerAddress tls{"pool.example:8443", true, ""};
  const ServerAddress plain{"127.0.0.1:8443", false, ""};
  EXPECT_TRUE(MakeChannelCredentials(tls, {ca, certificate, key}, Now()).ok());
  EXPECT_TRUE(MakeChannelCredentials(tls, {{}, no_certificate, no_key}, Now()).ok());
  EXPECT_TRUE(MakeChannelCredentials(plain, {{}, no_certificate, no_key}, Now()).ok());
  const auto field = [](const auto& refused) {
    return refused.ok() ? "taken" : refused.error().field;
  };
  EXPECT_EQ(field(MakeChannelCredentials(tls, {ca, certificate, no_key}, Now())),
            "--certificate-key");
  EXPECT_EQ(field(MakeChannelCredentials(tls, {ca, no_certificate, key}, Now())), "--certificate");
  EXPECT_EQ(field(MakeChannelCredentials(plain, {{}, certificate, key}, Now())), "--certificate");
  const auto expired = MakeChannelCredentials(tls, {ca, certificate, key}, Now() + Days(91));
  EXPECT_EQ(field(expired), "") << "another time may mend it";
  EXPECT_THAT(Describe(expired.error()), HasSubstr("--certificate: "));
}

}  // namespace
}  // namespace allot::transport
