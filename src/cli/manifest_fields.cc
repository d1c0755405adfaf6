#include "cli/manifest_fields.h"

#include "allot/base/text.h"
#include "cli/text.h"
#include "cli/values.h"

namespace allot::cli {
namespace {

constexpr std::size_t kIdLengthMax = 63;

bool IsIdPart(std::string_view part) {
  if (part.empty() || part.size() > kIdLengthMax) return false;
  if (part[0] < 'a' || part[0] > 'z') return false;
  return part.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string_view::npos;
}

std::string TextOf(const YAML::Node& node) {
  if (node.IsScalar()) return node.Scalar();
  if (node.IsNull()) return "nothing";
  return node.IsMap() ? "a map" : "a list";
}

}  // namespace

ManifestFields::ManifestFields(const std::string& file, std::string path, const YAML::Node& map,
                               std::vector<ManifestProblem>& problems)
    : file_(file), path_(std::move(path)), map_(map), problems_(problems) {
  std::set<std::string> seen;
  for (const auto& entry : map_) {
    const std::string key = TextOf(entry.first);
    // yaml-cpp would take the first and keep silent about the second.
    if (!seen.insert(key).second) {
      problems_.push_back(
          {file_, entry.first.Mark().line + 1, path_ + Printable(key), "", "each field once"});
    }
  }
}

YAML::Node ManifestFields::Find(const std::string& field) {
  asked_.insert(field);
  for (const auto& entry : map_) {
    if (entry.first.IsScalar() && entry.first.Scalar() == field) return entry.second;
  }
  return YAML::Node(YAML::NodeType::Undefined);
}

bool ManifestFields::Has(const std::string& field) const {
  for (const auto& entry : map_) {
    if (entry.first.IsScalar() && entry.first.Scalar() == field) return true;
  }
  return false;
}

std::vector<std::string> ManifestFields::Names() const {
  std::vector<std::string> names;
  for (const auto& entry : map_) {
    if (entry.first.IsScalar()) names.push_back(entry.first.Scalar());
  }
  return names;
}

int ManifestFields::LineOf(const std::string& field) const {
  for (const auto& entry : map_) {
    if (entry.first.IsScalar() && entry.first.Scalar() == field) return entry.first.Mark().line + 1;
  }
  return map_.Mark().line + 1;
}

void ManifestFields::Note(const std::string& field, const std::string& value,
                          const std::string& expected) {
  problems_.push_back({file_, LineOf(field), path_ + Printable(field), Printable(value), expected});
}

void ManifestFields::Note(const std::string& field, const Error& error) {
  Note(field, error.value, error.limit);
}

std::optional<std::string> ManifestFields::Text(const std::string& field) {
  const YAML::Node node = Find(field);
  if (!node.IsDefined()) return std::nullopt;
  if (!node.IsScalar()) {
    Note(field, TextOf(node), "a text");
    return std::nullopt;
  }
  return node.Scalar();
}

std::optional<std::string> ManifestFields::RequiredText(const std::string& field,
                                                        const std::string& expected) {
  if (!Has(field)) {
    asked_.insert(field);
    Note(field, "missing", expected);
    return std::nullopt;
  }
  auto text = Text(field);
  if (text && text->empty()) {
    Note(field, "empty", expected);
    return std::nullopt;
  }
  return text;
}

std::optional<int64_t> ManifestFields::Count(const std::string& field, int64_t min, int64_t max) {
  const auto text = Text(field);
  if (!text) return std::nullopt;
  const auto count = ParseCount(field, *text, Reason::kQuotaOutOfRange, min, max);
  // Eight to whoever knows YAML 1.1, ten to everybody else: 010 is refused.
  const bool ambiguous = text->size() > 1 && text->front() == '0';
  if (count.ok() && !ambiguous) return *count;
  Note(field, *text,
       "a whole number from " + FormatCount(min) + " to " + FormatCount(max) +
           (ambiguous ? " that begins with no 0" : ""));
  return std::nullopt;
}

std::optional<bool> ManifestFields::Bool(const std::string& field) {
  const auto text = Text(field);
  if (!text) return std::nullopt;
  if (*text == "true") return true;
  if (*text == "false") return false;
  Note(field, *text, "true or false");
  return std::nullopt;
}

std::optional<std::vector<std::string>> ManifestFields::List(const std::string& field) {
  const YAML::Node node = Find(field);
  if (!node.IsDefined()) return std::nullopt;
  if (node.IsScalar()) return Split(node.Scalar(), ',');
  std::vector<std::string> list;
  if (node.IsSequence()) {
    for (const auto& item : node) {
      if (item.IsScalar()) list.push_back(item.Scalar());
    }
    if (list.size() == node.size() && !list.empty()) return list;
  }
  Note(field, TextOf(node), "a list of texts that is not empty");
  return std::nullopt;
}

std::optional<ManifestFields> ManifestFields::Map(const std::string& field) {
  const YAML::Node node = Find(field);
  if (!node.IsDefined()) return std::nullopt;
  if (node.IsMap()) {
    return ManifestFields(file_, path_ + Printable(field) + ".", node, problems_);
  }
  Note(field, TextOf(node), "a map");
  return std::nullopt;
}

std::optional<std::vector<std::string>> ManifestFields::Id(const std::string& field,
                                                           std::size_t parts,
                                                           const std::string& form) {
  const std::string expected = form + (parts > 1 ? ", each part 1 to 63 of" : ": 1 to 63 of") +
                               " a-z, 0-9 and '-', starting with a letter";
  const auto text = RequiredText(field, expected);
  if (!text) return std::nullopt;
  std::vector<std::string> id = Split(*text, '/');
  bool formed = id.size() == parts;
  for (const std::string& part : id) formed = formed && IsIdPart(part);
  if (formed) return id;
  Note(field, *text, expected);
  return std::nullopt;
}

void ManifestFields::Finish() {
  std::string known;
  for (const std::string& field : asked_) {
    if (field != "kind") known += (known.empty() ? "" : ", ") + field;
  }
  for (const auto& entry : map_) {
    const std::string key = TextOf(entry.first);
    if (asked_.contains(key)) continue;
    problems_.push_back(
        {file_, entry.first.Mark().line + 1, path_ + Printable(key), "",
         entry.first.IsScalar() ? "no such field here; there are " + known : "a name"});
  }
}

}  // namespace allot::cli
