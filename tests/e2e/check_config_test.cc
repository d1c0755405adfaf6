// A broken configuration is refused with file, line, setting and what was expected there.

#include <fstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/process.h"
#include "support/temp_dir.h"

namespace allot::testing {
namespace {

using ::testing::HasSubstr;

/// What the text names is of another machine (named_files_test.cc).
Ended CheckConfig(const TempDir& dir, const std::string& yaml) {
  const std::string file = dir / "allotd.yaml";
  std::ofstream(file) << yaml;
  return RunToEnd({Binary("allotd"), "check-config", "--no-files", file});
}

TEST(CheckConfig, AcceptsEverySetting) {
  const TempDir dir;
  const Ended ended = CheckConfig(dir, R"(
server:
  listen: "[::1]:8443"
  edge: pool.example:443
  metrics_listen: off
  log_level: debug
  database_connections: 16
  call_memory_mib: 512
  reflection: true
  drain_timeout: 30s
  leader_lease: 5s
  scheduler_poll_ms: 200
  second_person: {UpdateQuota: 4h, CreateApiKey: 1d, CreateMember: 1d, RotateApiKey: 1d}
backup:
  folder: /var/backups/allot
  archive_timeout: 30s
audit:
  signing_key: /etc/allot/audit.key
  sign_every: 10m
identity:
  leeway: 10s
  issuers:
    - issuer: https://id.example/realms/gpu
      audience: allot
      algorithms: [PS256, ES256]
      token_type: JWT
      jwks_uri: https://id.example/keys
      ca_file: /etc/allot/id-ca.crt
      keys_refresh: 1m
      keys_max_age: 12h
      token_lifetime_max: 1h
    - {issuer: "http://127.0.0.1:8080", audience: allot}
policy:
  version: "2026-1"
  usage_half_life: 7d
  starvation_bound: 21d
  planning_horizon: 366d
  heartbeat_expiry: 20s
  node_down_after: 2m
  node_loss: fail
  failures_max: 5
  programmes:
    national: {gpus_max: {B200: 2040}, duration_max: 366d}
    call-2026-1:
      gpus_max:
        H200: 256
        B200: 128
)");
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
}

TEST(CheckConfig, AcceptsTheExamplesOfTheOperatorsManual) {
  std::ifstream manual("docs/operator.md");
  std::vector<std::string> examples;
  bool inside = false;
  for (std::string line; std::getline(manual, line);) {
    if (line == "```") inside = false;
    if (inside) examples.back() += line + "\n";
    if (line != "```yaml") continue;
    inside = true;
    examples.emplace_back();
  }
  ASSERT_GE(examples.size(), 2U);
  EXPECT_THAT(examples.front(), HasSubstr("failures_max"));
  const TempDir dir;
  for (const std::string& example : examples) {
    const Ended ended = CheckConfig(dir, example);
    EXPECT_EQ(ended.exit_code, 0) << ended.err;
  }
}

TEST(CheckConfig, AnEmptyFileMeansTheDefaults) {
  const TempDir dir;
  EXPECT_EQ(CheckConfig(dir, "").exit_code, 0);
  EXPECT_EQ(CheckConfig(dir, "server:\npolicy:\n").exit_code, 0);
}

struct Broken {
  const char* name;
  const char* yaml;
  const char* complaint;
};
void PrintTo(const Broken& broken, std::ostream* out) { *out << broken.name; }

class BrokenConfig : public ::testing::TestWithParam<Broken> {};

TEST_P(BrokenConfig, IsRefusedNamingFileLineAndWhatWasExpected) {
  const TempDir dir;
  const Ended ended = CheckConfig(dir, GetParam().yaml);
  EXPECT_EQ(ended.exit_code, 2);
  EXPECT_THAT(ended.err, HasSubstr("allotd.yaml:" + std::string(GetParam().complaint)));
}

INSTANTIATE_TEST_SUITE_P(
    EachKind, BrokenConfig,
    ::testing::Values(
        Broken{"NotYaml", "server:\n  listen: [1, 2\n", "3: this is not YAML: "},
        Broken{"IssuerInPlainText", "identity:\n  issuers:\n    - issuer: http://id.example\n",
               "3: identity.issuers[0].issuer is 'http://id.example': expected an https URL"},
        Broken{"IssuerWithoutAudience", "identity:\n  issuers:\n    - issuer: https://id.example\n",
               "3: identity.issuers[0].audience is missing: expected the name of this service"},
        Broken{"IssuerTwice",
               "identity:\n  issuers:\n    - {issuer: https://id.example, audience: a}\n    - "
               "{issuer: https://id.example, audience: b}\n",
               "4: identity.issuers[1].issuer is 'https://id.example': expected each issuer once"},
        Broken{"NoAlgorithm",
               "identity:\n  issuers:\n    - {issuer: https://id.example, audience: a, algorithms: "
               "[RS256, none]}\n",
               "3: identity.issuers[0].algorithms is a list: expected a list of RS256, PS256"},
        Broken{"SharedSecret",
               "identity:\n  issuers:\n    - {issuer: https://id.example, audience: a, algorithms: "
               "[HS256]}\n",
               "3: identity.issuers[0].algorithms is a list: expected a list of RS256, PS256"},
        Broken{"IssuersNotAList", "identity:\n  issuers: {}\n",
               "2: identity.issuers is a mapping: expected a list of at most 16 mappings"},
        Broken{"WideLeeway", "identity:\n  leeway: 1h\n",
               "2: identity.leeway is '1h': expected a duration from 0s to 5m"},
        Broken{"OnePersonWhoMakesAnother", "server:\n  second_person: {UpdateQuota: 4h}\n",
               "2: server.second_person.UpdateQuota is '4h': expected CreateApiKey beside it"},
        Broken{"SignedWithNothing", "audit: {sign_every: 1h}\n",
               "1: audit.sign_every is '1h': expected signing_key beside it"},
        Broken{"NotAMapping", "- 1\n", "1: the file is a list: expected a mapping of settings"},
        Broken{"SectionNotAMapping", "server: 7\n",
               "1: server is '7': expected a mapping of settings"},
        Broken{
            "UnknownSection", "polices: {}\n",
            "1: polices is an unknown setting: expected one of: audit, backup, identity, policy, "
            "server"},
        Broken{"FolderFromNowhere", "backup: {folder: backups}\n",
               "1: backup.folder is 'backups': expected a path from the root on"},
        Broken{"FolderThatACommandCannotCarry", "backup: {folder: \"/srv/it's\"}\n",
               "1: backup.folder is '/srv/it's': expected a path from the root on"},
        Broken{"ArchivedNowhere", "backup: {archive_timeout: 1m}\n",
               "1: backup.archive_timeout is '1m': expected folder beside it"},
        Broken{"NeitherTrueNorFalse", "server:\n  reflection: on\n",
               "2: server.reflection is 'on': expected true or false"},
        Broken{"UnknownKey", "server:\n  listen: 127.0.0.1:1\n  log_levle: info\n",
               "3: server.log_levle is an unknown setting: expected one of: "},
        Broken{"RepeatedKey", "policy:\n  failures_max: 1\n  failures_max: 2\n",
               "3: policy.failures_max is a second time: expected each setting once"},
        Broken{"NoPort", "server:\n  listen: localhost\n",
               "2: server.listen is 'localhost': expected HOST:PORT"},
        Broken{"NotThisMachine", "server:\n  listen: 0.0.0.0:8443\n",
               "2: server.listen is '0.0.0.0:8443': expected an address of this machine"},
        Broken{"NoDocument", ",", "1: this is not YAML: nothing can begin so"},
        Broken{"NotAText", "server:\n  listen: \xff\xfe\n", "2: this is not a text in UTF-8"},
        Broken{"BellInAHost", "server:\n  listen: \"127.0.0.1\\a:8443\"\n",
               "2: server.listen is '127.0.0.1\\x07:8443': expected HOST:PORT"},
        Broken{"EmptyKey", "policy: {\"\": 1}\n", "1: policy.'' is an unknown setting"},
        Broken{"PortTooLarge", "server:\n  listen: 127.0.0.1:70000\n",
               "2: server.listen is '127.0.0.1:70000': expected HOST:PORT"},
        Broken{"NumberTooLarge", "policy:\n  failures_max: 99999999999\n",
               "2: policy.failures_max is '99999999999': expected a whole number from 1 to 100"},
        Broken{"EightOrTen", "policy:\n  failures_max: 010\n",
               "2: policy.failures_max is '010': expected a whole number from 1 to 100 that begins "
               "with no 0"},
        Broken{"NegativeDuration", "policy:\n  usage_half_life: -1d\n",
               "2: policy.usage_half_life is '-1d': expected a duration from 1h to "},
        Broken{"DurationIsAList", "policy:\n  usage_half_life: [1d]\n",
               "2: policy.usage_half_life is a list: expected a duration"},
        Broken{"Choice", "policy:\n  node_loss: ignore\n",
               "2: policy.node_loss is 'ignore': expected requeue or fail"},
        Broken{"PromisedBeyondThePlan", "policy:\n  promise_within: 800d\n",
               "2: policy.promise_within is '800d': expected at most as long as "
               "planning_horizon (732d)"},
        Broken{"DownBeforeUnknown", "policy:\n  heartbeat_expiry: 60s\n  node_down_after: 30s\n",
               "3: policy.node_down_after is '30s': expected longer than heartbeat_expiry (1m)"},
        Broken{"NoProgrammes", "policy:\n  programmes: {}\n",
               "2: policy.programmes is a mapping: expected at least one programme"},
        Broken{"ProgrammeName", "policy:\n  programmes:\n    Call 1: {gpus_max: {H200: 1}}\n",
               "3: policy.programmes.Call 1 is a mapping: expected a name of 1 to 63 of"},
        Broken{"UnknownModel", "policy:\n  programmes:\n    national:\n      gpus_max: {A100: 8}\n",
               "4: policy.programmes.national.gpus_max.A100 is an unknown setting: "
               "expected one of: B200, H200"},
        Broken{"ControlCharacters", "policy:\n  version: \"a\\x07\"\n",
               "2: policy.version is 'a\\x07': expected 1 to 64 printable characters"}),
    [](const auto& parameter) { return parameter.param.name; });

TEST(CheckConfig, AFileOfZerosIsNoEmptyFile) {
  const TempDir dir;
  const Ended ended = CheckConfig(dir, std::string(3, '\0'));
  EXPECT_EQ(ended.exit_code, 2);
  EXPECT_THAT(ended.err, HasSubstr("allotd.yaml:1: this is not a text in UTF-8"));
}

TEST(Migrate, ADatabaseUrlThatIsNoneIsRefusedWithoutShowingIt) {
  for (const char* url :
       {"host=h password=secret garbage", "postgresql://allot:my@secret@127.0.0.1:1/x",
        "postgresql://allot:secret/5@127.0.0.1:1/x", ""}) {
    const Ended ended = RunToEnd({Binary("allotd"), "migrate", "--database", url});
    EXPECT_EQ(ended.exit_code, 2) << url;
    EXPECT_THAT(ended.err, HasSubstr("a PostgreSQL URL"));
    EXPECT_THAT(ended.err, HasSubstr("@ as %40"));
    EXPECT_THAT(ended.err, ::testing::Not(HasSubstr("secret")));
  }
}

TEST(Migrate, ADatabaseThatIsNotThereIsSaidNotToBe) {
  const Ended ended =
      RunToEnd({Binary("allotd"), "migrate", "--database", "postgresql://127.0.0.1:1/x"});
  EXPECT_EQ(ended.exit_code, 1);
  EXPECT_THAT(ended.err, HasSubstr("The database cannot be reached."));
  EXPECT_THAT(ended.err, HasSubstr("port 1 failed: Connection refused Is the server running"));
  EXPECT_THAT(ended.err, HasSubstr("Run it again when that is mended"));
}

TEST(CheckConfig, AMissingFileIsNamed) {
  const Ended ended = RunToEnd({Binary("allotd"), "check-config", "/nowhere/allotd.yaml"});
  EXPECT_EQ(ended.exit_code, 2);
  EXPECT_THAT(ended.err, HasSubstr("/nowhere/allotd.yaml cannot be read: No such file"));
}

}  // namespace
}  // namespace allot::testing
