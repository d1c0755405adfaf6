#pragma once

#include <yaml-cpp/yaml.h>

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "allot/base/result.h"
#include "cli/manifest.h"

namespace allot::cli {

/// Reads the fields of one map of an apply file and notes what is wrong with them. A field that was
/// not asked for by the time of Finish is unknown, which is a problem too: a misspelt name must not
/// be ignored.
class ManifestFields {
 public:
  ManifestFields(const std::string& file, std::string path, const YAML::Node& map,
                 std::vector<ManifestProblem>& problems);

  /// Nothing when the field is missing or wrong; wrong ones are noted.
  std::optional<std::string> Text(const std::string& field);
  std::optional<int64_t> Count(const std::string& field, int64_t min, int64_t max);
  std::optional<bool> Bool(const std::string& field);
  /// A list, or one text with commas between.
  std::optional<std::vector<std::string>> List(const std::string& field);
  /// A map of its own.
  std::optional<ManifestFields> Map(const std::string& field);

  /// A required text; noted when missing.
  std::optional<std::string> RequiredText(const std::string& field, const std::string& expected);
  /// The parts of an id such as "snu/llm/main", as many as asked, each well formed.
  std::optional<std::vector<std::string>> Id(const std::string& field, std::size_t parts,
                                             const std::string& form);

  bool Has(const std::string& field) const;
  /// The names of all that are there, in the order of the file.
  std::vector<std::string> Names() const;
  void Note(const std::string& field, const std::string& value, const std::string& expected);
  void Note(const std::string& field, const Error& error);
  void Finish();

  const std::set<std::string>& asked() const { return asked_; }

 private:
  YAML::Node Find(const std::string& field);
  int LineOf(const std::string& field) const;

  const std::string& file_;
  /// Before the name of a field in a message: "concurrent_gpus.".
  const std::string path_;
  YAML::Node map_;
  std::vector<ManifestProblem>& problems_;
  std::set<std::string> asked_;
};

}  // namespace allot::cli
