#include "agent/inventory_file.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace allot::agent {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

/// Nobody counts so far, and there is room behind it.
constexpr uint64_t kGenerationMax = uint64_t{1} << 62;

}  // namespace

std::string RenderInventory(const ListedNodes& listed) {
  const ordered_json inventory = {{"generation", listed.generation}, {"nodes", listed.nodes}};
  return inventory.dump(1) + "\n";
}

std::optional<ListedNodes> ParseInventory(std::string_view text) {
  const json object = json::parse(text, nullptr, false);
  if (!object.is_object()) return std::nullopt;
  const auto generation = object.find("generation");
  const auto nodes = object.find("nodes");
  // A whole number without a sign.
  if (generation == object.end() || !generation->is_number_unsigned() ||
      generation->get<uint64_t>() > kGenerationMax) {
    return std::nullopt;
  }
  if (nodes == object.end() || !nodes->is_array() ||
      !std::ranges::all_of(*nodes, [](const json& node) { return node.is_string(); })) {
    return std::nullopt;
  }
  return ListedNodes{generation->get<int64_t>(), nodes->get<std::vector<std::string>>()};
}

}  // namespace allot::agent
