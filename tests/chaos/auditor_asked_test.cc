// What was asked for, as the auditor holds the service to it: each rule is seen to be broken once.
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "allot/control/allocations.h"
#include "allot/control/enact.h"
#include "allot/control/identity.h"
#include "allot/control/pool.h"
#include "allot/control/reservations.h"
#include "allot/control/submit.h"
#include "allot/control/tenants.h"
#include "chaos/audited.h"

namespace allot::chaos {
namespace {

/// A pool of one cluster with two nodes, and one project, under an auditor's eyes.
class Pool : public Audited {
 public:
  Pool() {
    const auto key = control::CreateFirstKey(context_);
    operator_ = Must(control::Authenticate(context_, Must(key).secret));
    Must(control::CreateProvider(context_, AsOperator(), {.id = ProviderId("p")}));
    Cluster cluster;
    cluster.id = ClusterId("c");
    cluster.provider = ProviderId("p");
    cluster.model = GpuModel::kH200;
    cluster.programmes = {ProgrammeId("call")};
    Must(control::CreateCluster(context_, AsOperator(), cluster));
    EnterNodes();
    Must(control::CreateInstitute(context_, AsOperator(), {.id = InstituteId("snu")}));
    Project project;
    project.id = ProjectId("snu/p");
    project.institute = InstituteId("snu");
    project.programme = ProgrammeId("call");
    Must(control::CreateProject(context_, AsOperator(), project));
    control::QuotaUpdate quota{.project = project.id, .reason = "the call"};
    quota.concurrent_gpus = {16, 16};
    quota.gpu_time = GpuSeconds::FromCount(1'000'000);
    Must(control::UpdateQuota(context_, AsOperator(), quota));
    auditor.Begin();
  }

  std::string What() const { return world_.violated() ? world_.report.violation->what : ""; }
  control::Call AsOperator() const {
    return {.principal = operator_, .request_id = {}, .body_sha256 = {}, .validate_only = false};
  }
  const control::Context& context() const { return context_; }

  template <class T>
  static T Must(Result<T> result) {
    EXPECT_TRUE(result.ok()) << (result.ok() ? "" : Describe(result.error()));
    return std::move(result).value();
  }
  std::vector<Allocation> Submit(const std::vector<control::Submission>& submissions) {
    auto made = Must(control::SubmitAll(context_, AsOperator(), submissions));
    auditor.Committed();
    return made;
  }
  AllocationId SubmitAsAsked(const control::Submission& submission) {
    auditor.AsksToSubmit({submission});
    return Submit({submission}).front().id;
  }

 private:
  void EnterNodes() {
    control::Call call = AsOperator();
    call.principal = {.key = KeyId("k"),
                      .role = Role::kProvider,
                      .provider = ProviderId("p"),
                      .display_name = ""};
    const auto cluster =
        Must(control::RegisterAgent(context_, call, ClusterId("c"), GpuModel::kH200));
    Must(control::SyncInventory(
        context_, call.principal,
        {.cluster = cluster.id,
         .session = cluster.agent_session,
         .generation = 1,
         .nodes = {{.name = "n1", .healthy = true}, {.name = "n2", .healthy = true}}}));
  }

  Principal operator_;

 public:
  Auditor& auditor = auditor_;
};

control::Submission Wanted() {
  control::Submission submission{.project = ProjectId("snu/p"), .display_name = "t1"};
  submission.request.gpus = 4;
  submission.request.models = {"H200"};
  submission.request.duration = Seconds{600};
  return submission;
}

struct Difference {
  std::string name;
  std::function<void(control::Submission&)> make;
};

TEST(AuditorAsked, WhatIsEnteredIsWhatWasAskedFor) {
  Pool pool;
  control::Submission all = Wanted();
  all.allocation_name = "a";
  all.request.preemptible = all.request.borrow = true;
  all.request.deadline = Instant::FromSeconds(1'772'323'200) + Seconds{5'000};
  all.request.gpus_max = 8;
  pool.SubmitAsAsked(all);
  EXPECT_EQ(pool.Rule(), "") << pool.What();
}

TEST(AuditorAsked, EveryFieldIsLookedAt) {
  const std::vector<Difference> differences = {
      {"size", [](auto& s) { s.request.gpus = 8; }},
      {"shape",
       [](auto& s) {
         s.request.gpus.reset();
         s.request.nodes = 2;
         s.request.gpus_per_node = 2;
       }},
      {"models", [](auto& s) { s.request.models.clear(); }},
      {"duration", [](auto& s) { s.request.duration = Seconds{601}; }},
      {"deadline",
       [](auto& s) { s.request.deadline = Instant::FromSeconds(1'772'323'200) + Seconds{5'000}; }},
      {"start",
       [](auto& s) {
         s.request.earliest_start = Instant::FromSeconds(1'772'323'200) + Seconds{5'000};
       }},
      {"preemptible", [](auto& s) { s.request.preemptible = true; }},
      {"borrow", [](auto& s) { s.request.preemptible = s.request.borrow = true; }},
      {"leaf", [](auto& s) { s.request.same_leaf_wait = Seconds{60}; }},
      {"growth", [](auto& s) { s.request.gpus_max = 8; }},
      {"nobody", [](auto& s) { s.display_name = "t2"; }},
  };
  for (const Difference& difference : differences) {
    Pool pool;
    pool.auditor.AsksToSubmit({Wanted()});
    control::Submission other = Wanted();
    difference.make(other);
    // A model that is not there is dropped, and that one may be.
    const bool same = difference.name == "models";
    pool.Submit({other});
    EXPECT_EQ(pool.Rule(), same ? "" : "as_it_was_asked") << difference.name;
  }
}

TEST(AuditorAsked, AModelIsDroppedOnlyWhereItCannotBeHad) {
  Pool pool;
  control::Submission any = Wanted();
  any.request.models.clear();
  pool.auditor.AsksToSubmit({any});
  // There are no B200: so nobody is given them. But H200 there are.
  pool.Submit({any});
  EXPECT_EQ(pool.Rule(), "") << pool.What();
}

TEST(AuditorAsked, SeveralAreAnsweredWithSeveral) {
  Pool pool;
  control::Submission second = Wanted();
  second.display_name = "t2";
  pool.auditor.AsksToSubmit({Wanted(), second});
  const auto made = pool.Submit({Wanted(), second});
  pool.auditor.Submitted("r1", {Wanted(), second}, made);
  EXPECT_EQ(pool.Rule(), "") << pool.What();
  pool.auditor.Submitted("r1", {Wanted(), second}, {made.front()});
  EXPECT_EQ(pool.Rule(), "as_it_was_asked");
}

TEST(AuditorAsked, NothingEndsUnlessSomebodyWantsItTo) {
  for (const bool asked : {true, false}) {
    Pool pool;
    const AllocationId id = pool.SubmitAsAsked(Wanted());
    if (asked) pool.auditor.AsksFor(Wish::kCancel, id);
    Pool::Must(control::Cancel(pool.context(), pool.AsOperator(), {.id = id, .reason = "over"}));
    pool.auditor.Committed();
    EXPECT_EQ(pool.Rule(), asked ? "" : "ends_for_a_cause") << pool.What();
  }
  Pool pool;
  const AllocationId id = pool.SubmitAsAsked(Wanted());
  pool.auditor.AsksFor(Wish::kCancel, id);
  Pool::Must(control::Reject(pool.context(), pool.AsOperator(), {.id = id, .reason = "no"}));
  pool.auditor.Committed();
  EXPECT_EQ(pool.Rule(), "ends_for_a_cause") << "it was to be cancelled";
}

TEST(AuditorAsked, WhatIsGrantedIsSo) {
  for (const Wish wish :
       {Wish::kCancel, Wish::kRelease, Wish::kReject, Wish::kUrgent, Wish::kConsolidate}) {
    Pool pool;
    const AllocationId id = pool.SubmitAsAsked(Wanted());
    EXPECT_EQ(pool.Rule(), "");
    pool.auditor.Granted(wish, id, 0);
    EXPECT_EQ(pool.Rule(), "acknowledged_is_done");
  }
}

TEST(AuditorAsked, NobodyIsUrgentUnlessSomebodyWantsThat) {
  Pool pool;
  const AllocationId id = pool.SubmitAsAsked(Wanted());
  Pool::Must(
      control::SetUrgency(pool.context(), pool.AsOperator(), {.id = id, .reason = "x"}, true));
  pool.auditor.Committed();
  EXPECT_EQ(pool.Rule(), "set_by_somebody");
}

TEST(AuditorAsked, QuotasAndDrainsAreSetBySomebody) {
  for (const bool asked : {true, false}) {
    Pool pool;
    if (asked) pool.auditor.settings().Asked({{QuotaOf(GpuModel::kH200, ProjectId("snu/p")), 8}});
    control::QuotaUpdate quota{.project = ProjectId("snu/p"), .reason = "the call"};
    quota.concurrent_gpus[static_cast<std::size_t>(GpuModel::kH200)] = 8;
    Pool::Must(control::UpdateQuota(pool.context(), pool.AsOperator(), quota));
    pool.auditor.Committed();
    EXPECT_EQ(pool.Rule(), asked ? "" : "set_by_somebody") << pool.What();
  }
  Pool pool;
  Pool::Must(control::Drain(pool.context(), pool.AsOperator(),
                            {.provider = ProviderId("p"),
                             .cluster = ClusterId("c"),
                             .node = NodeId("c/n1"),
                             .draining = true,
                             .reason = "a fan"}));
  pool.auditor.Committed();
  EXPECT_EQ(pool.Rule(), "set_by_somebody");
}

control::ReservationRequest Reserving(int64_t start) {
  control::ReservationRequest wanted{
      .provider = ProviderId("p"), .node_count = 1, .reason = "maintenance"};
  wanted.reservation.cluster = ClusterId("c");
  wanted.reservation.display_name = "s1";
  wanted.reservation.window =
      *TimeWindow::Make(Instant::FromSeconds(start), Instant::FromSeconds(start + 600));
  return wanted;
}

TEST(AuditorAsked, AReservationIsTheOneThatWasAskedFor) {
  constexpr int64_t kStart = 1'772'323'200 + 3'600;
  for (const int64_t moved : {0, 60}) {
    Pool pool;
    pool.auditor.AsksToReserve(Reserving(kStart));
    Pool::Must(
        control::CreateReservation(pool.context(), pool.AsOperator(), Reserving(kStart + moved)));
    pool.auditor.Committed();
    pool.auditor.Reserved("s1");
    EXPECT_EQ(pool.Rule(), moved == 0 ? "" : "as_it_was_asked") << pool.What();
  }
  Pool pool;
  pool.auditor.AsksToReserve(Reserving(kStart));
  pool.auditor.Reserved("s1");
  EXPECT_EQ(pool.Rule(), "acknowledged_is_done");
}

TEST(AuditorAsked, AtTheEndAllAreServed) {
  Pool pool;
  const AllocationId id = pool.SubmitAsAsked(Wanted());
  pool.auditor.CheckRecord();
  EXPECT_EQ(pool.Rule(), "") << pool.What();
  pool.auditor.ExpectServed(id);
  EXPECT_EQ(pool.Rule(), "served_in_time");
  Pool other;
  other.SubmitAsAsked(Wanted());
  other.auditor.ExpectPlaced();
  EXPECT_EQ(other.Rule(), "placed_in_time");
}

}  // namespace
}  // namespace allot::chaos
