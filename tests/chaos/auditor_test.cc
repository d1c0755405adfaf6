// What the auditor is told, and what it makes of it: each rule is seen to be broken once.
#include <gtest/gtest.h>

#include "allot/control/enact.h"
#include "allot/control/identity.h"
#include "allot/control/pool.h"
#include "chaos/audited.h"

namespace allot::chaos {
namespace {

class AuditorTest : public ::testing::Test, protected Audited {};

TEST_F(AuditorTest, NothingOfAnOlderSessionIsAccepted) {
  auditor_.Registered(ClusterId("c"), 1);
  auditor_.Answered("Heartbeat", ClusterId("c"), 1, true);
  auditor_.Registered(ClusterId("c"), 2);
  auditor_.Answered("Heartbeat", ClusterId("c"), 1, false);
  EXPECT_EQ(Rule(), "");
  auditor_.Answered("Heartbeat", ClusterId("c"), 1, true);
  EXPECT_EQ(Rule(), "session_newest");
}

TEST_F(AuditorTest, NoAgentIsSupersededByARegistrationOfItsOwn) {
  const auto first = control::CreateFirstKey(context_);
  ASSERT_TRUE(first.ok());
  control::Call call{.principal = *control::Authenticate(context_, first->secret),
                     .request_id = {},
                     .body_sha256 = {},
                     .validate_only = false};
  Cluster cluster;
  cluster.id = ClusterId("c");
  cluster.provider = ProviderId("p");
  cluster.programmes = {ProgrammeId("call")};
  ASSERT_TRUE(
      control::CreateProvider(context_, call, {.id = cluster.provider, .display_name = ""}).ok());
  const auto made = control::CreateCluster(context_, call, cluster);
  ASSERT_TRUE(made.ok()) << Describe(made.error());
  call.principal = {.key = KeyId("k"),
                    .role = Role::kProvider,
                    .institute = {},
                    .provider = cluster.provider,
                    .display_name = ""};
  for (const char* id : {"r1", "r2"}) {
    call.request_id = id;
    ASSERT_TRUE(control::RegisterAgent(context_, call, cluster.id, cluster.model).ok());
  }
  auditor_.Superseded(cluster.id, {"r0", "r1"});
  EXPECT_EQ(Rule(), "");
  auditor_.Superseded(cluster.id, {"r1", "r2"});
  EXPECT_EQ(Rule(), "superseded_by_another");
}

TEST_F(AuditorTest, WhatIsAcknowledgedIsThere) {
  Allocation lost;
  lost.id = AllocationId("snu/p/a");
  auditor_.Submitted("r1", {{.project = ProjectId("snu/p")}}, {lost});
  EXPECT_EQ(Rule(), "acknowledged_is_there");
}

TEST_F(AuditorTest, APassThatIsRefusedByTheCheckerIsABug) {
  auditor_.PassFailed("one", StateError(Reason::kNotLeader, ""), false);
  EXPECT_EQ(Rule(), "");
  auditor_.PassFailed("one", StateError(Reason::kInternal, "the checker refused the plan"), false);
  EXPECT_EQ(Rule(), "pass_is_sound");
}

TEST_F(AuditorTest, NobodyIsInAPassesWayUnlessThatWasMadeSo) {
  auditor_.PassFailed("one", StateError(Reason::kStoreConflict, ""), true);
  EXPECT_EQ(Rule(), "");
  auditor_.PassFailed("one", StateError(Reason::kStoreConflict, ""), false);
  EXPECT_EQ(Rule(), "pass_is_sound");
}

TEST_F(AuditorTest, NobodyIsToldOfAnInnerError) {
  auditor_.Refused("a submission", StateError(Reason::kQuotaExceeded, ""));
  EXPECT_EQ(Rule(), "");
  auditor_.Refused("a submission", StateError(Reason::kInternal, "The store refused a change."));
  EXPECT_EQ(Rule(), "answers_are_sound");
}

}  // namespace
}  // namespace allot::chaos
