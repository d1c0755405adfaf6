#pragma once

#include <string>
#include <vector>

#include <yaml-cpp/yaml.h>

#include "cli/manifest.h"

namespace allot::cli {

/// The documents of a text in YAML or JSON. What is none, or is made to cost more than it looks
/// (aliases, deep nesting), is noted in `problems`, and nothing is returned.
std::vector<YAML::Node> LoadDocuments(const std::string& file, const std::string& text,
                                      std::vector<ManifestProblem>& problems);

}  // namespace allot::cli
