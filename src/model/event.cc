#include "allot/model/event.h"

#include "model/name_table.h"

namespace allot {
namespace {

constexpr NameTable<ResourceKind, 9> kNames = {{"provider", "cluster", "node", "institute",
                                                "project", "quota", "allocation", "reservation",
                                                "policy"}};

}  // namespace

std::string_view Name(ResourceKind kind) { return kNames.NameOf(kind); }
std::optional<ResourceKind> ParseResourceKind(std::string_view name) { return kNames.Parse(name); }

}  // namespace allot
