#include "allot/model/tenant.h"

#include "model/name_table.h"

namespace allot {
namespace {

constexpr NameTable<Sector, 4> kNames = {{"academia", "industry", "research", "national"}};

}  // namespace

std::string_view Name(Sector sector) { return kNames.NameOf(sector); }
std::optional<Sector> ParseSector(std::string_view name) { return kNames.Parse(name); }

}  // namespace allot
