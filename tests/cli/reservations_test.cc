#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fake_server.h"
#include "run.h"

namespace allot::cli::testing {
namespace {

using ::testing::HasSubstr;

class Reservations : public ::testing::Test {
 protected:
  Reservations() {
    v1::Cluster& cluster = server_.state.clusters["providers/naver/clusters/naver-a"];
    cluster.set_name("providers/naver/clusters/naver-a");
  }
  int64_t In(Seconds time) const { return (runner_.clock.Now() + time).seconds(); }

  FakeServer server_;
  Runner runner_{server_.address()};
};

TEST_F(Reservations, CreateSendsNodesTimesAndWhoseTheyAre) {
  const Ran ran = runner_.Run({"reservations", "create",     "naver-a", "--node",  "n1",
                               "--node",       "naver-a/n2", "--from",  "+2h",     "--for",
                               "4h",           "--every",    "7d",      "--times", "26",
                               "--project",    "snu/llm",    "--name",  "weekly",  "--title",
                               "training",     "--reason",   "agreed",  "-o",      "name"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.out, "providers/naver/clusters/naver-a/reservations/weekly\n");
  const auto& request = server_.state.reservation_requests.at(0);
  EXPECT_EQ(request.reservation().nodes(1), "providers/naver/clusters/naver-a/nodes/n2");
  EXPECT_EQ(request.reservation().start_time().seconds(), In(Hours(2)));
  EXPECT_EQ(request.reservation().end_time().seconds(), In(Hours(6)));
  EXPECT_EQ(request.reservation().repeat_every().seconds(), 7 * 86'400);
  EXPECT_EQ(request.reservation().occurrences(), 26);
  EXPECT_EQ(request.reservation().project(), "institutes/snu/projects/llm");
  EXPECT_EQ(request.reason(), "agreed");
  EXPECT_FALSE(request.override_promises());

  const Ran list = runner_.Run({"reservations", "list"});
  EXPECT_THAT(list.out, HasSubstr("naver-a/weekly  ahead"));
  EXPECT_THAT(list.out, HasSubstr("26 times, every 7d"));
  const Ran got = runner_.Run({"reservations", "get", "naver-a/weekly"});
  EXPECT_THAT(got.out, HasSubstr("Nodes: n1 n2"));
  runner_.clock.Advance(Days(7) + Hours(3));
  EXPECT_THAT(runner_.Run({"reservations", "list"}).out, HasSubstr("naver-a/weekly  open"));
  runner_.clock.Advance(Days(366));
  EXPECT_THAT(runner_.Run({"reservations", "list"}).out, HasSubstr("naver-a/weekly  over"));
  const Ran ended = runner_.Run({"reservations", "cancel", "naver-a/weekly", "--reason", "over"});
  EXPECT_THAT(ended.out, HasSubstr("naver-a/weekly  cancelled"));
}

TEST_F(Reservations, ADryRunListsWhatIsInTheWay) {
  server_.state.conflict.set_kind(v1::BookingConflict::KIND_PROMISED);
  server_.state.conflict.set_booking("institutes/snu/projects/llm/allocations/gang");
  server_.state.conflict.set_nodes(3);
  const Ran ran =
      runner_.Run({"reservations", "create", "naver-a", "--nodes", "4", "--for", "1h", "--reason",
                   "demo", "--name", "demo", "--dry-run", "--override-promises"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.err, HasSubstr("nothing was changed"));
  EXPECT_THAT(ran.out, HasSubstr("snu/llm/gang  is promised GPUs"));
  EXPECT_TRUE(server_.state.reservation_requests.at(0).validate_only());
  EXPECT_TRUE(server_.state.reservation_requests.at(0).override_promises());
  EXPECT_EQ(server_.state.reservation_requests.at(0).node_count(), 4);
  EXPECT_THAT(ran.err, HasSubstr("it would become")) << "promises give way to an override";
}

TEST_F(Reservations, ADryRunSaysThatItWouldBeRefused) {
  server_.state.conflict.set_booking("institutes/snu/projects/llm/allocations/gang");
  const std::vector<std::string> dry_run = {
      "reservations", "create", "naver-a",  "--nodes", "4",
      "--for",        "1h",     "--reason", "demo",    "--dry-run"};
  server_.state.conflict.set_kind(v1::BookingConflict::KIND_PROMISED);
  EXPECT_THAT(runner_.Run(dry_run).err, HasSubstr("it would be refused"));
  server_.state.conflict.set_kind(v1::BookingConflict::KIND_HELD);
  auto overriding = dry_run;
  overriding.emplace_back("--override-promises");
  EXPECT_THAT(runner_.Run(overriding).err, HasSubstr("it would be refused"));
}

TEST_F(Reservations, WhatIsMissingOrTooMuchIsSaid) {
  const std::vector<std::string> base = {"reservations", "create", "naver-a", "--reason", "x"};
  const struct {
    std::vector<std::string> more;
    const char* says;
  } kRows[] = {
      {{"--for", "1h"}, "--nodes"},
      {{"--for", "1h", "--nodes", "1", "--node", "n1"}, "--nodes"},
      {{"--nodes", "0", "--for", "1h"}, "--nodes"},
      {{"--nodes", "1"}, "--until"},
      {{"--nodes", "1", "--for", "1h", "--until", "+2h"}, "--until"},
      {{"--nodes", "1", "--for", "1h", "--every", "7d"}, "--times"},
      {{"--nodes", "1", "--for", "1h", "--times", "2"}, "--every"},
      {{"--nodes", "1", "--for", "1h", "--every", "7d", "--times", "0"}, "--times"},
      {{"--nodes", "1", "--for", "soon"}, "--for"},
  };
  for (const auto& row : kRows) {
    auto words = base;
    words.insert(words.end(), row.more.begin(), row.more.end());
    const Ran ran = runner_.Run(words);
    EXPECT_EQ(ran.code, 3) << ran.err;
    EXPECT_THAT(ran.err, HasSubstr(row.says));
  }
  EXPECT_EQ(runner_.Run({"reservations", "create", "naver-a", "--nodes", "1", "--for", "1h"}).code,
            2)
      << "a reason is needed";
  EXPECT_EQ(runner_.Run({"reservations", "get", "naver-a"}).code, 3);
  EXPECT_TRUE(server_.state.reservation_requests.empty());
}

TEST_F(Reservations, ClusterChangesOnlyWhatIsGiven) {
  ASSERT_EQ(
      runner_
          .Run({"cluster", "naver-a", "--join", "+30d", "--leave", "none", "--reason", "contract"})
          .code,
      0);
  const auto& update = server_.state.cluster_updates.at(0);
  EXPECT_EQ(update.cluster().name(), "providers/naver/clusters/naver-a");
  EXPECT_EQ(update.cluster().join_time().seconds(), In(Days(30)));
  EXPECT_FALSE(update.cluster().has_leave_time());
  ASSERT_EQ(update.update_mask().paths_size(), 2);
  EXPECT_EQ(update.update_mask().paths(1), "leave_time");
  EXPECT_EQ(runner_.Run({"cluster", "naver-a"}).code, 3);
}

}  // namespace
}  // namespace allot::cli::testing
