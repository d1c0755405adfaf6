#include <algorithm>
#include <array>

#include "cli/apply.h"
#include "cli/resource_name.h"
#include "cli/text.h"

namespace allot::cli {
namespace {

/// Whether the models kept are the wanted ones, less some that could never serve the request:
/// admission drops those.
bool KeepsModels(const std::string& wanted, const std::string& kept) {
  if (wanted == "any") return true;
  const std::vector<std::string> left = Split(wanted, ',');
  auto at = left.begin();
  for (const std::string& model : Split(kept, ',')) {
    at = std::find(at, left.end(), model);
    if (at == left.end()) return false;
    ++at;
  }
  return true;
}

/// Whether a start that had passed when the allocation was submitted was taken as "now".
bool TakenAsNow(const v1::Allocation& wanted, const v1::Allocation& existing) {
  const auto& asked = wanted.request();
  const auto& kept = existing.request();
  if (!asked.has_earliest_start()) return false;
  const Instant submitted = InstantOf(existing.create_time());
  const Instant kept_start =
      kept.has_earliest_start() ? InstantOf(kept.earliest_start()) : submitted;
  return InstantOf(asked.earliest_start()) <= submitted && kept_start <= submitted;
}

bool Same(const Document& document, const Resource& existing, const std::string& field,
          const std::string& wanted, const std::string& present) {
  if (wanted == present) return true;
  const auto* allocation = std::get_if<v1::Allocation>(&document.resource);
  if (allocation == nullptr) return false;
  if (field == "models") return KeepsModels(wanted, present);
  if (field == "earliest_start") {
    return TakenAsNow(*allocation, std::get<v1::Allocation>(existing));
  }
  return false;
}

/// The fields of each kind that the API can change, in the order of the kinds.
constexpr std::array<std::string_view, 6> kConfigurable = {
    "", "", "", "display_name merit open", "concurrent_gpus.H200 concurrent_gpus.B200 gpu_hours",
    ""};

bool Configurable(const Document& document, const std::string& field) {
  const std::vector<std::string> fields = Split(kConfigurable[document.resource.index()], ' ');
  return std::find(fields.begin(), fields.end(), field) != fields.end();
}

}  // namespace

std::vector<Difference> Compare(const Document& document, const Resource* existing) {
  std::vector<Difference> differences;
  const std::vector<FieldText> wanted = FieldsOf(document.resource);
  const std::vector<FieldText> present =
      existing == nullptr ? std::vector<FieldText>() : FieldsOf(*existing);
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const auto& [field, text] = wanted[i];
    if (!document.given.contains(field)) continue;
    if (existing == nullptr) {
      differences.push_back({field, std::nullopt, text});
    } else if (!Same(document, *existing, field, text, present[i].text)) {
      differences.push_back({field, present[i].text, text});
    }
  }
  return differences;
}

std::optional<Failure> WhyNotConfigurable(const Document& document,
                                          const std::vector<Difference>& differences) {
  for (const Difference& difference : differences) {
    if (Configurable(document, difference.field)) continue;
    const bool allocation = std::holds_alternative<v1::Allocation>(document.resource);
    Failure failure;
    failure.exit_code = ExitCode::kConflict;
    failure.reason = "field_immutable";
    failure.message = std::string(KindOf(document.resource)) + " " +
                      ShortName(NameOf(document.resource)) + " exists with " + difference.field +
                      " \"" + difference.before.value_or("") + "\", which cannot be changed";
    failure.field = difference.field;
    failure.value = difference.after;
    failure.limit = difference.before.value_or("");
    failure.advice = allocation ? "Cancel or release it and submit another under a new name, or "
                                  "write the file as it was submitted."
                                : "Write the file as it is, or give the new one another id.";
    return failure;
  }
  return std::nullopt;
}

}  // namespace allot::cli
