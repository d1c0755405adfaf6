// What a configuration names is looked at before a server is restarted on it, and by a server too:
// what check-config passes, serve takes.

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/authority.h"
#include "support/process.h"
#include "support/temp_dir.h"

namespace allot::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

/// Good files for every setting that names one.
class NamedFiles : public ::testing::Test {
 protected:
  void SetUp() override {
    authority_.MakeServer();
    const Ended made = RunToEnd({"openssl", "genpkey", "-algorithm", "ed25519", "-out",
                                 authority_.folder() + "/audit.key"});
    ASSERT_EQ(made.exit_code, 0) << made.err;
    chmod(audit_key().c_str(), 0600);
    std::filesystem::create_directory(backups());
    std::ofstream(dir_ / "allotd.yaml")
        << "server:\n  tls: {certificate: " << authority_.certificate("server")
        << ", key: " << authority_.key("server") << ", client_ca: " << authority_.ca()
        << "}\naudit: {signing_key: " << audit_key() << "}\nbackup: {folder: " << backups()
        << "}\nidentity:\n  issuers:\n    - {issuer: \"https://id.example\", audience: allot, "
           "ca_file: "
        << issuer_ca() << "}\n";
    std::filesystem::copy_file(authority_.ca(), issuer_ca());
  }

  std::string audit_key() const { return authority_.key("audit"); }
  std::string issuer_ca() const { return authority_.certificate("issuer-ca"); }
  std::string backups() const { return dir_ / "backups"; }
  Ended Check(std::vector<std::string> flags = {}) const {
    flags.insert(flags.begin(), {Binary("allotd"), "check-config", dir_ / "allotd.yaml"});
    return RunToEnd(flags);
  }
  void ExpectRefused(const std::string& complaint) const {
    const Ended ended = Check();
    EXPECT_EQ(ended.exit_code, 2) << ended.out;
    EXPECT_THAT(ended.err, HasSubstr(complaint));
    EXPECT_EQ(Check({"--no-files"}).exit_code, 0) << "the file itself is in order";
  }

  const TempDir dir_;
  const Authority authority_;
};

TEST_F(NamedFiles, ThatAreInOrderAreSaidToHaveBeenLookedAt) {
  const Ended ended = Check();
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  EXPECT_THAT(ended.out, HasSubstr("ok, policy default, its files as "));
  EXPECT_THAT(Check({"--no-files"}).out, HasSubstr("its files not looked at"));
}

TEST_F(NamedFiles, ACertificateThatIsNotThereIsNamed) {
  std::filesystem::remove(authority_.certificate("server"));
  ExpectRefused("server.tls.certificate");
}

TEST_F(NamedFiles, ACertificateThatHasExpiredIsNamed) {
  authority_.MakeServer({"--days", "-1"});
  ExpectRefused(authority_.certificate("server") + " expired");
}

TEST_F(NamedFiles, AKeyThatEverybodyMayReadIsNamed) {
  chmod(authority_.key("server").c_str(), 0644);
  ExpectRefused("server.tls.key");
}

TEST_F(NamedFiles, AnotherCertificatesKeyIsNamed) {
  std::filesystem::copy_file(audit_key(), authority_.key("server"),
                             std::filesystem::copy_options::overwrite_existing);
  ExpectRefused("is not the key of");
}

TEST_F(NamedFiles, AnAuthorityThatIsNoneIsNamed) {
  std::ofstream(authority_.ca()) << "no PEM";
  ExpectRefused("server.tls.client_ca");
}

TEST_F(NamedFiles, AKeyThatCannotSignIsNamed) {
  std::filesystem::copy_file(authority_.key("server"), audit_key(),
                             std::filesystem::copy_options::overwrite_existing);
  ExpectRefused("audit.signing_key");
}

TEST_F(NamedFiles, AKeyThatThisUserMayNotReadIsNamed) {
  chmod(audit_key().c_str(), 0);
  std::vector<std::string> command = {Binary("allotd"), "check-config", dir_ / "allotd.yaml"};
  if (geteuid() == 0) {
    // Root reads everything unless it gives that up.
    const std::string all = "-dac_override,-dac_read_search";
    command.insert(command.begin(), {"setpriv", "--inh-caps=" + all, "--bounding-set=" + all});
  }
  const Ended ended = RunToEnd(command);
  EXPECT_EQ(ended.exit_code, 2) << ended.out;
  EXPECT_THAT(ended.err, HasSubstr(audit_key()));
  EXPECT_THAT(ended.err, HasSubstr("Permission denied"));
}

TEST_F(NamedFiles, AnIssuersAuthorityThatIsNotThereIsNamed) {
  std::filesystem::remove(issuer_ca());
  ExpectRefused("identity.issuers[0].ca_file");
}

TEST_F(NamedFiles, ABackupFolderIsOneOrCanBeMade) {
  std::filesystem::remove(backups());
  EXPECT_EQ(Check().exit_code, 0);
  EXPECT_FALSE(std::filesystem::exists(backups())) << "it only looks";
  std::ofstream(backups()) << "a file";
  ExpectRefused("backup.folder");
  EXPECT_THAT(Check().err, HasSubstr("Not a directory"));
}

TEST_F(NamedFiles, AllThatIsWrongIsSaidAtOnce) {
  std::filesystem::remove(audit_key());
  std::filesystem::remove(issuer_ca());
  const Ended ended = Check();
  EXPECT_EQ(ended.exit_code, 2);
  EXPECT_THAT(ended.err, HasSubstr("audit.signing_key"));
  EXPECT_THAT(ended.err, HasSubstr("identity.issuers[0].ca_file"));
  EXPECT_THAT(ended.err, Not(HasSubstr("PRIVATE KEY")));
}

}  // namespace
}  // namespace allot::testing
