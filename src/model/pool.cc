#include "allot/model/pool.h"

#include "model/name_table.h"

namespace allot {
namespace {

constexpr NameTable<NodeHealth, 4> kNames = {{"ready", "unknown", "down", "removed"}};

}  // namespace

std::string_view Name(NodeHealth health) { return kNames.NameOf(health); }
std::optional<NodeHealth> ParseNodeHealth(std::string_view name) { return kNames.Parse(name); }

}  // namespace allot
