// What PostgreSQL needs a lock for, the store in memory refuses without one, where that is asked
// for.
#include <gtest/gtest.h>

#include <functional>
#include <memory>

#include "allot/store/memory.h"
#include "store/conformance.h"
#include "store/sample.h"
#include "support/manual_clock.h"

namespace allot::store {
namespace {

const ProjectId kProject("snu/llm");
const AllocationId kAllocation("snu/llm/a");
const ClusterId kCluster("naver-a");

class MemoryLocks : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(EnterSample(*store_).ok());
    EXPECT_OK(Write(*store_, [](Tx& tx) -> Status {
      ALLOT_RETURN_IF_ERROR(tx.LockProject(kProject));
      return tx.InsertAllocation(SampleAllocation(kAllocation.str()));
    }));
  }
  /// `work` is done with its lock, and refused without.
  void Needs(const std::function<Status(Tx&)>& lock, const std::function<Status(Tx&)>& work) {
    EXPECT_REASON(Write(*store_, work), Reason::kInternal);
    EXPECT_OK(Write(*store_, [&](Tx& tx) -> Status {
      ALLOT_RETURN_IF_ERROR(lock(tx));
      return work(tx);
    }));
  }
  static Status LockTheProject(Tx& tx) {
    ALLOT_RETURN_IF_ERROR(tx.LockProject(kProject));
    return Ok{};
  }
  static Status LockTheAllocation(Tx& tx) {
    ALLOT_RETURN_IF_ERROR(tx.LockAllocations(std::span(&kAllocation, 1)));
    return Ok{};
  }

  testing::ManualClock clock_;
  const std::unique_ptr<Store> store_ = OpenMemory(clock_, Locking::kRequired);
};

TEST_F(MemoryLocks, OfAProject) {
  Needs(LockTheProject, [](Tx& tx) { return tx.UpdateProjectUsage({.project = kProject}); });
  Needs(LockTheProject,
        [](Tx& tx) { return tx.InsertAllocation(SampleAllocation("snu/llm/another")); });
  Needs(LockTheProject, [](Tx& tx) -> Status {
    ALLOT_ASSIGN_OR_RETURN(auto quota, tx.FindQuota(kProject));
    return tx.UpdateQuota(*quota);
  });
}

TEST_F(MemoryLocks, OfACluster) {
  Needs(
      [](Tx& tx) -> Status {
        ALLOT_RETURN_IF_ERROR(tx.LockCluster(kCluster));
        return Ok{};
      },
      [](Tx& tx) { return tx.TouchCluster(kCluster, Instant{1}, {}); });
}

TEST_F(MemoryLocks, OfAKey) {
  const KeyId key("k1");
  EXPECT_OK(Write(*store_, [&](Tx& tx) {
    return tx.InsertApiKey({.id = key,
                            .role = Role::kAuditor,
                            .display_name = "",
                            .secret_sha256 = std::string(64, 'a'),
                            .create_time = Instant{1}});
  }));
  const auto lock = [&](Tx& tx) -> Status {
    ALLOT_RETURN_IF_ERROR(tx.LockApiKey(key));
    return Ok{};
  };
  Needs(lock, [&](Tx& tx) { return tx.ExpireApiKey(key, Instant{3}); });
  Needs(lock, [&](Tx& tx) { return tx.RevokeApiKey(key, Instant{2}); });
}

TEST_F(MemoryLocks, OfAnAllocationAndItsOrders) {
  const Order order = SampleOrder(
      "o1", SampleClaim(SampleAllocation(kAllocation.str()), "naver-a/n1"), OrderKind::kProvision);
  Needs(LockTheAllocation, [&](Tx& tx) { return tx.InsertOrders(std::span(&order, 1)); });
  Needs(
      [&](Tx& tx) -> Status {
        ALLOT_RETURN_IF_ERROR(tx.LockOrder(order.id));
        return Ok{};
      },
      [&](Tx& tx) { return tx.UpdateOrder(order); });
  const Attempt attempt{.allocation = kAllocation, .number = order.attempt};
  Needs(LockTheAllocation,
        [&](Tx& tx) { return tx.SupersedeProvisionOrders(std::span(&attempt, 1)); });
  Needs(LockTheAllocation, [](Tx& tx) { return tx.ReleaseClaims(kAllocation, 1, Instant{1}); });
}

TEST_F(MemoryLocks, WhatATransactionMadeIsItsOwn) {
  EXPECT_OK(Write(*store_, [](Tx& tx) -> Status {
    Project project;
    project.id = ProjectId("snu/new");
    project.institute = InstituteId("snu");
    project.programme = ProgrammeId("call-2026-1");
    ALLOT_RETURN_IF_ERROR(tx.InsertProject(project));
    return tx.InsertAllocation(SampleAllocation("snu/new/a"));
  }));
}

}  // namespace
}  // namespace allot::store
