#include "allot/control/identity.h"
#include "allot/control/reservations.h"
#include "control/world.h"

namespace allot::control {
namespace {

class SubmitTest : public World {
 protected:
  Call AsMember(const std::string& request_id, const std::string& body) {
    return {.principal = Member("snu"),
            .request_id = request_id,
            .body_sha256 = Sha256Hex(body),
            .validate_only = false};
  }
};

TEST_F(SubmitTest, SameRequestIdAndBodyIsTheSameAllocation) {
  Submission ask = Ask("snu", "", 1, Hours(1));
  const Allocation first = Must(Submit(*context, AsMember("r1", "body"), ask));
  const Allocation again = Must(Submit(*context, AsMember("r1", "body"), ask));
  EXPECT_EQ(first, again);
  const auto all = Must(ListAllocations(*context, Member("snu"), {}, {}));
  EXPECT_EQ(all.items.size(), 1U);
}

TEST_F(SubmitTest, SameRequestIdWithAnotherBodyIsRefused) {
  Must(Submit(*context, AsMember("r1", "body"), Ask("snu", "a", 1, Hours(1))));
  EXPECT_EQ(ReasonOf(Submit(*context, AsMember("r1", "other"), Ask("snu", "b", 1, Hours(1)))),
            Reason::kRequestIdReused);
}

TEST_F(SubmitTest, ARepeatIsAnsweredAsTheFirstWasThoughItsTimesHaveGoneBy) {
  Submission soon = Ask("snu", "soon", 1, Hours(1));
  soon.request.earliest_start = clock.Now() + Seconds{30};
  Submission tight = Ask("snu", "tight", 1, Hours(1));
  tight.request.deadline = clock.Now() + Hours(1) + Seconds{30};
  const Allocation first = Must(Submit(*context, AsMember("r1", "soon"), soon));
  const Allocation second = Must(Submit(*context, AsMember("r2", "tight"), tight));
  clock.Advance(Minutes(2));
  EXPECT_EQ(Must(Submit(*context, AsMember("r1", "soon"), soon)), first);
  EXPECT_EQ(Must(Submit(*context, AsMember("r2", "tight"), tight)), second);
  EXPECT_EQ(ReasonOf(Submit(*context, AsMember("r1", "tight"), tight)), Reason::kRequestIdReused);
  for (const std::string id : {"r3", ""}) {
    EXPECT_EQ(ReasonOf(Submit(*context, AsMember(id, "soon"), soon)),
              Reason::kEarliestStartOutOfRange);
    EXPECT_EQ(ReasonOf(Submit(*context, AsMember(id, "tight"), tight)), Reason::kDeadlineTooEarly);
  }
  EXPECT_EQ(Must(ListAllocations(*context, Member("snu"), {}, {})).items.size(), 2U);
}

TEST_F(SubmitTest, ARepeatIsAnsweredAsTheFirstWasThoughTheRateOfExchangeHasChanged) {
  SetQuota("snu/p", 64, 1'000'000);
  Submission by_gpu = Ask("snu", "by-gpu", 1, Hours(1));
  by_gpu.request = {.gpus = 16,
                    .nodes = {},
                    .gpus_per_node = {},
                    .models = {"B200", "H200"},
                    .duration = Hours(1),
                    .exchange = true};
  Submission by_node = Ask("snu", "by-node", 2, Hours(1));
  by_node.request.models = {"B200", "H200"};
  by_node.request.exchange = true;
  policy.b200_worth_permille = 2'000;
  const Allocation first = Must(Submit(*context, AsMember("r1", "by-gpu"), by_gpu));
  const Allocation second = Must(Submit(*context, AsMember("r2", "by-node"), by_node));
  // By which no cluster there could be holds as much.
  policy.b200_worth_permille = 2'000'000;
  EXPECT_EQ(Must(Submit(*context, AsMember("r1", "by-gpu"), by_gpu)), first);
  EXPECT_EQ(Must(Submit(*context, AsMember("r2", "by-node"), by_node)), second);
  for (const std::string id : {"r3", ""}) {
    EXPECT_EQ(ReasonOf(Submit(*context, AsMember(id, "by-gpu"), by_gpu)), Reason::kGpusOutOfRange);
    EXPECT_EQ(ReasonOf(Submit(*context, AsMember(id, "by-node"), by_node)),
              Reason::kNodesOutOfRange);
  }
  EXPECT_EQ(Must(ListAllocations(*context, Member("snu"), {}, {})).items.size(), 2U);
}

/// What an operator entered, and what only then became wrong.
class RepeatedEntryTest : public SubmitTest {
 protected:
  Call AsOperator(const std::string& request_id) const {
    return {.principal = Operator(), .request_id = request_id, .body_sha256 = Sha256Hex("body")};
  }
};

TEST_F(RepeatedEntryTest, ACreatedClusterIsAnsweredThoughItHasJoinedAndItsProgrammeIsGone) {
  Cluster cluster = MakeCluster("soon");
  cluster.join_time = clock.Now() + Seconds{5};
  const Cluster made = Must(CreateCluster(*context, AsOperator("r1"), cluster));
  clock.Advance(Seconds{10});
  EXPECT_EQ(Must(CreateCluster(*context, AsOperator("r1"), cluster)), made);
  for (const std::string id : {"r2", ""}) {
    EXPECT_EQ(ReasonOf(CreateCluster(*context, AsOperator(id), cluster)), Reason::kTimeOutOfRange);
  }
  policy.programmes = {{ProgrammeId("other"), {64, 64}, Days(366)}};
  EXPECT_EQ(Must(CreateCluster(*context, AsOperator("r1"), cluster)), made);
  cluster.join_time.reset();
  for (const std::string id : {"r2", ""}) {
    EXPECT_EQ(ReasonOf(CreateCluster(*context, AsOperator(id), cluster)), Reason::kEnumUnknown);
  }
}

TEST_F(RepeatedEntryTest, AChangedClusterIsAnsweredThoughItsProgrammeIsGone) {
  policy.programmes.push_back({ProgrammeId("other"), {64, 64}, Days(1)});
  const ClusterUpdate update{.provider = ProviderId("prov"),
                             .id = ClusterId("c"),
                             .programmes = {{ProgrammeId("call"), ProgrammeId("other")}},
                             .reason = "more of it"};
  const Cluster changed = Must(UpdateCluster(*context, AsOperator("r1"), update));
  policy.programmes.pop_back();
  EXPECT_EQ(Must(UpdateCluster(*context, AsOperator("r1"), update)), changed);
  for (const std::string id : {"r2", ""}) {
    EXPECT_EQ(ReasonOf(UpdateCluster(*context, AsOperator(id), update)), Reason::kEnumUnknown);
  }
}

TEST_F(RepeatedEntryTest, ACreatedProjectIsAnsweredThoughItsProgrammeIsGone) {
  Project project;
  project.id = ProjectId("snu/q");
  project.institute = InstituteId("snu");
  project.programme = ProgrammeId("call");
  const Project made = Must(CreateProject(*context, AsOperator("r1"), project));
  policy.programmes = {{ProgrammeId("other"), {64, 64}, Days(366)}};
  EXPECT_EQ(Must(CreateProject(*context, AsOperator("r1"), project)), made);
  for (const std::string id : {"r2", ""}) {
    EXPECT_EQ(ReasonOf(CreateProject(*context, AsOperator(id), project)), Reason::kEnumUnknown);
  }
}

TEST_F(SubmitTest, ValidateOnlyChecksEverythingAndChangesNothing) {
  Call call = AsMember("r1", "body");
  call.validate_only = true;
  const auto before = Must(planner->Latest())->snapshot.revision;
  EXPECT_EQ(Must(Submit(*context, call, Ask("snu", "a", 1, Hours(1)))).id.str(), "snu/p/a");
  EXPECT_EQ(ReasonOf(Submit(*context, call, Ask("snu", "b", 5, Hours(1)))),
            Reason::kLargerThanPool);
  EXPECT_EQ(Must(planner->Latest())->snapshot.revision, before);
  call.validate_only = false;
  Must(Submit(*context, call, Ask("snu", "a", 1, Hours(1))));
}

// All four nodes are busy for two hours, and for four more by one that waits.
class ForetellTest : public SubmitTest {
 protected:
  void SetUp() override {
    SubmitTest::SetUp();
    SubmitAs("kist", "now", 4, Hours(2));
    Settle();
    EnactAll();
    SubmitAs("snu", "waits", 4, Hours(4));
    Settle();
    clock.Advance(Seconds{1});
  }
  std::vector<Allocation> Foretold(const std::vector<Submission>& asks) {
    Call call = As(Member("snu"));
    call.validate_only = true;
    auto made = Must(SubmitAll(*context, call, asks));
    Must(planner->Foretell(made));
    return made;
  }
};

TEST_F(ForetellTest, OneThatIsLastStartsWhenItWasForetold) {
  const Allocation told = Foretold({Ask("snu", "a", 3, Hours(1))}).front();
  EXPECT_EQ(told.state, AllocationState::kPlanned);
  ASSERT_TRUE(told.window);
  EXPECT_GE(told.window->start(), Get("snu/p/waits").window->end());
  EXPECT_EQ(told.cluster, ClusterId("c"));
  EXPECT_FALSE(told.promised);
  EXPECT_NE(told.message.find("behind all who wait now"), std::string::npos) << told.message;

  SubmitAs("snu", "a", 3, Hours(1));
  Settle();
  EXPECT_EQ(Get("snu/p/a").window, told.window);
}

TEST_F(ForetellTest, WhatIsForetoldIsInNobodysWay) {
  const auto before = Must(planner->Latest())->snapshot.revision;
  const auto first = Foretold({Ask("snu", "a", 3, Hours(1))});
  EXPECT_EQ(Foretold({Ask("snu", "a", 3, Hours(1))}), first);
  EXPECT_EQ(Must(planner->Latest())->snapshot.revision, before);
  SubmitAs("snu", "b", 4, Hours(1));
  Settle();
  EXPECT_GT(Foretold({Ask("snu", "a", 3, Hours(1))}).front().window->start(),
            first.front().window->start())
      << "by the plan as it is now";
}

TEST_F(ForetellTest, ThoseOfOneCallFollowEachOther) {
  Submission behind = Ask("snu", "b", 1, Hours(1));
  behind.after = AllocationId("snu/p/a");
  const auto told = Foretold({Ask("snu", "a", 1, Hours(1)), behind, Ask("snu", "c", 4, Hours(1))});
  EXPECT_GE(told[1].window->start(), told[0].window->end());
  EXPECT_GE(told[2].window->start(), told[1].window->end());
  SubmitAs("snu", "gone", 1, Hours(1));
  Must(Cancel(*context, As(Member("snu")), {.id = AllocationId("snu/p/gone"), .reason = ""}));
  behind.after = AllocationId("snu/p/gone");
  EXPECT_TRUE(Foretold({behind}).front().window) << "that one has ended";
  behind.after = AllocationId("snu/p/waits");
  EXPECT_GE(Foretold({behind}).front().window->start(), Get("snu/p/waits").window->end());
}

TEST_F(ForetellTest, OneWithoutAStartIsToldWhy) {
  Submission ask = Ask("snu", "a", 1, Hours(1));
  ask.request.deadline = clock.Now() + Hours(3);
  const Allocation told = Foretold({ask}).front();
  EXPECT_EQ(told.state, AllocationState::kPending);
  EXPECT_EQ(told.reason, "deadline_unreachable");
  EXPECT_FALSE(told.window);
}

TEST_F(ForetellTest, OneThatExistsStaysAsItIs) {
  std::vector<Allocation> existing = {Get("snu/p/waits"), Get("kist/p/now")};
  const std::vector<Allocation> before = existing;
  Must(planner->Foretell(existing));
  EXPECT_EQ(existing, before);
}

TEST_F(SubmitTest, AnotherTenantsProjectDoesNotExist) {
  EXPECT_EQ(ReasonOf(Submit(*context, As(Member("snu")), Ask("kist", "a", 1, Hours(1)))),
            Reason::kNotFound);
  EXPECT_EQ(ReasonOf(Submit(*context, As(Member("snu")), Ask("nobody", "a", 1, Hours(1)))),
            Reason::kNotFound);
}

TEST_F(SubmitTest, OnlyWhoMaySubmitDoes) {
  EXPECT_EQ(ReasonOf(Submit(*context, As(Agent()), Ask("snu", "a", 1, Hours(1)))),
            Reason::kRoleInsufficient);
}

TEST_F(SubmitTest, NameInUseIsRefused) {
  SubmitAs("snu", "a", 1, Hours(1));
  EXPECT_EQ(ReasonOf(Submit(*context, As(Member("snu")), Ask("snu", "a", 1, Hours(1)))),
            Reason::kAlreadyExists);
}

TEST_F(SubmitTest, ManyAreAdmittedAllOrNone) {
  SetQuota("snu/p", 32, 100);  // 100 GPU-hours; one node for 4 hours costs 32.
  std::vector<Submission> three;
  for (const char* name : {"a", "b", "c"}) three.push_back(Ask("snu", name, 1, Hours(4)));
  three[1].after = AllocationId("snu/p/a");
  three[2].after = AllocationId("snu/p/b");
  Call call = As(Member("snu"));
  call.request_id = "r-1";
  call.body_sha256 = std::string(64, 'a');
  const auto made = Must(SubmitAll(*context, call, three));
  EXPECT_EQ(Must(SubmitAll(*context, call, three)), made) << "the same call again";
  ASSERT_EQ(made.size(), 3U);
  EXPECT_EQ(made[2].id.str(), "snu/p/c");
  EXPECT_EQ(made[2].after, made[1].id);
  // Created at the same instant, planned in the order of the chain.
  Settle();
  EXPECT_EQ(Get("snu/p/c").window->start(), Get("snu/p/b").window->end() + policy.release_time);

  three[2].path = "requests[2].";
  for (Submission& one : three) {
    one.allocation_name += "2";
    one.after.reset();
  }
  const auto refused = SubmitAll(*context, As(Member("snu")), three);
  EXPECT_EQ(ReasonOf(refused), Reason::kGpuHoursExhausted) << "what is left is not enough";
  SetQuota("snu/p", 32, 170);
  const auto third = SubmitAll(*context, As(Member("snu")), three);
  ASSERT_EQ(ReasonOf(third), Reason::kGpuHoursExhausted) << "enough for two of them, and a bit";
  EXPECT_EQ(third.error().field, "requests[2].allocation.request.duration");
  EXPECT_EQ(Must(ListAllocations(*context, Member("snu"), {}, {})).items.size(), 3U);
  three.pop_back();
  Must(SubmitAll(*context, As(Member("snu")), three));
}

TEST_F(SubmitTest, ARefusalNamesTheFieldThatWasSent) {
  const auto refused = [&](const RawRequest& request) {
    Submission submission = Ask("snu", "a", 1, Hours(1));
    submission.request = request;
    const auto answer = Submit(*context, As(Member("snu")), submission);
    return answer.ok() ? "accepted" : answer.error().field + " " + answer.error().value;
  };
  EXPECT_EQ(refused(Nodes(5, Hours(1))), "allocation.request.node_shape.nodes 5");
  EXPECT_EQ(refused(Nodes(9, Hours(1))), "allocation.request.node_shape 72 = 9 x 8");
  RawRequest in_all = Nodes(1, Hours(1));
  in_all.nodes.reset();
  in_all.gpus_per_node.reset();
  in_all.gpus = 33;
  EXPECT_EQ(refused(in_all), "allocation.request.gpus 33");
  in_all.gpus = 72;
  EXPECT_EQ(refused(in_all), "allocation.request.gpus 72");
}

TEST_F(SubmitTest, AClusterThatHasLeftIsNoneToFitInto) {
  ClusterUpdate update{.provider = ProviderId("prov"), .id = ClusterId("c"), .reason = "sold"};
  update.leave_time = std::optional(clock.Now() + Hours(1));
  Must(UpdateCluster(*context, As(Operator()), update));
  Must(Submit(*context, As(Member("snu")), Ask("snu", "a", 4, Minutes(30))));
  clock.Advance(Hours(1));
  const auto refused = Submit(*context, As(Member("snu")), Ask("snu", "b", 1, Minutes(30)));
  ASSERT_EQ(ReasonOf(refused), Reason::kLargerThanPool);
  EXPECT_EQ(refused.error().field, "allocation.request.node_shape.nodes");
}

TEST_F(SubmitTest, AClosedProjectIsNamed) {
  ProjectUpdate close;
  close.id = ProjectId("snu/p");
  close.open = false;
  Must(UpdateProject(*context, As(Operator()), close));
  const auto refused = Submit(*context, As(Member("snu")), Ask("snu", "a", 1, Hours(1)));
  ASSERT_EQ(ReasonOf(refused), Reason::kProjectClosed);
  EXPECT_EQ(refused.error().field, "parent");
  EXPECT_EQ(refused.error().value, "snu/p");
}

TEST_F(SubmitTest, GpuHoursSetAsideForTheQueueCannotBeSpentTwice) {
  SetQuota("snu/p", 32, 100);  // 100 GPU-hours; one node for 4 hours costs 32.
  SubmitAs("snu", "a", 1, Hours(4));
  SubmitAs("snu", "b", 1, Hours(4));
  SubmitAs("snu", "c", 1, Hours(4));
  const auto refused = Submit(*context, As(Member("snu")), Ask("snu", "d", 1, Hours(4)));
  EXPECT_EQ(ReasonOf(refused), Reason::kGpuHoursExhausted);
  EXPECT_EQ(refused.error().field, "allocation.request.duration");
  Must(Cancel(*context, As(Member("snu")), {.id = AllocationId("snu/p/a"), .reason = ""}));
  SubmitAs("snu", "d", 1, Hours(4));
}

TEST_F(SubmitTest, ConcurrentQuotaIsHeldAtPlacement) {
  SetQuota("snu/p", 16, 1'000'000);
  SubmitAs("snu", "a", 1, Hours(4));
  SubmitAs("snu", "b", 1, Hours(4));
  SubmitAs("snu", "c", 1, Hours(4));
  Settle();
  const auto quota = Must(GetQuota(*context, Member("snu"), ProjectId("snu/p")));
  EXPECT_EQ(At(quota.usage.held_gpus, GpuModel::kH200), 16);
}

TEST_F(SubmitTest, QuotaCannotFallBelowUse) {
  SubmitAs("snu", "a", 2, Hours(4));
  Settle();
  QuotaUpdate update{.reason = "call"};
  update.project = ProjectId("snu/p");
  update.concurrent_gpus = {std::nullopt, 8};
  EXPECT_EQ(ReasonOf(UpdateQuota(*context, As(Operator()), update)), Reason::kQuotaBelowUse);
}

TEST_F(SubmitTest, StaleEtagChangesNothing) {
  const Project project = Must(GetProject(*context, Operator(), ProjectId("snu/p")));
  ProjectUpdate update{
      .id = project.id, .version = project.version, .merit = 700, .reason = "panel"};
  Must(UpdateProject(*context, As(Operator()), update));
  update.merit = 100;
  EXPECT_EQ(ReasonOf(UpdateProject(*context, As(Operator()), update)), Reason::kEtagStale);
  EXPECT_EQ(Must(GetProject(*context, Operator(), project.id)).merit, 700);
}

}  // namespace
}  // namespace allot::control
