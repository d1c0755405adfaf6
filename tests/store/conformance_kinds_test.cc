#include "allot/base/clock.h"
#include "allot/store/memory.h"
#include "store/conformance.h"
#include "support/postgres_server.h"

namespace allot::store {
namespace {

std::unique_ptr<Store> OpenMemoryStore() {
  static const SystemClock clock;
  return OpenMemory(clock);
}

INSTANTIATE_TEST_SUITE_P(Store, StoreConformance,
                         ::testing::Values(StoreKind{"Postgres",
                                                     [] { return testing::OpenTestStore(); }},
                                           StoreKind{"Memory", OpenMemoryStore}),
                         [](const auto& kind) { return kind.param.name; });

}  // namespace
}  // namespace allot::store
