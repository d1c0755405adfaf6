#include "cli/input_file.h"

#include <fstream>
#include <iterator>

#include "allot/base/read_at_most.h"
#include "cli/text.h"

namespace allot::cli {
namespace {

constexpr std::size_t kFileBytesMax = 64U << 20U;

Failure ManifestFailure(const std::vector<ManifestProblem>& problems) {
  const ManifestProblem& first = problems.front();
  Failure failure;
  failure.exit_code = ExitCode::kInvalid;
  failure.reason = "config_invalid";
  failure.message = Describe(first);
  if (problems.size() > 1) {
    failure.message += " (and " + std::to_string(problems.size() - 1) + " more)";
  }
  failure.field = first.field;
  failure.value = first.value;
  failure.limit = first.expected;
  failure.advice = "Correct the file at the lines named; nothing was sent.";
  return failure;
}

}  // namespace

Outcome<std::string> ReadInput(const Environment& environment, const std::string& path) {
  std::string text;
  if (path == "-") {
    text = ReadAtMost(environment.in, kFileBytesMax);
  } else {
    std::ifstream stream(path, std::ios::binary);
    if (!stream.good() || stream.peek() == std::char_traits<char>::eof()) {
      return FailureOf(FieldError(Reason::kConfigInvalid, "-f", Printable(path),
                                  "a file that can be read and is not empty"));
    }
    text = ReadAtMost(stream, kFileBytesMax);
  }
  if (text.size() <= kFileBytesMax) return text;
  return FailureOf(FieldError(Reason::kConfigInvalid, "-f", Printable(path), "at most 64 MiB"));
}

std::string InputName(const std::string& path) { return path == "-" ? "<stdin>" : path; }

Failure ShowProblems(const Session& session, const std::vector<ManifestProblem>& problems) {
  if (session.output().for_people()) {
    for (std::size_t i = 0; i < problems.size() && i < kProblemsShownMax; ++i) {
      session.output().Note(Harmless(Describe(problems[i])));
    }
  }
  return ManifestFailure(problems);
}

}  // namespace allot::cli
