#include "allot/scheduler/dump.h"

#include <gtest/gtest.h>

#include "support/snapshot_builder.h"

namespace allot::scheduler {
namespace {

TEST(Dump, HoldsEveryRowAPassWasDecidedFromAndWhatItDecided) {
  testing::SnapshotBuilder builder;
  builder.Cluster("c", GpuModel::kH200, 2);
  builder.Project("snu/p").merit = 321;
  builder.Claim("snu/p/old", "snu/p", "c/n01", 0x0f, testing::SnapshotBuilder::kNow + Hours(2));
  builder.Pending("snu/p/new", "snu/p", ShapeForGpus(12), Hours(3));
  builder.Pending("snu/p/huge", "snu/p", ShapeForGpus(400), Hours(3));
  const Snapshot snapshot = builder.Build();
  const std::string dump = Dump(snapshot, Schedule(snapshot, Policy{}));
  for (const char* row :
       {"snapshot now=", "cluster c model=H200 programmes=call,", "node c/n01 cluster=0",
        "project snu/p programme=call merit=321", "claim snu/p/old project=0 node=0 gpus=15",
        "pending snu/p/new project=0", "shape=1x8+4 models=H200, duration_s=10800",
        "placed pending=1 model=H200", "deferred pending=0 reason=larger_than_pool", "order "}) {
    EXPECT_NE(dump.find(row), std::string::npos) << row << "\nin\n" << dump;
  }
}

TEST(Dump, TellsSnapshotsApart) {
  testing::SnapshotBuilder builder;
  builder.Cluster("c", GpuModel::kH200, 1);
  const Snapshot one = builder.Build();
  Snapshot other = one;
  other.nodes[0].draining = true;
  EXPECT_EQ(Dump(one, Plan{}), Dump(one, Plan{}));
  EXPECT_NE(Dump(one, Plan{}), Dump(other, Plan{}));
}

}  // namespace
}  // namespace allot::scheduler
