// A recording gives the same plan again, and one that was tampered with is refused by the field.
#include "allot/replay/recording.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

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
                      Tampering{"/snapshot/nodes/0/id", "zzz", "snapshot"},
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

}  // namespace
}  // namespace allot::replay
