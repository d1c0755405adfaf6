#include "cli/policy_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace allot::cli {
namespace {

using ::testing::HasSubstr;

const std::string kSound = R"(programmes:
  call-2026-1:
    gpus_max: {H200: 256, B200: 128}
    duration_max: 366d
usage_half_life: 14d
starvation_bound: 90d
gathering_time: 10s
planning_horizon: 732d
release_time: 5m
promise_within: 14d
planned_slip_max: 30d
preemption_grace: 10m
preemption_min_run: 1h
preemption_gain: 4h
heartbeat_expiry: 30s
node_down_after: 5m
event_retention: 7d
request_retention: 30d
audit_retention: 730d
promise_nodes: 16
preemptions_max: 3
preemptions_per_pass: 4
tie_seed: 20251222
borrowed_gpus_max: 64
growth_min: 1h
b200_worth_permille: 2000
preemptions_per_project: 16
improver_rounds: 0
improver_delay_max: 0s
failures_max: 3
node_loss: requeue
)";

std::vector<std::string> ProblemsOf(const std::string& text) {
  std::vector<ManifestProblem> problems;
  ParsePolicyFile("p.yaml", text, problems);
  std::vector<std::string> described;
  for (const ManifestProblem& problem : problems) described.push_back(Describe(problem));
  return described;
}

std::string Replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(PolicyFile, ComesBackAsItWas) {
  std::vector<ManifestProblem> problems;
  const v1::PolicySettings settings = ParsePolicyFile("p.yaml", kSound, problems);
  ASSERT_TRUE(problems.empty()) << Describe(problems[0]);
  EXPECT_EQ(settings.usage_half_life().seconds(), 14 * 86'400);
  EXPECT_EQ(settings.promise_nodes(), 16);
  EXPECT_EQ(settings.node_loss(), v1::NODE_LOSS_REQUEUE);
  ASSERT_EQ(settings.programmes_size(), 1);
  EXPECT_EQ(settings.programmes(0).gpus_max().h200(), 256);
  const v1::PolicySettings again = ParsePolicyFile("p.yaml", FormatPolicyFile(settings), problems);
  ASSERT_TRUE(problems.empty()) << Describe(problems[0]);
  EXPECT_EQ(again.SerializeAsString(), settings.SerializeAsString());
}

TEST(PolicyFile, WhatIsWrongIsNamedByItsLine) {
  const struct {
    std::string from;
    std::string to;
    std::string problem;
  } rows[] = {
      {"usage_half_life: 14d", "usage_half_life: soon",
       "p.yaml:5: usage_half_life \"soon\": expected a length"},
      {"usage_half_life: 14d", "usage_half_life: -14d", "p.yaml:5: usage_half_life \"-14d\""},
      {"promise_nodes: 16\n", "", "promise_nodes is missing: expected a whole number"},
      {"promise_nodes: 16", "promise_nodes: -1", "promise_nodes \"-1\": expected a whole number"},
      {"promise_nodes: 16", "promise_nodes: 99999999999", "promise_nodes \"99999999999\""},
      {"node_loss: requeue", "node_loss: maybe", "node_loss \"maybe\": expected requeue or fail"},
      {"node_loss: requeue", "node_lost: requeue", "node_lost: expected no such field here"},
      {"node_loss: requeue", "promise_nodes: 2", "promise_nodes: expected each field once"},
      {"H200: 256", "H100: 256", "p.yaml:3: programmes.call-2026-1.gpus_max.H100"},
      {"H200: 256", "H200: many", "gpus_max.H200 \"many\""},
      {"    duration_max: 366d\n", "", "programmes.call-2026-1.duration_max is missing"},
      {"{H200: 256, B200: 128}", "256", "programmes.call-2026-1.gpus_max \"256\": expected a map"},
  };
  for (const auto& row : rows) {
    const auto problems = ProblemsOf(Replaced(kSound, row.from, row.to));
    ASSERT_FALSE(problems.empty()) << row.to;
    EXPECT_THAT(problems, ::testing::Contains(HasSubstr(row.problem)));
  }
}

TEST(PolicyFile, NoMapNoPolicy) {
  for (const char* text : {"", "[]", "7", "a: 1\n---\nb: 2\n", "a: [", "&a [*a]"}) {
    EXPECT_FALSE(ProblemsOf(text).empty()) << text;
  }
}

}  // namespace
}  // namespace allot::cli
