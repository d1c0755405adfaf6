#include "allot/yaml/documents.h"

#include <yaml-cpp/depthguard.h>
#include <yaml-cpp/eventhandler.h>

#include <optional>
#include <sstream>
#include <string_view>

#include "allot/base/result.h"
#include "allot/base/text.h"

namespace allot::yaml {
namespace {

/// Goes through a stream of YAML before a tree is made of it, and finds what must not come that
/// far: a document that begins where the one before began, because nothing of that was taken; and
/// the first alias (*name), by which a few bytes are a tree without end.
class Scout final : public YAML::EventHandler {
 public:
  std::optional<int> stuck_line() const { return stuck_line_; }
  std::optional<int> alias_line() const { return alias_line_; }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (begun_at_ && *begun_at_ == mark.pos) stuck_line_ = mark.line + 1;
    begun_at_ = mark.pos;
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    if (!alias_line_) alias_line_ = mark.line + 1;
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
  std::optional<int> begun_at_;
  std::optional<int> stuck_line_;
  std::optional<int> alias_line_;
};

std::optional<Problem> LookAhead(const std::string& text, Aliases aliases) {
  using enum Problem::Kind;
  std::istringstream stream(text);
  YAML::Parser parser(stream);
  Scout scout;
  while (!scout.stuck_line() && parser.HandleNextDocument(scout)) {
  }
  if (scout.stuck_line()) return Problem{kNotYaml, *scout.stuck_line(), "nothing can begin so"};
  if (aliases == Aliases::kTaken || !scout.alias_line()) return std::nullopt;
  return Problem{kAlias, *scout.alias_line(), "an alias"};
}

/// yaml-cpp takes any bytes for a text, and a zero for the end of it.
std::optional<Problem> WhatIsNoText(std::string_view text) {
  int line = 1;
  while (!text.empty()) {
    const auto character = FirstCharacter(text);
    if (!character || character->code_point == 0) {
      return Problem{Problem::Kind::kNoText, line, "not UTF-8"};
    }
    if (character->code_point == '\n') ++line;
    text.remove_prefix(character->bytes);
  }
  return std::nullopt;
}

}  // namespace

std::variant<std::vector<YAML::Node>, Problem> ReadDocuments(const std::string& text,
                                                             Aliases aliases) {
  if (const auto problem = WhatIsNoText(text)) return *problem;
  try {
    if (const auto problem = LookAhead(text, aliases)) return *problem;
    return YAML::LoadAll(text);
  } catch (const YAML::DeepRecursion& deep) {
    return Problem{Problem::Kind::kTooDeep, deep.mark.line + 1, "nested too deeply"};
  } catch (const YAML::Exception& problem) {
    return Problem{Problem::Kind::kNotYaml, problem.mark.line + 1, Printable(problem.msg)};
  }
}

}  // namespace allot::yaml
