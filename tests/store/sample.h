#pragma once

#include <string>
#include <vector>

#include "allot/store/store.h"

namespace allot::store {

/// 2026-03-01T00:00:00Z.
inline constexpr Instant kNow = Instant::FromSeconds(1'772'323'200);

inline TimeWindow WindowOf(Instant start, Seconds length) {
  return TimeWindow::Make(start, start + length).value();
}

Cluster SampleCluster(const std::string& id, GpuModel model = GpuModel::kH200);
Node SampleNode(const std::string& cluster, int number);
Institute SampleInstitute(const std::string& id);
Project SampleProject(const std::string& id);
/// One whole node of either model for four hours, pending.
Allocation SampleAllocation(const std::string& id);
Claim SampleClaim(const Allocation& allocation, const std::string& node, GpuMask gpus = 0xff);
Order SampleOrder(const std::string& id, const Claim& claim, OrderKind kind);

/// Provider naver; clusters naver-a (H200) and naver-b (B200) with four nodes each; institutes snu
/// and kaist with a project llm each.
Status EnterSample(Store& store);

/// The work's outcome, in a transaction of its own.
template <class Work>
auto Write(Store& store, Work work) {
  using Outcome = decltype(work(std::declval<Tx&>()));
  using T = std::decay_t<decltype(std::declval<Outcome>().value())>;
  return store.Transact<T>(Access::kWrite, Scope::Everything(), std::function<Outcome(Tx&)>(work));
}
template <class Work>
auto Read(Store& store, Work work) {
  using Outcome = decltype(work(std::declval<Tx&>()));
  using T = std::decay_t<decltype(std::declval<Outcome>().value())>;
  return store.Transact<T>(Access::kRead, Scope::Everything(), std::function<Outcome(Tx&)>(work));
}

/// As whoever followed the store from its beginning asks for them.
Changes ChangesAfter(Store& store, Revision after);

/// Takes an allocation, as read from the store, through the states to `state` with one claim on
/// `node`, as control does; each step in the same transaction.
Status Reserve(Tx& tx, Allocation& allocation, const std::string& node, GpuMask gpus = 0xff);
Status Move(Tx& tx, Allocation& allocation, AllocationState state);

}  // namespace allot::store
