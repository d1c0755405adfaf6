// What a ministry's operator does beside the pool: rules, questions, emergencies; with the real
// programs.

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "e2e/installation.h"
#include "support/signing.h"

namespace allot::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr int kRefused = 3;

class Operator : public ::testing::Test {
 protected:
  void SetUp() override {
    nation.RegisterSmallNation();
    agent = nation.StartAgent("naver-a");
  }
  std::string Write(const std::string& name, const std::string& text) const {
    std::ofstream(dir / name) << text;
    return dir / name;
  }
  /// Fills the cluster, and has both projects wait behind that.
  void Queue() const {
    Submit("snu/llm", "all", "4", {"--wait"});
    Submit("snu/llm", "first", "3", {"--wait", "--until", "planned"});
    Submit("kaist/vision", "second", "3", {"--wait", "--until", "planned"});
  }
  void Submit(const std::string& project, const std::string& name, const std::string& nodes,
              const std::vector<std::string>& rest) const {
    std::vector<std::string> arguments = {"submit", project,    "--name", name,    "--nodes",
                                          nodes,    "--models", "H200",   "--for", "1d"};
    arguments.insert(arguments.end(), rest.begin(), rest.end());
    const Ended ended = nation.Allot(arguments);
    EXPECT_EQ(ended.exit_code, 0) << ended.err;
  }

  TempDir dir;
  Installation nation;
  std::unique_ptr<Process> agent;
};

TEST_F(Operator, APolicyIsExportedEditedAndPublishedAndOutlivesTheServer) {
  const std::string exported = nation.Allot({"policies", "export"}).out;
  ASSERT_THAT(exported, HasSubstr("promise_nodes: 16\n"));
  std::string edited = exported;
  edited.replace(edited.find("promise_nodes: 16"), 17, "promise_nodes: 2");
  const std::string file = Write("policy.yaml", edited);

  const Ended trial = nation.Allot(
      {"policies", "create", "spring", "-f", file, "--reason", "second call", "--dry-run"});
  EXPECT_EQ(trial.exit_code, 0) << trial.err;
  EXPECT_THAT(trial.err, HasSubstr("promise_nodes: 16 -> 2"));
  EXPECT_THAT(trial.err, Not(HasSubstr("warning")));
  std::string without = exported;
  const std::size_t caps = without.find("call-2026-1:");
  ASSERT_NE(caps, std::string::npos) << exported;
  without.replace(caps, 11, "call-2027-1");
  const Ended warned =
      nation.Allot({"policies", "create", "autumn", "-f", Write("autumn.yaml", without), "--reason",
                    "second call", "--dry-run"});
  EXPECT_THAT(warned.err, HasSubstr("warning: programme call-2026-1 has no caps in it"));
  EXPECT_THAT(nation.Allot({"policies", "get"}).out, HasSubstr("none is published"));

  const Ended made =
      nation.Allot({"policies", "create", "spring", "-f", file, "--reason", "second call"});
  ASSERT_EQ(made.exit_code, 0) << made.err;
  EXPECT_THAT(made.out, HasSubstr("second call"));
  nation.server().Kill();
  nation.StartServer();
  EXPECT_EQ(nation.AllotJson({"policies", "get", "spring"})["settings"]["promiseNodes"], 2);
  EXPECT_THAT(nation.Allot({"policies", "export", "spring"}).out, HasSubstr("promise_nodes: 2\n"));
  const std::string member = nation.MakeKey("snu", {"member", "--institute", "snu"});
  EXPECT_EQ(nation.AllotAs(member, {"policies", "get", "spring"}).exit_code, 0);

  const Ended later = nation.Allot(
      {"policies", "create", "summer", "-f", file, "--from", "+90d", "--reason", "third call"});
  EXPECT_EQ(later.exit_code, 0) << later.err;
  EXPECT_EQ(nation.Allot({"policies", "withdraw", "summer", "--reason", "called off"}).exit_code,
            0);
  const std::string list = nation.Allot({"policies", "list"}).out;
  EXPECT_THAT(list, HasSubstr("withdrawn"));
  EXPECT_LT(list.find("spring"), list.find("summer")) << "by date";
  EXPECT_THAT(nation.Allot({"audit", "policies/summer"}).out, HasSubstr("policy.withdraw"));
}

TEST_F(Operator, ABrokenPolicyFileIsRefusedByItsLines) {
  const std::string exported = nation.Allot({"policies", "export"}).out;
  std::string broken = exported;
  broken.replace(broken.find("failures_max: 3"), 15, "failures_max: x");
  const Ended refused = nation.Allot({"policies", "create", "spring", "-f",
                                      Write("broken.yaml", broken), "--reason", "second call"});
  EXPECT_EQ(refused.exit_code, kRefused);
  EXPECT_THAT(refused.err, HasSubstr("failures_max \"x\""));
  std::string contradiction = exported;
  contradiction.replace(contradiction.find("node_down_after: 5m"), 19, "node_down_after: 30s");
  const Ended judged =
      nation.Allot({"policies", "create", "spring", "-f",
                    Write("contradiction.yaml", contradiction), "--reason", "second call"});
  EXPECT_EQ(judged.exit_code, kRefused);
  EXPECT_THAT(judged.err, HasSubstr("policy_invalid"));
  EXPECT_THAT(judged.err, HasSubstr("policy.settings.node_down_after"));
  EXPECT_THAT(nation.Allot({"policies", "list"}).out, Not(HasSubstr("spring")));
}

TEST_F(Operator, AskingWhatWouldBeChangesNothing) {
  Queue();
  const std::string before = nation.Allot({"list", "-o", "json"}).out;
  const Ended drained = nation.Allot({"what-if", "--drain", "naver-a/node-1"});
  EXPECT_EQ(drained.exit_code, 0) << drained.err;
  EXPECT_THAT(drained.out, HasSubstr("nothing was changed"));
  const auto more = nation.AllotJson(
      {"what-if", "--submit", "kaist/vision", "--nodes", "1", "--models", "H200", "--for", "1h"});
  EXPECT_EQ(more["fares"].size(), 1U);
  EXPECT_FALSE(more["fares"][0]["plannedStartTime"].is_null());
  const auto merit = nation.AllotJson({"what-if", "--merit", "kaist/vision=1", "--merit",
                                       "snu/llm=1000", "--set", "release_time=10m"});
  EXPECT_THAT(merit["changedPolicyVersion"].get<std::string>(), HasSubstr("changed"));
  EXPECT_GE(merit["projects"].size(), 1U);
  EXPECT_EQ(nation.Allot({"list", "-o", "json"}).out, before);
  EXPECT_EQ(nation.Allot({"what-if"}).exit_code, 2);
  EXPECT_EQ(nation.Allot({"what-if", "--set", "promise_nodes"}).exit_code, kRefused);
  EXPECT_EQ(nation.Allot({"what-if", "--set", "nonsense=1"}).exit_code, kRefused);
}

TEST_F(Operator, AnEmergencyGoesBeforeOthersAndItsOwnerReadsWhy) {
  Queue();
  EXPECT_EQ(nation.AllotJson({"explain", "snu/llm/first"})["rank"], 2);
  const Ended urgent =
      nation.Allot({"urgent", "snu/llm/first", "--reason", "the outbreak of 2027-01"});
  ASSERT_EQ(urgent.exit_code, 0) << urgent.err;
  const std::string member = nation.MakeKey("snu", {"member", "--institute", "snu"});
  const Ended seen = nation.AllotAs(member, {"get", "snu/llm/first"});
  EXPECT_THAT(seen.out, HasSubstr("goes before others: the outbreak of 2027-01"));
  EXPECT_EQ(nation.AllotJson({"explain", "snu/llm/first"})["rank"], 1);
  EXPECT_EQ(nation.AllotAs(member, {"urgent", "snu/llm/first", "--reason", "me"}).exit_code, 4);
  EXPECT_EQ(nation.Allot({"urgent", "snu/llm/first", "--off", "--reason", "it is over"}).exit_code,
            0);
  EXPECT_EQ(nation.AllotJson({"get", "snu/llm/first"})["urgent"], false);
}

TEST_F(Operator, AProjectBorrowsBeyondItsQuota) {
  ASSERT_EQ(nation.Allot({"quota", "set", "snu/llm", "--h200", "8", "--reason", "call"}).exit_code,
            0);
  Submit("snu/llm", "own", "1", {"--wait"});
  Submit("snu/llm", "more", "1", {"--wait", "--until", "planned"});
  Submit("snu/llm", "extra", "2", {"--borrow", "--wait"});
  EXPECT_EQ(nation.AllotJson({"get", "snu/llm/extra"})["request"]["preemptible"], true);
  EXPECT_THAT(nation.Allot({"get", "snu/llm/extra"}).out, HasSubstr("borrowed"));
  const Ended quota = nation.Allot({"quota", "get", "snu/llm"});
  EXPECT_THAT(quota.out, HasSubstr("borrowed, H200"));
  EXPECT_EQ(nation.AllotJson({"quota", "get", "snu/llm"})["borrowedGpus"]["h200"], "16");
}

// Two nodes are half free, and work for a whole one waits: with real agents, one half is moved to
// the other node.
TEST(Consolidate, OneIsMovedForTheOneThatWasNamed) {
  Installation nation(
      "policy: {gathering_time: 0s, preemption_min_run: 0s, preemption_grace: 2s, "
      "preemption_gain: 30d}\n");
  nation.RegisterSmallNation();
  const auto agent = nation.StartAgent("naver-a");
  const auto submit = [&](const std::string& name, std::vector<std::string> rest) {
    std::vector<std::string> arguments = {"submit",   "snu/llm", "--name", name,
                                          "--models", "H200",    "--for",  "1d"};
    arguments.insert(arguments.end(), rest.begin(), rest.end());
    const Ended ended = nation.Allot(arguments);
    ASSERT_EQ(ended.exit_code, 0) << ended.err;
  };
  for (const char* name : {"one", "two"}) {
    submit(name, {"--gpus", "4", "--preemptible", "--wait"});
    submit(std::string(name) + "-beside", {"--gpus", "4", "--wait"});
  }
  submit("rest", {"--nodes", "2", "--wait"});
  EXPECT_EQ(nation
                .Allot({"release", "snu/llm/one-beside", "snu/llm/two-beside", "--reason", "done",
                        "--wait"})
                .exit_code,
            0);
  const auto big = nation.StartAllot({"submit", "snu/llm", "--name", "big", "--nodes", "1",
                                      "--models", "H200", "--for", "1d", "--wait"});
  ASSERT_TRUE(big->AwaitErr("planned"));

  const std::vector<std::string> consolidate = {"consolidate", "snu/llm/big", "--reason", "review"};
  std::vector<std::string> dry_run = consolidate;
  dry_run.emplace_back("--dry-run");
  const Ended told = nation.Allot(dry_run);
  EXPECT_EQ(told.exit_code, 0) << told.err;
  EXPECT_THAT(told.out, HasSubstr("GOES ON"));
  EXPECT_THAT(told.out, HasSubstr("snu/llm/big"));
  EXPECT_EQ(nation.AllotJson({"get", "snu/llm/big"})["consolidate"], false);
  const std::string member = nation.MakeKey("snu", {"member", "--institute", "snu"});
  EXPECT_EQ(nation.AllotAs(member, consolidate).exit_code, 4);

  const Ended named = nation.Allot(consolidate);
  EXPECT_EQ(named.exit_code, 0) << named.err;
  EXPECT_EQ(big->Wait().exit_code, 0) << "it is active";
  const auto moved = nation.AllotJson({"list", "snu/llm"});
  int preemptions = 0;
  for (const auto& allocation : moved["allocations"]) {
    preemptions += allocation["preemptions"].get<int>();
  }
  EXPECT_EQ(preemptions, 1) << nation.Allot({"audit", "snu/llm/one"}).out
                            << nation.Allot({"audit", "snu/llm/two"}).out
                            << nation.Allot({"audit", "snu/llm/big"}).out;
  EXPECT_EQ(nation.AllotJson({"get", "snu/llm/big"})["consolidate"], false) << "it is done";
}

// As whoever owns the database, with every rule of it switched off.
void SqlOf(const Installation& nation, const std::string& statement) {
  // PostgreSQL writes down where its socket is.
  std::ifstream pid_file(nation.data_dir() + "/postgres/postmaster.pid");
  std::string socket_dir;
  for (int line = 1; line <= 5; ++line) std::getline(pid_file, socket_dir);
  const Ended ended =
      RunToEnd({"psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", socket_dir, "-U", "allot", "-d",
                "allot", "-c", "SET session_replication_role = replica; " + statement});
  ASSERT_EQ(ended.exit_code, 0) << ended.err;
}

// Whoever owns the database can switch every rule of it off: the chain shows what was done then.
class AuditTampering : public Operator {
 protected:
  void Sql(const std::string& statement) const { SqlOf(nation, statement); }
  Ended Verify(const std::vector<std::string>& rest = {}) const {
    std::vector<std::string> arguments = {"audit", "verify"};
    arguments.insert(arguments.end(), rest.begin(), rest.end());
    return nation.Allot(arguments);
  }
};

TEST_F(AuditTampering, WhatIsChangedRemovedOrPutInIsFoundAndNamed) {
  Queue();
  const Ended whole = Verify();
  ASSERT_EQ(whole.exit_code, 0) << whole.err;
  const std::string mark = nation.Allot({"audit", "verify", "-o", "name"}).out;
  const std::string noted = mark.substr(0, mark.find('\n'));
  EXPECT_THAT(whole.out, HasSubstr(noted));
  Submit("snu/llm", "more", "1", {});
  EXPECT_EQ(Verify({"--noted", noted}).exit_code, 0) << "the audit goes on";

  Sql("UPDATE audit_entries SET detail = 'another reason' WHERE number = 3");
  const Ended changed = Verify();
  EXPECT_EQ(changed.exit_code, 5);
  EXPECT_THAT(changed.err, HasSubstr("entry 3 is not what was written there"));

  Sql("DELETE FROM audit_entries WHERE number = 2");
  EXPECT_THAT(Verify().err, HasSubstr("entry 2 is missing"));

  Sql("DELETE FROM audit_entries WHERE number >= 2");
  EXPECT_THAT(Verify().err, HasSubstr("the newest entries are missing, from 2 to"));

  // Even one that does all the work again, to the end.
  Sql("UPDATE audit_entries SET detail = 'x' WHERE number = 1;"
      " UPDATE audit_entries SET hash = audit_hash(decode(repeat('00', 32), 'hex'),"
      " ARRAY[number::text, micros(entry_time)::text, key_id, actor, action, resource, "
      "institute_id,"
      " detail, request_id]);"
      " UPDATE audit_chain SET number = 1, hash = (SELECT hash FROM audit_entries)");
  EXPECT_EQ(Verify().exit_code, 0) << "nobody who noted nothing can know";
  const Ended anew = Verify({"--noted", noted});
  EXPECT_EQ(anew.exit_code, 5);
  EXPECT_THAT(anew.err, HasSubstr("that was noted"));
}

// With the public half of the key that the servers sign with, nobody has to have noted anything.
TEST(SignedAudit, WhatIsWrittenAnewIsNotWhatWasSigned) {
  const TempDir keys;
  const SigningKeyFiles mine(keys.path(), "audit");
  const SigningKeyFiles other(keys.path(), "other");
  Installation nation("audit: {signing_key: " + mine.key + "}\npolicy: {gathering_time: 0s}\n");
  nation.RegisterSmallNation();
  // Who begins to lead signs at once.
  nation.server().Terminate();
  nation.StartServer();
  const auto verify = [&](const std::string& key) {
    return nation.Allot({"audit", "verify", "--public-key", key});
  };
  const Ended whole = verify(mine.public_half);
  EXPECT_EQ(whole.exit_code, 0) << whole.err;
  EXPECT_THAT(whole.out, HasSubstr("signed up to entry "));
  const Ended unknown = verify(other.public_half);
  EXPECT_EQ(unknown.exit_code, 5);
  EXPECT_THAT(unknown.err, HasSubstr("was not given"));
  EXPECT_EQ(verify(mine.key).exit_code, 3) << "that is the half to be kept";

  SqlOf(nation,
        "UPDATE audit_entries SET detail = 'another reason' WHERE number = 1;"
        " DO $$ DECLARE entry audit_entries; link bytea := decode(repeat('00', 32), 'hex');"
        " BEGIN FOR entry IN SELECT * FROM audit_entries ORDER BY number LOOP"
        " link := audit_hash(link, ARRAY[entry.number::text, micros(entry.entry_time)::text,"
        " entry.key_id, entry.actor, entry.action, entry.resource, entry.institute_id,"
        " entry.detail, entry.request_id]);"
        " UPDATE audit_entries SET hash = link WHERE number = entry.number; END LOOP;"
        " UPDATE audit_chain SET hash = link; END $$");
  EXPECT_EQ(nation.Allot({"audit", "verify", "--public-key", mine.public_half}).exit_code, 5);
  EXPECT_THAT(verify(mine.public_half).err, HasSubstr("is not the one of the checkpoint"));
}

// Nor does an audit whose end was cut off pass, however well what is left hangs together.
TEST(SignedAudit, WhatWasSignedCannotBeCutOff) {
  const TempDir keys;
  const SigningKeyFiles mine(keys.path(), "audit");
  Installation nation("audit: {signing_key: " + mine.key + "}\npolicy: {gathering_time: 0s}\n");
  nation.RegisterSmallNation();
  nation.server().Terminate();
  nation.StartServer();
  SqlOf(nation,
        "DELETE FROM audit_entries WHERE number > 3;"
        " UPDATE audit_chain SET number = 3,"
        " hash = (SELECT hash FROM audit_entries WHERE number = 3)");
  const Ended cut = nation.Allot({"audit", "verify", "--public-key", mine.public_half});
  EXPECT_EQ(cut.exit_code, 5) << cut.out;
  EXPECT_THAT(cut.err, HasSubstr("were signed, and those from 4 on are missing"));
}

}  // namespace
}  // namespace allot::testing
