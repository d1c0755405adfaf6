#include "store/conformance.h"

namespace allot::store {
namespace {

const ProjectId kProject("snu/llm");

TEST_P(StoreConformance, AProjectStartsWithAnEmptyQuotaAndNoUse) {
  Read(store(), [](Tx& tx) -> Status {
    EXPECT_EQ(tx.FindProject(kProject).value(), SampleProject("snu/llm"));
    EXPECT_EQ(tx.FindQuota(kProject).value(), Quota{.project = kProject});
    EXPECT_EQ(tx.ProjectUsageOf(kProject).value(), ProjectUsage{.project = kProject});
    EXPECT_EQ(tx.UsageOf(kProject).value(), Usage{});
    EXPECT_EQ(tx.FindInstitute(InstituteId("snu")).value(), SampleInstitute("snu"));
    return Ok{};
  }).value();
  EXPECT_REASON(Read(store(), [](Tx& tx) { return tx.ProjectUsageOf(ProjectId("snu/none")); }),
                Reason::kNotFound);
}

TEST_P(StoreConformance, TenantsAreReadBackAsTheyWereChanged) {
  const auto changed = Write(store(), [](Tx& tx) -> Result<Project> {
    Institute institute = tx.FindInstitute(InstituteId("snu")).value().value();
    institute.sector = Sector::kResearch;
    ALLOT_RETURN_IF_ERROR(tx.UpdateInstitute(institute));
    Quota quota = tx.FindQuota(kProject).value().value();
    quota.concurrent_gpus = {16, 256};
    quota.gpu_time = GpuSeconds::FromCount(1'000'000'000'000);
    ALLOT_RETURN_IF_ERROR(tx.UpdateQuota(quota));
    ALLOT_RETURN_IF_ERROR(tx.UpdateProjectUsage({.project = kProject,
                                                 .used = GpuSeconds::FromCount(77),
                                                 .decayed = {.value = 99, .as_of = kNow}}));
    Project project = tx.LockProject(kProject).value().value();
    project.merit = 1000;
    project.open = false;
    project.sector = Sector::kNational;
    ALLOT_RETURN_IF_ERROR(tx.UpdateProject(project));
    return project;
  });
  Read(store(), [&](Tx& tx) -> Status {
    EXPECT_EQ(tx.FindProject(kProject).value(), changed.value());
    EXPECT_EQ(changed->version, 2);
    const Quota quota = tx.FindQuota(kProject).value().value();
    EXPECT_EQ(At(quota.concurrent_gpus, GpuModel::kB200), 16);
    EXPECT_EQ(At(quota.concurrent_gpus, GpuModel::kH200), 256);
    EXPECT_EQ(quota.gpu_time.count(), 1'000'000'000'000);
    EXPECT_EQ(tx.ProjectUsageOf(kProject).value().decayed, (DecayedUsage{99, kNow}));
    EXPECT_EQ(tx.UsageOf(kProject).value().used.count(), 77);
    EXPECT_EQ(tx.FindInstitute(InstituteId("snu")).value()->sector, Sector::kResearch);
    return Ok{};
  }).value();
}

TEST_P(StoreConformance, TenantListsShowOneInstituteWhenAsked) {
  Read(store(), [](Tx& tx) -> Status {
    EXPECT_EQ(tx.ListInstitutes({}, {}).value().items.size(), 2u);
    EXPECT_EQ(tx.ListInstitutes(InstituteId("snu"), {}).value().items.size(), 1u);
    EXPECT_EQ(tx.ListProjects({}, {}).value().items.size(), 2u);
    EXPECT_EQ(tx.ListProjects(InstituteId("snu"), {}).value().items.at(0).id, kProject);
    EXPECT_EQ(tx.ListQuotas({}, {}).value().items.size(), 2u);
    EXPECT_EQ(tx.ListQuotas(InstituteId("snu"), {}).value().items.at(0).project, kProject);
    return Ok{};
  }).value();
}

TEST_P(StoreConformance, UsageSetsAsideWhatWaitsAndCountsWhatIsHeld) {
  Submit("snu/llm/waits");
  Allocation runs = Submit("snu/llm/runs");
  Allocation lost = Submit("snu/llm/lost");
  Allocation done = Submit("snu/llm/done");
  Submit("kaist/llm/other");
  EXPECT_OK(Write(store(), [&](Tx& tx) -> Status {
    for (Allocation* allocation : {&runs, &lost, &done}) {
      *allocation = tx.FindAllocation(allocation->id).value().value();
    }
    ALLOT_RETURN_IF_ERROR(Reserve(tx, runs, "naver-a/n1", 0x0f));
    ALLOT_RETURN_IF_ERROR(Reserve(tx, lost, "naver-a/n2"));
    ALLOT_RETURN_IF_ERROR(Move(tx, lost, AllocationState::kPreempted));
    return Move(tx, done, AllocationState::kCancelled);
  }));
  const Usage usage = Read(store(), [](Tx& tx) { return tx.UsageOf(kProject); }).value();
  // Lost with its node: not held any more, though it will be served again and so stays set aside.
  EXPECT_EQ(usage.held_gpus, (GpusByModel{0, 4}));
  EXPECT_EQ(usage.borrowed_gpus, GpusByModel{});
  EXPECT_EQ(usage.committed.count(), 3 * 8 * Hours(4).count);
  EXPECT_EQ(usage.reserved.count(), 8 * Hours(4).count);
}

// It goes as far as what it adds to, or as what is left of it once it was stopped.
TEST_P(StoreConformance, WhatAddsToAnotherSetsAsideWhatIsLeftForIt) {
  Allocation base = SampleAllocation("snu/llm/base");
  Allocation growth = SampleAllocation("snu/llm/base-g1");
  growth.grows = base.id;
  EXPECT_OK(Write(store(), [&](Tx& tx) {
    return tx.InsertAllocations(std::vector{base, growth});
  }));
  const auto committed = [&] {
    return Read(store(), [](Tx& tx) { return tx.UsageOf(kProject); }).value().committed.count();
  };
  const auto leave = [&](const Allocation& of, Seconds left) {
    Allocation row = Get(of.id);
    row.remaining = left;
    EXPECT_OK(Write(store(), [&](Tx& tx) { return tx.UpdateAllocations(std::span(&row, 1)); }));
  };
  EXPECT_EQ(committed(), 8 * (Hours(4) + Hours(4)).count);
  leave(growth, Hours(3));
  EXPECT_EQ(committed(), 8 * (Hours(4) + Hours(3)).count);
  leave(base, Hours(2));
  EXPECT_EQ(committed(), 8 * (Hours(2) + Hours(2)).count);
}

TEST_P(StoreConformance, UsageCountsWhatIsTakenOfTheModelAtHand) {
  struct Case {
    std::vector<GpuModel> models;
    GpuModel exchanged_on;
    int most;
    int held;
  };
  // 8 GPUs are asked for, 3 of the other model do the same; the cluster has H200.
  const Case cases[] = {
      {{GpuModel::kH200, GpuModel::kB200}, GpuModel::kB200, 8, 8},
      {{GpuModel::kB200, GpuModel::kH200}, GpuModel::kH200, 8, 3},
      {{GpuModel::kH200}, GpuModel::kB200, 8, 8},
      {{GpuModel::kH200}, GpuModel::kH200, 3, 3},
  };
  int number = 0;
  for (const Case& c : cases) {
    Allocation one = SampleAllocation("snu/llm/x" + std::to_string(++number));
    one.request.models = c.models;
    one.request.exchanged = ExchangedShape{c.exchanged_on, {1, 3, 0}};
    const Usage before = Read(store(), [](Tx& tx) { return tx.UsageOf(kProject); }).value();
    EXPECT_OK(Write(store(), [&](Tx& tx) { return tx.InsertAllocation(one); }));
    const Usage waits = Read(store(), [](Tx& tx) { return tx.UsageOf(kProject); }).value();
    EXPECT_EQ(waits.committed.count() - before.committed.count(), c.most * Hours(4).count);
    EXPECT_OK(Write(store(), [&](Tx& tx) { return Reserve(tx, one, "naver-a/n1"); }));
    const Usage holds = Read(store(), [](Tx& tx) { return tx.UsageOf(kProject); }).value();
    EXPECT_EQ(holds.committed.count() - before.committed.count(), c.held * Hours(4).count);
    EXPECT_EQ(holds.reserved.count() - before.reserved.count(), c.held * Hours(4).count);
    EXPECT_OK(Write(store(), [&](Tx& tx) { return tx.ReleaseClaims(one.id, one.attempt, kNow); }));
  }
}

TEST_P(StoreConformance, AStoredRuleHoldsAgainstOurOwnMistakes) {
  const auto refuse = [&](auto work) { EXPECT_FALSE(Write(store(), work).ok()); };
  refuse([](Tx& tx) {
    Project project = SampleProject("snu/x");
    project.merit = 1001;
    return tx.InsertProject(project);
  });
  refuse([](Tx& tx) {
    Project project = SampleProject("snu/x");
    project.institute = InstituteId("kaist");
    return tx.InsertProject(project);
  });
  refuse([](Tx& tx) -> Status {
    Quota quota = tx.FindQuota(kProject).value().value();
    quota.concurrent_gpus = {-1, 0};
    return tx.UpdateQuota(quota);
  });
  refuse([](Tx& tx) {
    Cluster cluster = SampleCluster("naver-c");
    cluster.programmes = {ProgrammeId("b"), ProgrammeId("a")};
    return tx.InsertCluster(cluster);
  });
  EXPECT_REASON(Write(store(),
                      [](Tx& tx) {
                        Institute institute = SampleInstitute("yonsei");
                        institute.display_name = std::string("zero \0 byte", 11);
                        return tx.InsertInstitute(institute);
                      }),
                Reason::kTextInvalid);
  EXPECT_REASON(Write(store(),
                      [](Tx& tx) {
                        Institute institute = SampleInstitute("yonsei");
                        institute.display_name = "\xff\xfe";
                        return tx.InsertInstitute(institute);
                      }),
                Reason::kTextInvalid);
}

}  // namespace
}  // namespace allot::store
