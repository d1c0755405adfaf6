#include "allot/model/order.h"

#include "model/name_table.h"

namespace allot {
namespace {

constexpr NameTable<OrderKind, 2> kKinds = {{"provision", "release"}};
constexpr NameTable<OrderState, 4> kStates = {{"open", "done", "failed", "superseded"}};

}  // namespace

std::string_view Name(OrderKind kind) { return kKinds.NameOf(kind); }
std::optional<OrderKind> ParseOrderKind(std::string_view name) { return kKinds.Parse(name); }

std::string_view Name(OrderState state) { return kStates.NameOf(state); }
std::optional<OrderState> ParseOrderState(std::string_view name) { return kStates.Parse(name); }

}  // namespace allot
