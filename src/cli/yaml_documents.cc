#include "cli/yaml_documents.h"

#include <yaml-cpp/depthguard.h>
#include <yaml-cpp/eventhandler.h>

#include <optional>
#include <sstream>
#include <string_view>

#include "allot/base/result.h"
#include "allot/base/text.h"

namespace allot::cli {
namespace {

/// Finds the first alias (*name) in a stream of YAML. Aliases make a few bytes a tree without end,
/// so they are looked for before a tree is made; no manifest needs them.
class AliasFinder final : public YAML::EventHandler {
 public:
  std::optional<int> line() const { return line_; }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    if (!line_) line_ = mark.line + 1;
  }
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t,
                const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}

 private:
  std::optional<int> line_;
};

std::optional<int> LineOfAlias(const std::string& text) {
  std::istringstream stream(text);
  YAML::Parser parser(stream);
  AliasFinder finder;
  while (parser.HandleNextDocument(finder)) {
  }
  return finder.line();
}

/// yaml-cpp takes any bytes for a text, and a zero for the end of it.
std::optional<int> LineThatIsNoText(std::string_view text) {
  int line = 1;
  while (!text.empty()) {
    const auto character = FirstCharacter(text);
    if (!character || character->code_point == 0) return line;
    if (character->code_point == '\n') ++line;
    text.remove_prefix(character->bytes);
  }
  return std::nullopt;
}

}  // namespace

std::vector<YAML::Node> LoadDocuments(const std::string& file, const std::string& text,
                                      std::vector<ManifestProblem>& problems) {
  if (const auto line = LineThatIsNoText(text)) {
    problems.push_back({file, *line, "", "", "a text in UTF-8"});
    return {};
  }
  try {
    if (const auto line = LineOfAlias(text)) {
      problems.push_back({file, *line, "", "*", "no aliases (*name)"});
      return {};
    }
    return YAML::LoadAll(text);
  } catch (const YAML::DeepRecursion& exception) {
    problems.push_back(
        {file, exception.mark.line + 1, "", "", "lists and maps nested less deeply"});
  } catch (const YAML::Exception& exception) {
    problems.push_back(
        {file, exception.mark.line + 1, "", "", "YAML or JSON, but: " + Printable(exception.msg)});
  }
  return {};
}

}  // namespace allot::cli
