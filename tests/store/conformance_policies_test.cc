// Policies come back as they were, in an order that does not depend on who publishes first, and no
// past is changed.
#include <thread>
#include <vector>

#include "store/conformance.h"

namespace allot::store {
namespace {

PublishedPolicy Sample(const std::string& name, Instant from) {
  PublishedPolicy row{.id = PolicyId(name), .policy = DefaultPolicy()};
  row.policy.version = name;
  row.effective_time = from;
  row.create_time = kNow;
  row.reason = "이차 공모";
  return row;
}

Status Insert(Store& store, const PublishedPolicy& policy) {
  return Write(store, [&](Tx& tx) { return tx.InsertPolicy(policy); });
}

std::vector<PublishedPolicy> Live(Store& store) {
  return Read(store, [](Tx& tx) { return tx.LivePolicies(); }).value();
}

TEST_P(StoreConformance, PoliciesComeBackAsTheyWere) {
  PublishedPolicy spring = Sample("spring", kNow + Days(30));
  spring.policy.usage_half_life = Days(7);
  spring.policy.promise_nodes = 32;
  spring.policy.node_loss = NodeLoss::kFail;
  spring.policy.programmes[0].gpus_max = {64, 0};
  const Revision before = CurrentRevision();
  EXPECT_OK(Insert(store(), spring));
  EXPECT_REASON(Insert(store(), spring), Reason::kAlreadyExists);
  const auto find = [&] {
    return Read(store(), [&](Tx& tx) { return tx.FindPolicy(spring.id); }).value();
  };
  EXPECT_EQ(find(), spring);
  for (const Revision after : {before, Revision{0}}) {
    const auto changes = ChangesAfter(store(), after);
    ASSERT_EQ(changes.policies.size(), 1U);
    EXPECT_EQ(changes.policies[0], spring);
  }
  EXPECT_EQ(Live(store()), std::vector{spring});

  EXPECT_OK(Write(
      store(), [&](Tx& tx) { return tx.WithdrawPolicy(spring.id, kNow + Days(1), "a mistake"); }));
  spring.withdraw_time = kNow + Days(1);
  spring.withdraw_reason = "a mistake";
  EXPECT_EQ(find(), spring);
  EXPECT_TRUE(Live(store()).empty());
  EXPECT_REASON(Write(store(), [&](Tx& tx) { return tx.WithdrawPolicy(spring.id, kNow, "again"); }),
                Reason::kStoreConflict);
}

TEST_P(StoreConformance, PoliciesTakeEffectInTheOrderTheyWerePublished) {
  EXPECT_OK(Insert(store(), Sample("b", kNow + Days(2))));
  EXPECT_REASON(Insert(store(), Sample("earlier", kNow + Days(1))), Reason::kStoreConflict);
  EXPECT_REASON(Insert(store(), Sample("same", kNow + Days(2))), Reason::kStoreConflict);
  EXPECT_OK(Insert(store(), Sample("a", kNow + Days(3))));
  const auto live = Live(store());
  ASSERT_EQ(live.size(), 2U);
  EXPECT_EQ(live[0].id.str(), "b") << "by date, not by name";
  const auto page =
      Read(store(), [](Tx& tx) { return tx.ListPolicies({.size = 1, .after = {}}); }).value();
  EXPECT_EQ(page.items.at(0).id.str(), "a");
  EXPECT_TRUE(page.more);
  // What was withdrawn is in nobody's way.
  EXPECT_OK(
      Write(store(), [&](Tx& tx) { return tx.WithdrawPolicy(PolicyId("a"), kNow, "called off"); }));
  EXPECT_OK(Insert(store(), Sample("c", kNow + Days(3))));
}

TEST_P(StoreConformance, OfPoliciesPublishedAtOnceOneIsInOrder) {
  std::vector<std::thread> threads;
  std::vector<int> published(8);
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      published[static_cast<std::size_t>(i)] =
          Insert(store(), Sample("p" + std::to_string(i), kNow + Days(1))).ok() ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  int count = 0;
  for (const int one : published) count += one;
  EXPECT_EQ(count, 1);
  EXPECT_EQ(Live(store()).size(), 1U);
}

}  // namespace
}  // namespace allot::store
