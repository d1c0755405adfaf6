#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <ostream>
#include <string>

#include "allot/store/store.h"
#include "store/sample.h"

namespace allot::store {

/// A kind of store to hold to the promises of tx.h.
struct StoreKind {
  std::string name;
  /// An empty store.
  std::function<std::unique_ptr<Store>()> make;
};
inline void PrintTo(const StoreKind& kind, std::ostream* out) { *out << kind.name; }

/// What every store promises, whatever it is made of. The tests see Store and Tx only; each starts
/// with the sample of sample.h.
class StoreConformance : public ::testing::TestWithParam<StoreKind> {
 protected:
  void SetUp() override {
    store_ = GetParam().make();
    const Status entered = EnterSample(*store_);
    ASSERT_TRUE(entered.ok()) << Describe(entered.error());
  }
  Store& store() { return *store_; }
  Revision CurrentRevision() {
    return Read(*store_, [](Tx& tx) { return tx.CurrentRevision(); }).value();
  }
  /// Enters a pending allocation and returns it as it was stored.
  Allocation Submit(const std::string& id) {
    const Allocation allocation = SampleAllocation(id);
    const Status done = Write(*store_, [&](Tx& tx) { return tx.InsertAllocation(allocation); });
    EXPECT_TRUE(done.ok()) << Describe(done.error());
    return allocation;
  }
  Allocation Get(const AllocationId& id) {
    return Read(*store_, [&](Tx& tx) { return tx.FindAllocation(id); }).value().value();
  }
  std::vector<Claim> ClaimsOf(const AllocationId& id) {
    return Read(*store_, [&](Tx& tx) { return tx.ClaimsOf(id); }).value();
  }

 private:
  std::unique_ptr<Store> store_;
};

#define EXPECT_OK(expression)                                             \
  do {                                                                    \
    const auto& allot_outcome_ = (expression);                            \
    EXPECT_TRUE(allot_outcome_.ok()) << Describe(allot_outcome_.error()); \
  } while (false)
#define EXPECT_REASON(expression, wanted)                           \
  do {                                                              \
    const auto& allot_outcome_ = (expression);                      \
    if (allot_outcome_.ok()) {                                      \
      ADD_FAILURE() << #expression << " succeeded";                 \
    } else {                                                        \
      EXPECT_EQ(Name(allot_outcome_.error().reason), Name(wanted)); \
    }                                                               \
  } while (false)

}  // namespace allot::store
