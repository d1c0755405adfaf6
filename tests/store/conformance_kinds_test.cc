#include "store/conformance.h"
#include "support/postgres_server.h"

namespace allot::store {
namespace {

INSTANTIATE_TEST_SUITE_P(Store, StoreConformance,
                         ::testing::Values(StoreKind{"Postgres",
                                                     [] { return testing::OpenTestStore(); }}),
                         [](const auto& kind) { return kind.param.name; });

}  // namespace
}  // namespace allot::store
