#include "cli/output.h"

#include <google/protobuf/util/json_util.h>
#include <yaml-cpp/yaml.h>

#include <nlohmann/json.hpp>

#include "allot/base/check.h"
#include "cli/text.h"

namespace allot::cli {
namespace {

using Json = nlohmann::ordered_json;

/// Words that YAML would read as something else than a text, and texts that are not plain words.
bool NeedsQuotes(const std::string& text) {
  static constexpr std::string_view kSafe =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-/.";
  if (text.empty() || text.find_first_not_of(kSafe) != std::string::npos) return true;
  if (text[0] < 'A' || (text[0] > 'Z' && text[0] < 'a') || text[0] > 'z') return true;
  static constexpr std::string_view kTaken[] = {"true", "false", "null", "yes", "no",
                                                "on",   "off",   "y",    "n"};
  std::string small = text;
  for (char& c : small) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  for (const std::string_view taken : kTaken) {
    if (small == taken) return true;
  }
  return false;
}

void Emit(YAML::Emitter& yaml, const Json& json) {
  if (json.is_object()) {
    if (json.empty()) yaml << YAML::Flow;
    yaml << YAML::BeginMap;
    for (const auto& [key, value] : json.items()) {
      yaml << YAML::Key << key << YAML::Value;
      Emit(yaml, value);
    }
    yaml << YAML::EndMap;
  } else if (json.is_array()) {
    if (json.empty()) yaml << YAML::Flow;
    yaml << YAML::BeginSeq;
    for (const Json& item : json) Emit(yaml, item);
    yaml << YAML::EndSeq;
  } else if (json.is_string()) {
    const auto& text = json.get_ref<const std::string&>();
    if (NeedsQuotes(text)) yaml << YAML::DoubleQuoted;
    yaml << text;
  } else {
    yaml << json.dump();
  }
}

bool WantsColours(const Environment& environment) {
  return environment.out_is_terminal && !environment.variable("NO_COLOR") &&
         environment.variable("TERM") != "dumb";
}

}  // namespace

std::optional<Format> ParseFormat(std::string_view word) {
  if (word == "table") return Format::kTable;
  if (word == "wide") return Format::kWide;
  if (word == "json") return Format::kJson;
  if (word == "yaml") return Format::kYaml;
  if (word == "name") return Format::kName;
  return std::nullopt;
}

std::string JsonOf(const google::protobuf::Message& message, bool one_line) {
  google::protobuf::util::JsonPrintOptions options;
  options.always_print_primitive_fields = true;
  std::string compact;
  // What came from a server was judged as it came (see WhyMalformed).
  ALLOT_CHECK(google::protobuf::util::MessageToJsonString(message, &compact, options).ok());
  // protobuf's own white space is a matter of its release; ours is the same everywhere.
  return Json::parse(compact).dump(one_line ? -1 : 2) + "\n";
}

std::string YamlOfJson(const std::string& json) {
  YAML::Emitter yaml;
  Emit(yaml, Json::parse(json));
  return std::string(yaml.c_str()) + "\n";
}

Output::Output(const Environment& environment, Format format)
    : environment_(environment), format_(format), colours_(WantsColours(environment)) {}

bool Output::ShownToPrograms(const google::protobuf::Message& message,
                             const std::vector<std::string>& names) const {
  if (format_ == Format::kJson) {
    environment_.out << JsonOf(message, /*one_line=*/false);
  } else if (format_ == Format::kYaml) {
    environment_.out << YamlOfJson(JsonOf(message, /*one_line=*/true));
  } else if (format_ == Format::kName) {
    for (const std::string& name : names) environment_.out << Harmless(name) << '\n';
  } else {
    return false;
  }
  return true;
}

void Output::Show(const google::protobuf::Message& message, const Table& table,
                  const std::vector<std::string>& names) const {
  if (ShownToPrograms(message, names)) return;
  if (table.empty()) {
    Note("nothing to show");
  } else {
    table.Print(environment_.out, wide(), colours_);
  }
}

void Output::Show(const google::protobuf::Message& message, const std::string& text,
                  const std::vector<std::string>& names) const {
  if (!ShownToPrograms(message, names)) environment_.out << text;
}

void Output::ShowNext(const google::protobuf::Message& message, const std::string& text,
                      const std::string& name) const {
  if (format_ == Format::kJson) {
    environment_.out << JsonOf(message, /*one_line=*/true);
  } else if (format_ == Format::kYaml) {
    environment_.out << "---\n" << YamlOfJson(JsonOf(message, /*one_line=*/true));
  } else {
    environment_.out << (format_ == Format::kName ? Harmless(name) : text) << '\n';
  }
  environment_.out.flush();
}

void Output::Show(const Failure& failure) const {
  environment_.err << (format_ == Format::kJson ? DescribeAsJson(failure)
                                                : DescribeForPeople(failure));
}

void Output::Note(const std::string& line) const {
  environment_.err << Harmless(line) << std::endl;
}

}  // namespace allot::cli
