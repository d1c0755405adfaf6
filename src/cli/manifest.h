#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "cli/resource.h"

namespace allot::cli {

/// One object of an apply file.
struct Document {
  Resource resource;
  /// The fields that the file gives; what it leaves out is left alone.
  std::set<std::string> given;
  /// Where it begins.
  std::string file;
  int line = 0;
};

/// Something in an apply file that is not as it must be.
struct ManifestProblem {
  std::string file;
  int line = 0;
  /// Empty when it is not about one field.
  std::string field;
  std::string value;
  std::string expected;

  friend bool operator==(const ManifestProblem&, const ManifestProblem&) = default;
};
/// "call.yaml:12: duration "90x": expected a length of time such as 7d".
std::string Describe(const ManifestProblem& problem);

struct Manifest {
  std::vector<Document> documents;
  /// When there is one, nothing of the file may be sent.
  std::vector<ManifestProblem> problems;
};

/// Reads YAML or JSON: documents apart by "---", or a list of them. Every problem is found in one
/// go. docs/cli.md has the format.
Manifest ParseManifest(const std::string& file, const std::string& text);

/// Joins files; an object given twice is a problem.
Manifest JoinManifests(std::vector<Manifest> manifests);

}  // namespace allot::cli
