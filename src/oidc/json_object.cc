#include "oidc/json_object.h"

#include <array>
#include <set>
#include <utility>

namespace allot::oidc {
namespace {

constexpr int kDepthMax = 8;

}  // namespace

std::optional<nlohmann::json> ParseObject(std::string_view text) {
  using Event = nlohmann::json::parse_event_t;
  bool sound = true;
  /// The names seen so far in the object open at each depth.
  std::array<std::set<std::string>, kDepthMax + 2> names;
  const auto watch = [&](int depth, Event event, nlohmann::json& parsed) {
    if (depth > kDepthMax) sound = false;
    if (!sound) return false;
    const auto at = static_cast<std::size_t>(depth);
    if (event == Event::object_start) names.at(at + 1).clear();
    if (event == Event::key) sound = names.at(at).insert(parsed.get<std::string>()).second;
    return sound;
  };
  auto parsed = nlohmann::json::parse(text, watch, /*allow_exceptions=*/false);
  if (!sound || !parsed.is_object()) return std::nullopt;
  return parsed;
}

std::optional<std::string> TextIn(const nlohmann::json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_string()) return std::nullopt;
  return found->get<std::string>();
}

}  // namespace allot::oidc
