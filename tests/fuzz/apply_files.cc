// What the command line reads: files of objects to apply, and policies. Every problem of a file can
// be shown; an object of a file without one is what the API takes; a policy reads the same again.
#include <string>
#include <variant>

#include "allot/base/text.h"
#include "allot/model/name.h"
#include "cli/manifest.h"
#include "cli/policy_file.h"
#include "fuzz/support/property.h"
#include "rpc/parse.h"

namespace allot::fuzz {
namespace {

using cli::Manifest;
using cli::ManifestProblem;

void RequireProblem(const ManifestProblem& problem) {
  Require(problem.line >= 0, "a problem has a line", std::to_string(problem.line));
  Require(IsPlainText(problem.field) && problem.field.size() <= 400, "its field can be shown",
          problem.field);
  Require(IsPlainText(problem.value) && problem.value.size() <= 128, "its value can be shown",
          problem.value);
  Require(IsPlainText(problem.expected) && !problem.expected.empty(),
          "it says what would be accepted", problem.expected);
  Require(IsPlainText(Describe(problem)), "a problem can be shown", Describe(problem));
}

template <class T>
void RequireTaken(const Result<T>& parsed, const std::string& name) {
  if (parsed.ok()) return;
  RequireShowable(parsed.error());
  Require(false, "the API takes the name of an object", name);
}

struct NameIsTaken {
  void operator()(const v1::Provider& it) {
    RequireTaken(rpc::ParseProviderName(it.name(), "n"), it.name());
  }
  void operator()(const v1::Cluster& it) {
    RequireTaken(rpc::ParseClusterName(it.name(), "n"), it.name());
  }
  void operator()(const v1::Institute& it) {
    RequireTaken(rpc::ParseInstituteName(it.name(), "n"), it.name());
  }
  void operator()(const v1::Project& it) {
    RequireTaken(rpc::ParseProjectName(it.name(), "n"), it.name());
  }
  void operator()(const v1::Quota& it) {
    RequireTaken(rpc::ParseQuotaName(it.name(), "n"), it.name());
  }
  void operator()(const v1::Allocation& it) {
    RequireTaken(rpc::ParseAllocationName(it.name(), "n"), it.name());
    const auto raw = rpc::ParseRaw(it.request(), "request");
    if (!raw.ok()) RequireOfField(raw.error());
  }
};

void CheckManifest(const std::string& text) {
  const Manifest manifest = cli::ParseManifest("apply.yaml", text);
  for (const ManifestProblem& problem : manifest.problems) RequireProblem(problem);
  for (const cli::Document& document : manifest.documents) {
    std::visit(NameIsTaken{}, document.resource);
    for (const cli::FieldText& field : cli::FieldsOf(document.resource)) {
      Require(IsUtf8(field.text), "a field of an object can be sent", field.text);
    }
  }
  const Manifest twice = cli::JoinManifests({manifest, manifest});
  Require(twice.problems.size() >= manifest.documents.size(), "an object given twice is a problem");
}

void CheckPolicyFile(const std::string& text) {
  std::vector<ManifestProblem> problems;
  const v1::PolicySettings settings = cli::ParsePolicyFile("policy.yaml", text, problems);
  for (const ManifestProblem& problem : problems) RequireProblem(problem);
  if (!problems.empty()) return;
  for (const v1::ProgrammeCaps& caps : settings.programmes()) {
    // The server judges names; files are written of what it has.
    if (!CheckName(caps.programme(), "").ok()) return;
  }
  const std::string written = cli::FormatPolicyFile(settings);
  const v1::PolicySettings again = cli::ParsePolicyFile("written.yaml", written, problems);
  Require(problems.empty() && again.SerializeAsString() == settings.SerializeAsString(),
          "a policy comes back", written);
}

}  // namespace
}  // namespace allot::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  const std::string text(allot::fuzz::TextOf(data, size));
  allot::fuzz::CheckManifest(text);
  allot::fuzz::CheckPolicyFile(text);
  return 0;
}
