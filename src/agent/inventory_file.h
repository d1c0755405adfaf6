#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace allot::agent {

/// The nodes that were last listed, each with whatever else an inventory tells.
struct ListedNodes {
  /// Grows with every other list.
  int64_t generation = 0;
  std::vector<std::string> nodes;

  friend bool operator==(const ListedNodes&, const ListedNodes&) = default;
};

/// One JSON object, indented for the engineer who opens it.
std::string RenderInventory(const ListedNodes& listed);
/// Nothing for what RenderInventory does not write.
std::optional<ListedNodes> ParseInventory(std::string_view text);

}  // namespace allot::agent
