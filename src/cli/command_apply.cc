#include <memory>
#include <string>

#include "allot/base/text.h"
#include "cli/apply.h"
#include "cli/apply_report.h"
#include "cli/commands.h"
#include "cli/input_file.h"
#include "cli/progress_line.h"
#include "cli/text.h"

namespace allot::cli {
namespace {

struct ApplyFlags {
  std::vector<std::string> files;
  std::string reason;
  bool dry_run = false;
};

/// Every file as one manifest, or the reason why nothing may be sent.
Outcome<Manifest> ReadManifest(Session& session, const std::vector<std::string>& files) {
  std::vector<Manifest> manifests;
  for (const std::string& file : files) {
    const auto text = ReadInput(session.environment(), file);
    if (!text.ok()) return text.failure();
    manifests.push_back(ParseManifest(InputName(file), *text));
  }
  Manifest all = JoinManifests(std::move(manifests));
  if (all.problems.empty() && all.documents.empty()) {
    return FailureOf(FieldError(Reason::kConfigInvalid, "-f", Join(files, " -f "),
                                "files that describe at least one object"));
  }
  if (all.problems.empty()) return all;
  return ShowProblems(session, all.problems);
}

void Report(const Session& session, const std::vector<ApplyStep>& steps, bool dry_run) {
  std::ostream& out = session.environment().out;
  const Output& output = session.output();
  if (output.format() == Format::kName) {
    for (const ApplyStep& step : steps) {
      const std::string_view outcome = OutcomeWord(step);
      if (outcome == "created" || outcome == "configured") {
        out << Harmless(NameOf(step.document->resource)) << '\n';
      }
    }
  } else if (output.format() == Format::kJson) {
    out << SummaryJson(steps, dry_run);
  } else if (output.format() == Format::kYaml) {
    out << YamlOfJson(SummaryJson(steps, dry_run));
  } else {
    if (dry_run) out << DiffText(steps, output.colours());
    out << SummaryText(steps, dry_run, output);
  }
}

/// Shows what failed, up to a bound; the first one's exit code.
ExitCode ShowFailures(const Session& session, const std::vector<ApplyStep>& steps) {
  ExitCode code = ExitCode::kOk;
  std::size_t failures = 0;
  for (const ApplyStep& step : steps) {
    if (!step.failure) continue;
    const Document& document = *step.document;
    if (code == ExitCode::kOk) code = step.failure->exit_code;
    if (++failures > kProblemsShownMax) continue;
    Failure shown = *step.failure;
    shown.message = document.file + ":" + std::to_string(document.line) + ": " +
                    std::string(KindOf(document.resource)) + " " + NameOf(document.resource) +
                    ": " + shown.message;
    session.output().Show(shown);
  }
  if (failures > kProblemsShownMax && session.output().for_people()) {
    session.output().Note("and " + std::to_string(failures - kProblemsShownMax) +
                          " more: -o json lists them all");
  }
  return code;
}

/// What the audit says where nobody gave a reason: which files they were.
std::string ReasonOf(const ApplyFlags& flags) {
  constexpr std::size_t kReasonBytesMax = 500;
  if (!flags.reason.empty()) return flags.reason;
  std::string files = "allot apply -f " + Join(flags.files, " -f ");
  if (files.size() <= kReasonBytesMax && IsPlainText(files)) return files;
  return "allot apply of " + std::to_string(flags.files.size()) + " files";
}

ExitCode Apply(Session& session, const ApplyFlags& flags) {
  if (session.has_request_id()) {
    return session.Fail(UsageFailure("a --request-id is of one call, and a file makes many",
                                     "Apply the file again without it: what is done stays done."));
  }
  const auto manifest = ReadManifest(session, flags.files);
  if (!manifest.ok()) return session.Fail(manifest.failure());
  const auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.failure());

  std::vector<ApplyStep> steps;
  {
    ProgressLine line(session.environment());
    const ApplyProgress progress = [&line](std::string_view what, int done, int of) {
      line.Show(what, done, of);
    };
    auto planned = PlanApply(**client, manifest->documents, progress);
    if (!planned.ok()) return session.Fail(planned.failure());
    steps = std::move(*planned);
    CarryOut(**client, steps, ReasonOf(flags), flags.dry_run, progress);
  }
  Report(session, steps, flags.dry_run);
  return ShowFailures(session, steps);
}

}  // namespace

void AddApplyCommand(CLI::App& root, Action& chosen) {
  auto flags = std::make_shared<ApplyFlags>();
  CLI::App* apply = AddCommand(
      root, "apply", "Makes the server hold what files say; running it again changes nothing",
      "  allot apply -f call.yaml --dry-run\n"
      "  allot apply -f call.yaml\n"
      "  generate-call | allot apply -f - -o name");
  apply
      ->add_option("-f,--file", flags->files,
                   "A YAML or JSON file, or - for stdin; may be repeated")
      ->required()
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  apply->add_flag("--dry-run", flags->dry_run,
                  "Print what would change, have the server check it, change nothing");
  apply->add_option("--reason", flags->reason, "Of changed merits and quotas; kept in the audit");
  apply->callback(
      [&chosen, flags] { chosen = [flags](Session& session) { return Apply(session, *flags); }; });
}

}  // namespace allot::cli
