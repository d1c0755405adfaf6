#include "agent/site_file.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <optional>
#include <utility>

#include "agent/durable_file.h"
#include "allot/base/text.h"
#include "allot/model/name.h"
#include "allot/yaml/documents.h"

namespace allot::agent {
namespace {

constexpr std::size_t kFileBytesMax = 1'048'576;
constexpr Seconds kDelayMax = Hours(1);
constexpr const char* kNameLimit = "1 to 63 of a-z, 0-9 and '-', starting with a letter";
constexpr const char* kRangeLimit =
    "a node's name, or names with one range such as naver-a-[001-255], the first not above the "
    "last and both written with as many digits";

std::string ListLimit() {
  return "a list of 1 to " + FormatCount(kSiteNodesMax) + " names and ranges of names";
}

struct Field {
  YAML::Node value;
  int line = 0;
};

/// The keys of the document; the first error found stops the reading.
class SiteReader {
 public:
  explicit SiteReader(std::string file) : file_(std::move(file)) {}

  Result<Site> Read(std::string_view text) {
    ALLOT_RETURN_IF_ERROR(CheckText(text));
    ALLOT_ASSIGN_OR_RETURN(YAML::Node document, Load(text));
    ALLOT_RETURN_IF_ERROR(Collect(document));
    Site site;
    ALLOT_ASSIGN_OR_RETURN(const std::string provider, Name("provider", "naver"));
    site.provider = ProviderId(provider);
    ALLOT_ASSIGN_OR_RETURN(const std::string cluster, Name("cluster", "naver-a"));
    site.cluster = ClusterId(cluster);
    ALLOT_ASSIGN_OR_RETURN(site.gpu_model, Model());
    ALLOT_ASSIGN_OR_RETURN(site.nodes, Nodes());
    ALLOT_RETURN_IF_ERROR(HangFromLeaves(site.nodes));
    ALLOT_ASSIGN_OR_RETURN(site.simulated_provisioning_delay, Delay());
    return site;
  }

 private:
  static constexpr std::array kKeys = {"provider", "cluster", "gpu_model",
                                       "nodes",    "leaves",  "simulated_provisioning_delay"};

  Error Refuse(int line, const std::string& field, std::string_view value,
               const std::string& expected) const {
    Error error = FieldError(Reason::kConfigInvalid, field, std::string(value), expected);
    error.message = file_ + ":" + std::to_string(line) + ": " + error.message;
    return error;
  }

  Error Missing(const std::string& key, const std::string& expected) const {
    return {Reason::kConfigInvalid, key, "", expected,
            file_ + ":1: " + key + " is missing: expected " + expected};
  }

  static std::string WhatStandsThere(const YAML::Node& node) {
    if (node.IsScalar()) return "'" + node.Scalar() + "'";
    if (node.IsMap()) return "a mapping";
    if (node.IsSequence()) return "a list";
    return "nothing";
  }

  /// Of the bytes, before YAML hides where a character came from.
  Status CheckText(std::string_view text) const {
    if (text.size() > kFileBytesMax) {
      return Refuse(1, "the file", FormatCount(static_cast<int64_t>(text.size())) + " bytes",
                    "at most " + FormatCount(static_cast<int64_t>(kFileBytesMax)) + " bytes");
    }
    int line = 1;
    while (!text.empty()) {
      const auto character = FirstCharacter(text);
      const std::size_t bytes = character ? character->bytes : 1;
      const char first = text.front();
      if (first == '\n') ++line;
      const bool layout = first == '\n' || first == '\t' || first == '\r';
      if (!character || (IsControl(character->code_point) && !layout)) {
        return Refuse(line, "the text", text.substr(0, bytes), "UTF-8 without control characters");
      }
      text.remove_prefix(bytes);
    }
    return Ok{};
  }

  Result<YAML::Node> Load(std::string_view text) const {
    const auto read = yaml::ReadDocuments(std::string(text), yaml::Aliases::kTaken);
    if (const auto* problem = std::get_if<yaml::Problem>(&read)) {
      return Refuse(problem->line, "the file", problem->message, "YAML");
    }
    const auto& documents = std::get<std::vector<YAML::Node>>(read);
    if (documents.size() > 1) {
      return Refuse(documents[1].Mark().line + 1, "the file", "a second document", "one document");
    }
    if (documents.empty() || documents.front().IsNull()) {
      return Refuse(1, "the file", "nothing",
                    "a mapping with provider, cluster, gpu_model and "
                    "nodes");
    }
    return documents.front();
  }

  Status Collect(const YAML::Node& document) {
    const int top = document.Mark().line + 1;
    if (!document.IsMap()) {
      return Refuse(top, "the file", WhatStandsThere(document),
                    "a mapping with provider, cluster, gpu_model and nodes");
    }
    for (const auto& entry : document) {
      const int line = entry.first.Mark().line + 1;
      const std::string key =
          entry.first.IsScalar() ? entry.first.Scalar() : WhatStandsThere(entry.first);
      if (std::ranges::find(kKeys, key) == kKeys.end()) {
        return Refuse(line, "the key", "'" + key + "'",
                      "one of provider, cluster, gpu_model, nodes, leaves, "
                      "simulated_provisioning_delay");
      }
      const auto [earlier, inserted] = fields_.emplace(key, Field{entry.second, line});
      if (!inserted) {
        return Refuse(line, "the key", "'" + key + "'",
                      "each key once, and it stands in line " +
                          std::to_string(earlier->second.line) + " already");
      }
    }
    return Ok{};
  }

  const Field* Find(const std::string& key) const {
    const auto found = fields_.find(key);
    return found == fields_.end() ? nullptr : &found->second;
  }

  Result<std::string> Name(const std::string& key, const std::string& example) const {
    const std::string expected = std::string(kNameLimit) + ", such as " + example;
    const Field* field = Find(key);
    if (field == nullptr) return Missing(key, expected);
    if (!field->value.IsScalar() || !CheckName(field->value.Scalar(), key).ok()) {
      return Refuse(field->line, key, WhatStandsThere(field->value), expected);
    }
    return field->value.Scalar();
  }

  Result<GpuModel> Model() const {
    const std::string expected = "H200 or B200";
    const Field* field = Find("gpu_model");
    if (field == nullptr) return Missing("gpu_model", expected);
    const auto model =
        field->value.IsScalar() ? ParseGpuModel(field->value.Scalar()) : std::nullopt;
    if (!model) return Refuse(field->line, "gpu_model", WhatStandsThere(field->value), expected);
    return *model;
  }

  Result<Seconds> Delay() const {
    const Field* field = Find("simulated_provisioning_delay");
    if (field == nullptr) return Seconds{0};
    const auto delay =
        field->value.IsScalar() ? ParseDuration(field->value.Scalar()) : std::nullopt;
    if (!delay || *delay > kDelayMax) {
      return Refuse(field->line, "simulated_provisioning_delay", WhatStandsThere(field->value),
                    "a duration from 0s to 1h, such as 5s");
    }
    return *delay;
  }

  /// Names with the line each came from, so that a repeat names both.
  using Lines = std::map<std::string, int>;

  Result<std::vector<SiteNode>> Nodes() const {
    const Field* field = Find("nodes");
    if (field == nullptr) return Missing("nodes", ListLimit());
    Lines lines;
    ALLOT_ASSIGN_OR_RETURN(const auto names, ReadNames(*field, "nodes", lines));
    std::vector<SiteNode> nodes;
    nodes.reserve(names.size());
    for (const auto& [name, line] : lines) nodes.push_back({name, ""});
    return nodes;
  }

  /// "leaves" lists the nodes of each leaf; those in no list hang from one that is not known.
  Status HangFromLeaves(std::vector<SiteNode>& nodes) const {
    const Field* field = Find("leaves");
    if (field == nullptr) return Ok{};
    if (!field->value.IsMap()) {
      return Refuse(field->line, "leaves", WhatStandsThere(field->value),
                    "a mapping from the name of each leaf to a list of its nodes");
    }
    Lines leaves;
    Lines lines;
    for (const auto& entry : field->value) {
      const int line = entry.first.Mark().line + 1;
      const bool named = entry.first.IsScalar() && CheckName(entry.first.Scalar(), "leaves").ok();
      if (!named) {
        return Refuse(line, "leaves", WhatStandsThere(entry.first),
                      std::string("a leaf's name: ") + kNameLimit);
      }
      const std::string& leaf = entry.first.Scalar();
      const auto [earlier, inserted] = leaves.emplace(leaf, line);
      if (!inserted) {
        return Refuse(line, "leaves", "'" + leaf + "'",
                      "each leaf once, and it stands in line " + std::to_string(earlier->second) +
                          " already");
      }
      const std::string key = "leaves." + leaf;
      ALLOT_ASSIGN_OR_RETURN(const auto names, ReadNames({entry.second, line}, key, lines));
      for (const std::string& name : names) {
        const auto node = std::ranges::lower_bound(nodes, name, {}, &SiteNode::name);
        if (node == nodes.end() || node->name != name) {
          return Refuse(lines.at(name), key, "'" + name + "'", "a node of nodes");
        }
        node->leaf = leaf;
      }
    }
    return Ok{};
  }

  /// A list of names and ranges, none of which is in `lines` yet; they are added there.
  Result<std::vector<std::string>> ReadNames(const Field& field, const std::string& key,
                                             Lines& lines) const {
    if (!field.value.IsSequence() || field.value.size() == 0) {
      const bool empty = field.value.IsSequence();
      return Refuse(field.line, key, empty ? "an empty list" : WhatStandsThere(field.value),
                    ListLimit());
    }
    std::vector<std::string> all;
    for (const YAML::Node& entry : field.value) {
      const int line = entry.Mark().line + 1;
      std::vector<std::string> names;
      if (entry.IsScalar()) names = ExpandRange(entry.Scalar());
      const bool named =
          !names.empty() && CheckName(names.front(), key).ok() && CheckName(names.back(), key).ok();
      if (!named) {
        return Refuse(line, key, WhatStandsThere(entry),
                      std::string(kRangeLimit) + "; a name is " + kNameLimit);
      }
      for (const std::string& name : names) {
        const auto [earlier, inserted] = lines.emplace(name, line);
        if (!inserted) {
          return Refuse(line, key, "'" + name + "'",
                        "each node once, and it stands in line " + std::to_string(earlier->second) +
                            " already");
        }
      }
      if (lines.size() > std::size_t{kSiteNodesMax}) {
        return Refuse(line, key, "more than " + FormatCount(kSiteNodesMax) + " nodes", ListLimit());
      }
      all.insert(all.end(), names.begin(), names.end());
    }
    return all;
  }

  static bool IsNumber(std::string_view text) {
    return !text.empty() && text.size() <= 9 &&
           std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
  }

  /// "a-[08-10]" is a-08, a-09, a-10. Nothing when the brackets hold no such range, or one that is
  /// larger than any site; a text without brackets is itself.
  static std::vector<std::string> ExpandRange(const std::string& text) {
    const std::size_t open = text.find('[');
    if (open == std::string::npos) return {text};
    const std::size_t dash = text.find('-', open);
    const std::size_t close = text.find(']', open);
    if (dash == std::string::npos || close == std::string::npos || dash > close) return {};
    const std::string first = text.substr(open + 1, dash - open - 1);
    const std::string last = text.substr(dash + 1, close - dash - 1);
    if (!IsNumber(first) || !IsNumber(last)) return {};
    const bool padded = first.front() == '0' || last.front() == '0';
    if (padded && first.size() != last.size()) return {};
    const int low = std::stoi(first);
    const int high = std::stoi(last);
    if (low > high || high - low >= 2 * kSiteNodesMax) return {};
    std::vector<std::string> names;
    for (int number = low; number <= high; ++number) {
      std::string digits = std::to_string(number);
      if (padded) digits.insert(0, first.size() - digits.size(), '0');
      names.push_back(text.substr(0, open) + digits + text.substr(close + 1));
    }
    return names;
  }

  std::string file_;
  std::map<std::string, Field> fields_;
};

}  // namespace

bool Site::Has(std::string_view node) const {
  return std::ranges::binary_search(nodes, node, {}, &SiteNode::name);
}

Result<Site> ParseSite(std::string_view yaml, const std::string& file) {
  return SiteReader(file).Read(yaml);
}

Result<Site> ReadSite(const std::string& file) {
  const auto text = ReadWhole(file);
  if (text.ok() && text->has_value()) return ParseSite(**text, file);
  return Error{Reason::kConfigInvalid, "--site", Printable(file), "a readable file",
               text.ok() ? file + " cannot be read: there is no such file" : text.error().message};
}

}  // namespace allot::agent
