#include <iostream>
#include <memory>
#include <string>

#include "allot/backup/restore.h"
#include "allot/base/clock.h"
#include "apps/allotd/complaint.h"
#include "apps/allotd/findings.h"
#include "apps/allotd/interruption.h"
#include "apps/allotd/tool_commands.h"

namespace allot::allotd {
namespace {

struct Flags {
  std::string folder;
  std::string data_dir;
  std::string to_time;
  int64_t to_revision = 0;
  bool without_log = false;
};

void Tell(const backup::Restored& restored, const Flags& flags) {
  const store::Verification& state = restored.verification;
  std::cout << "restored " << restored.from.name << " to revision " << state.revision;
  if (!restored.last_commit.empty()) {
    std::cout << ", whose last transaction was committed at " << restored.last_commit;
  }
  std::cout
      << "\naudit ends with entry " << state.audit_number << ":" << state.audit_hash
      << ", and one for the restore\n"
      << "revisions go on from " << restored.timeline.revision << ", epochs from "
      << restored.timeline.epoch << "; " << restored.timeline.orders_reopened
      << " orders are given to agents once more\n"
      << "What was acknowledged after that moment is lost: requests, and what was answered to "
         "their request_ids; keys made since. Keys revoked since work again: revoke them.\n"
      << "Start it: allotd serve --data-dir " << flags.data_dir << "\n";
}

int Run(const Flags& flags) {
  const SystemClock clock;
  const Interruption interruption;
  backup::RestoreOptions options{
      .folder = flags.folder, .data_dir = flags.data_dir, .clock = &clock};
  options.without_log = flags.without_log;
  options.stop = interruption.token();
  options.progress = [](const std::string& what) { std::cerr << "allotd: " << what << "\n"; };
  if (!flags.to_time.empty()) {
    options.to_time = ParseRfc3339(flags.to_time);
    if (!options.to_time) {
      return Complain(FieldError(Reason::kConfigInvalid, "--to-time", flags.to_time,
                                 "a time such as 2026-11-27T05:00:00Z"));
    }
  }
  if (flags.to_revision > 0) options.to_revision = flags.to_revision;
  const auto restored = backup::Restore(options);
  if (const auto status = interruption.ExitStatus(); status && !restored.ok()) {
    std::cerr << "allotd: nothing was restored, and nothing of it is left\n";
    return *status;
  }
  if (!restored.ok()) {
    const int status = Complain(restored.error());
    // A folder or a log that will not do is no wrong usage.
    return restored.error().field.empty() ? kFailed : status;
  }
  Tell(*restored, flags);
  if (restored->verification.clean()) return 0;
  PrintFindings(restored->verification, std::cerr);
  std::cerr << "allotd: the restored database breaks invariants: look at them before it serves\n";
  return kFailed;
}

}  // namespace

ToolCommand AddRestore(CLI::App& root) {
  auto flags = std::make_shared<Flags>();
  CLI::App* restore = root.add_subcommand(
      "restore", "Make a data folder from a backup and its log, as of a moment, and check it.");
  restore->add_option("--from", flags->folder, "Folder that 'allotd backup --to' was given")
      ->required();
  restore->add_option("--data-dir", flags->data_dir, "The new data folder: empty, or not there")
      ->required();
  CLI::Option* time = restore->add_option(
      "--to-time", flags->to_time, "All that was committed up to then, RFC 3339 [all there is]");
  CLI::Option* revision =
      restore->add_option("--to-revision", flags->to_revision, "All up to this revision")
          ->check([](const std::string& text) {
            int64_t number = 0;
            const bool is_one = CLI::detail::lexical_cast(text, number) && number > 0;
            return is_one ? "" : "'" + text + "': expected a revision, 1 or more";
          });
  time->excludes(revision);
  restore
      ->add_flag("--without-log", flags->without_log,
                 "The newest backup as of its own moment, when its log is gone")
      ->excludes(time)
      ->excludes(revision);
  restore->footer(R"(Examples:
  allotd restore --from /var/backups/allot --data-dir /var/lib/allot-restored
  allotd restore --from /var/backups/allot --data-dir /var/lib/allot-restored --to-time 2026-11-27T05:00:00Z
  allotd restore --from /var/backups/allot --data-dir /var/lib/allot-restored --to-revision 123456

Exit status: 0 restored, and every invariant holds; 1 refused, or an invariant is broken; 2 wrong usage.
Operator's manual: docs/operator.md, "Back up and restore"; docs/runbooks/restore-after-loss.md)");
  return {restore, [flags] { return Run(*flags); }};
}

}  // namespace allot::allotd
