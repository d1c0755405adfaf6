#include "cli/yaml_documents.h"

#include "allot/yaml/documents.h"

namespace allot::cli {
namespace {

std::string Expected(const yaml::Problem& problem) {
  using enum yaml::Problem::Kind;
  switch (problem.kind) {
    case kNoText:
      return "a text in UTF-8";
    case kTooDeep:
      return "lists and maps nested less deeply";
    case kAlias:
      // By which a few bytes are a tree without end; no manifest needs them.
      return "no aliases (*name)";
    case kNotYaml:
      break;
  }
  return "YAML or JSON, but: " + problem.message;
}

}  // namespace

std::vector<YAML::Node> LoadDocuments(const std::string& file, const std::string& text,
                                      std::vector<ManifestProblem>& problems) {
  auto read = yaml::ReadDocuments(text, yaml::Aliases::kRefused);
  if (auto* documents = std::get_if<std::vector<YAML::Node>>(&read)) return std::move(*documents);
  const auto& problem = std::get<yaml::Problem>(read);
  const bool alias = problem.kind == yaml::Problem::Kind::kAlias;
  problems.push_back({file, problem.line, "", alias ? "*" : "", Expected(problem)});
  return {};
}

}  // namespace allot::cli
