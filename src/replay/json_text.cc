#include "replay/json_text.h"

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "allot/base/text.h"

namespace allot::replay {
namespace {

using nlohmann::json;

Error NotJson(const std::string& what) {
  return StateError(Reason::kConfigInvalid,
                    "not JSON: " + what + "; a recording is what 'allot record' writes");
}

/// Follows the parser through a document, and keeps the first name that came twice.
class NamesSeen {
 public:
  void Take(json::parse_event_t event, const json& parsed) {
    switch (event) {
      case json::parse_event_t::object_start:
        open_.emplace_back();
        return;
      case json::parse_event_t::object_end:
        open_.pop_back();
        return;
      case json::parse_event_t::key: {
        const auto& name = parsed.get_ref<const std::string&>();
        if (!open_.back().insert(name).second && !repeated_) repeated_ = name;
        return;
      }
      default:
        return;
    }
  }
  const std::optional<std::string>& repeated() const { return repeated_; }

 private:
  /// Names of the objects that the parser is inside of.
  std::vector<std::set<std::string>> open_;
  std::optional<std::string> repeated_;
};

}  // namespace

Result<json> ParseJson(std::string_view text) {
  if (text.empty()) return NotJson("there is nothing in it");
  if (text.size() > kRecordingBytesMax) {
    return FieldError(Reason::kConfigInvalid, "the recording",
                      FormatCount(static_cast<int64_t>(text.size())) + " bytes",
                      "at most " + FormatCount(static_cast<int64_t>(kRecordingBytesMax)) +
                          " bytes: 'allot record' never writes as many");
  }
  NamesSeen names;
  const auto follow = [&names](int, json::parse_event_t event, const json& parsed) {
    names.Take(event, parsed);
    return true;
  };
  try {
    json document = json::parse(text, follow);
    if (!names.repeated()) return document;
    return FieldError(Reason::kConfigInvalid, "an object of the recording", *names.repeated(),
                      "each name once");
  } catch (const json::parse_error& problem) {
    if (problem.byte > text.size()) {
      return NotJson("it ends after byte " + std::to_string(text.size()) + ", before it is whole");
    }
    return NotJson("it goes wrong at byte " + std::to_string(problem.byte) + " of " +
                   std::to_string(text.size()));
  } catch (const json::out_of_range&) {
    return NotJson("a number in it is too large for any field");
  }
}

}  // namespace allot::replay
