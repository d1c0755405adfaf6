// A recording gives the same plan again, and one that was tampered with is refused by the field.
#include "allot/replay/recording.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "support/manual_clock.h"
#include "support/random_snapshot.h"

namespace allot::replay {
namespace {

using nlohmann::json;
using scheduler::Snapshot;

Snapshot RandomSnapshot(uint64_t seed) {
  return testing::NextSnapshot(testing::RandomSnapshot(seed), testing::RandomPolicy(seed), seed,
                               /*faults=*/seed % 2 == 0);
}

std::string RecordingOf(uint64_t seed) {
  const Snapshot snapshot = RandomSnapshot(seed);
  const Policy policy = testing::RandomPolicy(seed);
  return FormatRecording(snapshot, policy, Schedule(snapshot, policy));
}

TEST(Recording, GivesTheSamePlanAgain) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    const Snapshot snapshot = RandomSnapshot(seed);
    const Policy policy = testing::RandomPolicy(seed);
    const scheduler::Plan plan = Schedule(snapshot, policy);
    const std::string text = FormatRecording(snapshot, policy, plan);
    const auto read = ParseRecording(text);
    ASSERT_TRUE(read.ok()) << "seed " << seed << ": " << Describe(read.error());
    EXPECT_EQ(Digest(read->snapshot), Digest(snapshot));
    EXPECT_EQ(Hash(read->snapshot, read->plan), Hash(snapshot, plan));
    EXPECT_EQ(Hash(read->snapshot, Schedule(read->snapshot, read->policy)), Hash(snapshot, plan));
    EXPECT_EQ(FormatRecording(read->snapshot, read->policy, read->plan), text);
  }
}

TEST(Recording, TextThatIsNoneIsRefused) {
  for (const std::string& text :
       {std::string(), std::string("{"), std::string("[]"), std::string("7"), std::string("\xff"),
        std::string(200'000, '['), RecordingOf(3).substr(0, 500)}) {
    const auto read = ParseRecording(text);
    ASSERT_FALSE(read.ok());
    EXPECT_EQ(read.error().reason, Reason::kConfigInvalid);
  }
}

TEST(Recording, OneOfANewerReleaseIsRefused) {
  json recording = json::parse(RecordingOf(3));
  recording["allot_recording"] = kRecordingVersion + 1;
  recording["snapshot"]["what this release does not know"] = true;
  const auto read = ParseRecording(recording.dump());
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(read.error().field, "allot_recording");
  EXPECT_NE(read.error().limit.find("a newer release wrote it"), std::string::npos);
}

TEST(Recording, TextThatIsNoJsonIsRefusedByTheByte) {
  const std::string whole = RecordingOf(3);
  for (const auto& [text, problem] : std::vector<std::pair<std::string, std::string>>{
           {"", "not JSON: there is nothing in it"},
           {whole.substr(0, 500), "not JSON: it ends after byte 500, before it is whole"},
           {whole + "}", "not JSON: it goes wrong at byte " + std::to_string(whole.size() + 1)},
           {"pass", "not JSON: it goes wrong at byte 1 of 4"},
           {R"({"allot_recording":1e999})", "not JSON: a number in it is too large"},
           {"[]", "JSON, but no object"}}) {
    const auto read = ParseRecording(text);
    ASSERT_FALSE(read.ok());
    EXPECT_NE(read.error().message.find(problem), std::string::npos) << read.error().message;
  }
}

TEST(Recording, WhatIsNestedDeeplyIsRefusedAsAnyOther) {
  constexpr std::size_t kDepth = 300'000;
  const std::string list = std::string(kDepth, '[') + std::string(kDepth, ']');
  json recording = json::parse(RecordingOf(3));
  for (const char* path : {"/allot_recording", "/policy", "/policy/version", "/snapshot/pending",
                           "/snapshot/clusters/0/programmes", "/snapshot/claims/0/gpus",
                           "/snapshot/stranger", "/plan/order", "/plan/placements/0/promised"}) {
    json marked = recording;
    marked[json::json_pointer(path)] = "DEEP";
    std::string text = marked.dump();
    text.replace(text.find("\"DEEP\""), 6, list);
    const auto read = ParseRecording(text);
    ASSERT_FALSE(read.ok());
    EXPECT_NE(read.error().message.find("a list"), std::string::npos) << read.error().message;
  }
}

TEST(Recording, ANameThatComesTwiceIsRefused) {
  const std::string whole = RecordingOf(3);
  for (const auto& [text, name] : std::vector<std::pair<std::string, std::string>>{
           {R"({"allot_recording":1,)" + whole.substr(1), "allot_recording"},
           {std::string(whole).replace(whole.find("\"now_us\""), 0, R"("now_us":0,)"), "now_us"}}) {
    const auto read = ParseRecording(text);
    ASSERT_FALSE(read.ok());
    EXPECT_EQ(read.error().value, name);
    EXPECT_EQ(read.error().limit, "each name once");
  }
}

TEST(Recording, WhatWouldTakeAllMemoryIsRefusedByItsLength) {
  const auto read = ParseRecording(std::string((std::size_t{64} << 20) + 1, ' '));
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(read.error().field, "the recording");
  EXPECT_EQ(read.error().value, "67,108,865 bytes");
}

TEST(Recording, AnEmptyTextIsToldApartFromNone) {
  json recording = json::parse(RecordingOf(3));
  recording["snapshot"]["nodes"][0]["id"] = "";
  const auto read = ParseRecording(recording.dump());
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(read.error().limit, "a text that is not empty");
}

/// As format 1 had it: without all that came later.
json OfTheFirstFormat() {
  json recording = json::parse(RecordingOf(3));
  recording["allot_recording"] = 1;
  json& snapshot = recording["snapshot"];
  const auto keep = [](json& row, const std::vector<std::string>& names) {
    json kept = json::object();
    for (const std::string& name : names) {
      if (row.contains(name)) kept[name] = row[name];
    }
    row = kept;
  };
  keep(recording["policy"],
       {"version", "usage_half_life_s", "starvation_bound_s", "gathering_time_s",
        "planning_horizon_s", "release_time_s", "promise_nodes", "promise_within_s", "programmes"});
  keep(snapshot, {"now_us", "revision", "clusters", "nodes", "projects", "claims", "pending"});
  for (json& row : snapshot["clusters"]) keep(row, {"id", "model", "programmes"});
  for (json& row : snapshot["nodes"]) row.erase("leaf");
  for (json& row : snapshot["projects"]) row.erase("stopped_lately");
  for (json& row : snapshot["claims"]) row.erase("borrowed");
  for (json& row : snapshot["pending"]) {
    keep(row, {"id", "project", "request", "create_us", "requeued"});
    for (const char* name : {"exchanged", "borrow", "same_leaf_wait_s"}) row["request"].erase(name);
  }
  json& plan = recording["plan"];
  keep(plan, {"hash", "now_us", "revision", "placements", "deferrals", "slips", "order"});
  for (const char* rows : {"placements", "deferrals", "slips", "order"}) plan[rows] = json::array();
  return recording;
}

TEST(Recording, OneOfTheFirstFormatIsRead) {
  json recording = OfTheFirstFormat();
  auto read = ParseRecording(recording.dump());
  // Its plan is another than the hash is of, and nothing else is amiss.
  ASSERT_FALSE(read.ok());
  ASSERT_EQ(read.error().field, "plan.hash") << Describe(read.error());
  recording["plan"]["hash"] = read.error().limit;
  read = ParseRecording(recording.dump());
  ASSERT_TRUE(read.ok()) << Describe(read.error());
  EXPECT_EQ(read->policy.improver_rounds, 0);
}

TEST(Recording, AFieldThatCameAfterItsFormatIsRefused) {
  json recording = OfTheFirstFormat();
  recording["policy"]["preemptions_per_pass"] = 4;
  const auto read = ParseRecording(recording.dump());
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(read.error().field, "policy.preemptions_per_pass");
  EXPECT_EQ(read.error().limit, "no such field in a recording of format 1");
}

struct Tampering {
  const char* path;
  json value;
  const char* field;
};

class RecordingRefuses : public ::testing::TestWithParam<Tampering> {};

TEST_P(RecordingRefuses, ByTheField) {
  json recording = json::parse(RecordingOf(3));
  recording[json::json_pointer(GetParam().path)] = GetParam().value;
  const auto read = ParseRecording(recording.dump());
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(read.error().reason, Reason::kConfigInvalid);
  EXPECT_EQ(read.error().field, GetParam().field) << Describe(read.error());
}

INSTANTIATE_TEST_SUITE_P(
    Fields, RecordingRefuses,
    ::testing::Values(Tampering{"/policy", json::array(), "policy"},
                      Tampering{"/policy/usage_half_life_s", 0, "policy.usage_half_life_s"},
                      Tampering{"/policy/promise_nodes", -1, "policy.promise_nodes"},
                      Tampering{"/policy/starvation_bound_s", "long", "policy.starvation_bound_s"},
                      Tampering{"/policy/release_time_s", 1.5, "policy.release_time_s"},
                      Tampering{"/snapshot/now_us", 18'446'744'073'709'551'615U, "snapshot.now_us"},
                      Tampering{"/snapshot/nodes", nullptr, "snapshot.nodes"},
                      Tampering{"/snapshot/nodes/0", 7, "snapshot.nodes[0]"},
                      Tampering{"/snapshot/nodes/0/cluster", 99, "snapshot.nodes[0].cluster"},
                      Tampering{"/snapshot/nodes/0/health", "fine", "snapshot.nodes[0].health"},
                      Tampering{"/snapshot/nodes/0/id", "zzz", "snapshot.nodes[1]"},
                      Tampering{"/snapshot/projects/0/merit", 1001, "snapshot.projects[0].merit"},
                      Tampering{"/snapshot/projects/0/open", "yes", "snapshot.projects[0].open"},
                      Tampering{"/snapshot/claims/0/node", -1, "snapshot.claims[0].node"},
                      Tampering{"/snapshot/claims/0/gpus", 256, "snapshot.claims[0].gpus"},
                      Tampering{"/snapshot/pending/0/project", 1'000,
                                "snapshot.pending[0].project"},
                      Tampering{"/snapshot/pending/0/id", "", "snapshot.pending[0].id"},
                      Tampering{"/snapshot/pending/0/request/duration_s", 0,
                                "snapshot.pending[0].request.duration_s"},
                      Tampering{"/snapshot/pending/0/request/gpus_per_node", 9,
                                "snapshot.pending[0].request.gpus_per_node"},
                      Tampering{"/snapshot/pending/0/request/models", json::array({"A100"}),
                                "snapshot.pending[0].request.models"},
                      Tampering{"/snapshot/pending/0/promise",
                                {{"start_us", 5}, {"end_us", 5}},
                                "snapshot.pending[0].promise.end_us"},
                      Tampering{"/plan/hash", "0000000000000000", "plan.hash"},
                      Tampering{"/plan/order/0", 5'000, "plan.order"},
                      Tampering{"/plan/placements/0/cluster", 77, "plan.placements[0].cluster"},
                      Tampering{"/plan/deferrals/0/reason", "mood", "plan.deferrals[0].reason"}));

INSTANTIATE_TEST_SUITE_P(
    Strangers, RecordingRefuses,
    ::testing::Values(
        Tampering{"/stranger", 1, "stranger"},
        Tampering{"/policy/unknown_setting", 5, "policy.unknown_setting"},
        Tampering{"/policy/\x1b[2J", 5, "policy.\\x1b[2J"},
        Tampering{"/snapshot/unknown", json::object(), "snapshot.unknown"},
        Tampering{"/snapshot/nodes/1/rack", "r1", "snapshot.nodes[1].rack"},
        Tampering{"/snapshot/projects/0/concurrent_gpus/Z9", 1,
                  "snapshot.projects[0].concurrent_gpus.Z9"},
        Tampering{"/snapshot/pending/0/request/gpus", 8, "snapshot.pending[0].request.gpus"},
        Tampering{"/plan/placements/0/nodes/0/leaf", "l1", "plan.placements[0].nodes[0].leaf"}));

/// A small pool with all that contradicts itself only beside something else: two projects, a
/// claim, one that waits and one that waits for it.
Recording Consistent() {
  Recording recording;
  Snapshot& snapshot = recording.snapshot;
  snapshot.now = testing::ManualClock::kStart;
  snapshot.clusters = {{ClusterId("c0"), GpuModel::kH200, {ProgrammeId("call")}}};
  snapshot.nodes = {{.id = NodeId("c0/n0")}, {.id = NodeId("c0/n1")}, {.id = NodeId("c0/n2")}};
  for (const char* id : {"i/p0", "i/p1"}) {
    snapshot.projects.push_back({.id = ProjectId(id), .programme = ProgrammeId("call")});
  }
  snapshot.claims = {{AllocationId("i/r0"), 0, 0, 15, snapshot.now - Hours(1), snapshot.now},
                     {AllocationId("i/r1"), 1, 0, 15, snapshot.now, snapshot.now + Hours(1)},
                     {AllocationId("i/r2"), 1, 0, 240, snapshot.now, snapshot.now + Hours(1)}};
  for (const char* id : {"i/w0", "i/w1", "i/w2"}) {
    scheduler::SnapshotPending row{.id = AllocationId(id)};
    row.request = {.shape = {1, 8, 0}, .models = {GpuModel::kH200}, .duration = Hours(1)};
    row.create_time = snapshot.now - Hours(1);
    snapshot.pending.push_back(row);
  }
  snapshot.pending[1].after = AllocationId("i/w0");
  snapshot.pending[2].after = AllocationId("i/w1");
  return recording;
}

std::string Written(const Recording& recording) {
  return FormatRecording(recording.snapshot, recording.policy,
                         Schedule(recording.snapshot, recording.policy));
}

TEST(Recording, ClaimsMayFollowEachOtherAndPredecessorsMayBeGone) {
  Recording recording = Consistent();
  recording.snapshot.pending[0].after = AllocationId("i/ended");
  const auto read = ParseRecording(Written(recording));
  EXPECT_TRUE(read.ok()) << Describe(read.error());
}

class RecordingContradicts : public ::testing::TestWithParam<Tampering> {};

TEST_P(RecordingContradicts, ByTheField) {
  json recording = json::parse(Written(Consistent()));
  recording[json::json_pointer(GetParam().path)] = GetParam().value;
  const auto read = ParseRecording(recording.dump());
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(read.error().reason, Reason::kConfigInvalid);
  EXPECT_EQ(read.error().field, GetParam().field) << Describe(read.error());
}

INSTANTIATE_TEST_SUITE_P(
    Rows, RecordingContradicts,
    ::testing::Values(Tampering{"/snapshot/nodes/2/id", "c0/n1", "snapshot.nodes[2]"},
                      Tampering{"/snapshot/projects/0/id", "i/p9", "snapshot.projects[1]"},
                      Tampering{"/snapshot/clusters/0/programmes", json::array({"b", "a"}),
                                "snapshot.clusters[0].programmes[1]"},
                      Tampering{"/snapshot/claims/0/node", 1, "snapshot.claims[1]"},
                      Tampering{"/snapshot/claims/2/gpus", 24, "snapshot.claims[2].gpus"},
                      Tampering{"/snapshot/claims/0/until_us", 0, "snapshot.claims[0].until_us"},
                      Tampering{"/snapshot/clusters/0",
                                {{"id", "c0"},
                                 {"model", "H200"},
                                 {"programmes", json::array()},
                                 {"join_us", 8},
                                 {"leave_us", 7}},
                                "snapshot.clusters[0].leave_us"},
                      Tampering{"/snapshot/pending/0/request/deadline_us", 5,
                                "snapshot.pending[0].request.deadline_us"},
                      Tampering{"/snapshot/pending/0/request/models", json::array({"H200", "H200"}),
                                "snapshot.pending[0].request.models"},
                      Tampering{"/snapshot/pending/0/after", "i/w0", "snapshot.pending[0].after"},
                      Tampering{"/snapshot/pending/0/after", "i/w2", "snapshot.pending[1].after"},
                      Tampering{"/snapshot/pending/0/after", "i/r1", "snapshot.pending[0].after"},
                      Tampering{"/snapshot/pending/1/project", 1, "snapshot.pending[1].after"},
                      Tampering{"/snapshot/pending/0/grows", "i/w0", "snapshot.pending[0].grows"},
                      Tampering{"/snapshot/pending/0/beside", 0, "snapshot.pending[0].beside"},
                      Tampering{"/plan/revision", 9, "plan.revision"}));

}  // namespace
}  // namespace allot::replay
