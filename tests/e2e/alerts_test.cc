// Every alarm of deploy/alerts.yaml goes by metrics that a server shows and names a runbook that is
// there; the manual's table says the same. What each rings for is in tests/alerts.

#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include "allot/base/clock.h"
#include "e2e/backup_nation.h"
#include "e2e/installation.h"
#include "support/authority.h"

namespace allot::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsSubsetOf;

struct Alarm {
  std::string name;
  std::string expression;
  std::string lasting;
  std::string severity;
  std::string runbook;
  friend bool operator==(const Alarm&, const Alarm&) = default;
};
void PrintTo(const Alarm& alarm, std::ostream* out) {
  *out << alarm.name << ": " << alarm.expression << " for " << alarm.lasting << ", "
       << alarm.severity << ", " << alarm.runbook;
}

std::vector<Alarm> Alarms() {
  std::vector<Alarm> alarms;
  for (const YAML::Node& group : YAML::LoadFile("deploy/alerts.yaml")["groups"]) {
    for (const YAML::Node& rule : group["rules"]) {
      alarms.push_back({.name = rule["alert"].as<std::string>(),
                        .expression = rule["expr"].as<std::string>(),
                        .lasting = rule["for"].as<std::string>("at once"),
                        .severity = rule["labels"]["severity"].as<std::string>(""),
                        .runbook = rule["annotations"]["runbook"].as<std::string>("")});
    }
  }
  return alarms;
}

std::string TextOf(const std::string& file) {
  std::ifstream stream(file);
  EXPECT_TRUE(stream) << file;
  return {std::istreambuf_iterator<char>(stream), {}};
}

/// All that matches in a text, the first group of each.
std::set<std::string> Matches(const std::string& text, const char* pattern) {
  std::set<std::string> found;
  const std::regex expression(pattern);
  for (auto it = std::sregex_iterator(text.begin(), text.end(), expression);
       it != std::sregex_iterator(); ++it) {
    found.insert((*it)[1]);
  }
  return found;
}

TEST(Alerts, TheManualsTableIsWhatTheRulesSay) {
  std::vector<Alarm> listed;
  const std::regex row(
      R"(\| `(Allot\w+)` \| `([^`]+)` \| ([^|]*) \| (\w+) \| \[[\w-]+\]\(runbooks/([\w-]+\.md)\) \|)");
  std::ifstream manual("docs/operator.md");
  for (std::string line; std::getline(manual, line);) {
    std::smatch parts;
    if (!std::regex_match(line, parts, row)) continue;
    listed.push_back({.name = parts[1],
                      .expression = parts[2],
                      .lasting = parts[3],
                      .severity = parts[4],
                      .runbook = "docs/runbooks/" + parts[5].str()});
  }
  EXPECT_EQ(listed, Alarms());
}

TEST(Alerts, EachHasARunbookThatSaysSo) {
  std::map<std::string, std::set<std::string>> rings_for;
  for (const Alarm& alarm : Alarms()) rings_for[alarm.runbook].insert(alarm.name);
  for (const auto& [runbook, alarms] : rings_for) {
    const auto named = Matches(TextOf(runbook), "`(Allot[A-Z]\\w+)`");
    EXPECT_THAT(alarms, IsSubsetOf(named)) << runbook;
  }
  // And no runbook speaks of one that is not.
  std::set<std::string> names;
  for (const Alarm& alarm : Alarms()) names.insert(alarm.name);
  for (const auto& entry : std::filesystem::directory_iterator("docs/runbooks")) {
    EXPECT_THAT(Matches(TextOf(entry.path()), "`(Allot[A-Z]\\w+)`"), IsSubsetOf(names))
        << entry.path();
  }
}

/// The names of what a scrape shows, of a histogram's parts too.
std::set<std::string> NamesIn(const std::string& scrape) {
  return Matches(scrape, R"((?:^|\n)(allot_\w+)[{ ])");
}

/// Scrapes until one shows what is wanted; adds a failure when none does within a minute.
std::string ScrapeUntil(const Installation& nation,
                        const std::function<bool(const std::string&)>& wanted) {
  for (int scrapes = 0; scrapes < 600; ++scrapes) {
    std::string scrape = nation.Metrics();
    if (wanted(scrape)) return scrape;
    usleep(100'000);
  }
  ADD_FAILURE() << nation.Metrics();
  return {};
}
std::string ScrapeWith(const Installation& nation, const std::string& metric) {
  return ScrapeUntil(nation,
                     [&](const std::string& scrape) { return NamesIn(scrape).contains(metric); });
}

TEST(Alerts, EachMetricIsShownByAServerThatHasWhatItIsAbout) {
  const TempDir dir;
  const Ended key = RunToEnd({"openssl", "genpkey", "-algorithm", "ed25519", "-out", dir / "key"});
  ASSERT_EQ(key.exit_code, 0) << key.err;
  std::filesystem::permissions(dir / "key", std::filesystem::perms(0600));
  const Installation nation(
      "policy: {gathering_time: 0s}\nserver: {edge: \"127.0.0.1:1\"}\nbackup: {folder: " +
      (dir / "backups") + "}\naudit: {signing_key: " + (dir / "key") +
      "}\nidentity:\n  issuers: [{issuer: \"http://127.0.0.1:1\", audience: "
      "allot}]\n");
  nation.RegisterSmallNation();
  const auto agent = nation.StartAgent("naver-a");
  agent->Signal(SIGSTOP);
  ASSERT_EQ(nation.Allot({"submit", "snu/llm", "--gpus", "8", "--for", "1h"}).exit_code, 0);
  std::set<std::string> shown =
      NamesIn(ScrapeWith(nation, "allot_orders_oldest_create_timestamp_seconds"));
  shown.merge(NamesIn(ScrapeWith(nation, "allot_issuer_keys_fetched_timestamp_seconds")));
  agent->Signal(SIGCONT);
  const Authority authority;
  authority.MakeServer();
  shown.merge(NamesIn(Installation(authority).Metrics()));

  for (const Alarm& alarm : Alarms()) {
    EXPECT_THAT(Matches(alarm.expression, R"(\b(allot_\w+))"), IsSubsetOf(shown)) << alarm.name;
  }
}

double Now() { return static_cast<double>(SystemClock().Now().seconds()); }

TEST(Alerts, WhoConnectsToTheMetricsAndSaysNothingKeepsNobodyFromThem) {
  Installation nation;
  const std::string port =
      *Matches(nation.server().err(), R"re("metrics_listen":"[^"]*:(\d+)")re").begin();
  Process silent({"bash", "-c",
                  "for i in 1 2 3 4; do exec {held}<>\"/dev/tcp/127.0.0.1/$0\"; done; "
                  "printf 'GET /met' >&\"$held\"; echo held; sleep 60",
                  port});
  ASSERT_TRUE(silent.AwaitOut("held"));
  EXPECT_THAT(nation.Metrics(), HasSubstr("allot_store_up"));
}

TEST(Alerts, WritesThatStandStillAreSeenWhileReadsGoOn) {
  const Installation nation;
  const auto age = [&](const std::string& scrape) {
    return Now() - ValueOf(scrape, "allot_scheduler_led_timestamp_seconds").value_or(0);
  };
  ScrapeUntil(nation, [&](const std::string& shown) { return age(shown) < 8; });
  // Somebody's transaction that is not ended. A standby that is gone has commits wait as well, but
  // a database of the server's own has none to wait for.
  pqxx::connection connection(*store::PrivateCluster::RunningUrl(nation.data_dir()));
  auto held = std::make_unique<pqxx::work>(connection);
  held->exec("LOCK TABLE leadership IN SHARE MODE");
  const std::string scrape =
      ScrapeUntil(nation, [&](const std::string& shown) { return age(shown) > 8; });
  EXPECT_EQ(ValueOf(scrape, "allot_store_up"), 1) << "it answers what it is asked";
  held.reset();
  ScrapeUntil(nation, [&](const std::string& shown) { return age(shown) < 8; });
}

TEST(Alerts, AnOrderThatIsNotEnactedIsSeenByClusterAndKind) {
  const Installation nation;
  nation.RegisterSmallNation();
  const auto agent = nation.StartAgent("naver-a");
  const std::string of_naver =
      R"({provider="naver",cluster="naver-a",model="H200",kind="provision"})";
  EXPECT_EQ(ValueOf(nation.Metrics(), "allot_orders_open" + of_naver), 0);
  agent->Signal(SIGSTOP);
  const double before = Now();
  ASSERT_EQ(
      nation.Allot({"submit", "snu/llm", "--name", "a", "--gpus", "8", "--for", "1h"}).exit_code,
      0);
  const std::string oldest = "allot_orders_oldest_create_timestamp_seconds";
  const std::string scrape = ScrapeWith(nation, oldest);
  EXPECT_EQ(ValueOf(scrape, "allot_orders_open" + of_naver), 1);
  EXPECT_GE(ValueOf(scrape, oldest + of_naver).value_or(0), before);
  EXPECT_THAT(scrape, HasSubstr("allot_orders_open{provider=\"kakao\""));
  agent->Signal(SIGCONT);
  const std::string after = ScrapeUntil(nation, [&](const std::string& shown) {
    return ValueOf(shown, "allot_orders_open" + of_naver) == 0;
  });
  EXPECT_FALSE(NamesIn(after).contains(oldest)) << "an alarm on its age ends";
}

}  // namespace
}  // namespace allot::testing
