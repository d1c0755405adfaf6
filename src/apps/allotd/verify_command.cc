#include <algorithm>
#include <iostream>
#include <memory>
#include <string>

#include "allot/backup/backup.h"
#include "allot/store/verify.h"
#include "apps/allotd/complaint.h"
#include "apps/allotd/findings.h"
#include "apps/allotd/inspected_database.h"
#include "apps/allotd/tool_commands.h"

namespace allot::allotd {
namespace {

struct Flags {
  InspectedDatabase::Flags database;
  std::string backups;
  bool json = false;
};

int VerifyDatabase(const Flags& flags) {
  const auto database = InspectedDatabase::Open(flags.database);
  if (!database.ok()) return Complain(database.error());
  const auto verification = store::Verify(database->url());
  if (!verification.ok()) return ComplainOf(database->url(), verification.error());
  if (flags.json) {
    std::cout << FindingsAsJson(*verification)
                     .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)
              << "\n";
  } else {
    PrintFindings(*verification, std::cout);
    if (verification->clean()) {
      std::cout << "ok: " << verification->findings.size() << " checks, revision "
                << verification->revision << ", audit " << verification->audit_number << ":"
                << verification->audit_hash << "\n";
    }
  }
  return verification->clean() ? 0 : kFailed;
}

/// Every file of every backup, and that no segment of the log is missing between them.
int VerifyBackups(const Flags& flags) {
  const auto backups = backup::ListBackups(flags.backups);
  if (!backups.ok()) return Complain(backups.error());
  if (backups->empty()) {
    return Complain(
        FieldError(Reason::kConfigInvalid, "--backup", flags.backups, "a folder with backups"));
  }
  nlohmann::ordered_json report = nlohmann::ordered_json::array();
  bool sound = true;
  backup::LogArchive archive(backup::LogFolderOf(flags.backups), backups->back().wal_segment_bytes);
  if (const Status read = archive.Read(); !read.ok()) return Complain(read.error());
  for (const backup::Backup& backup : *backups) {
    const Status verified = backup::VerifyBackup(flags.backups, backup);
    const bool leads = archive.empty() || archive.LeadsFrom(backup.end);
    const auto missing = leads ? archive.FirstMissing(backup.end) : std::nullopt;
    std::string found = verified.ok() ? "" : verified.error().message;
    const bool log_is_there = archive.HasUpTo(backup.end);
    if (missing) {
      found += (found.empty() ? "" : " ") + ("wal/" + *missing + " is missing.");
    } else if (leads && backup.log_archived && !log_is_there) {
      found += (found.empty() ? "" : " ") +
               ("wal/" + archive.SegmentName({backup.end.timeline, backup.end.position - 1}) +
                ".gz is missing, which was there when it was made: is the folder mounted?");
    }
    sound &= found.empty();
    report.push_back({{"backup", backup.name},
                      {"revision", backup.revision},
                      {"end_time", FormatRfc3339(backup.end_time)},
                      {"on_newest_timeline", leads},
                      {"log_archived", log_is_there},
                      {"problem", found}});
    if (flags.json) continue;
    std::cout << backup.name << ": "
              << (!found.empty()  ? found
                  : !leads        ? "ok, by itself: the log took another way"
                  : !log_is_there ? "ok, by itself: its log is not in wal/"
                                  : "ok")
              << "\n";
  }
  if (flags.json)
    std::cout << nlohmann::ordered_json{{"sound", sound}, {"backups", report}} << "\n";
  return sound ? 0 : kFailed;
}

int Run(const Flags& flags) {
  const auto& database = flags.database;
  const int given = static_cast<int>(!database.database_url.empty()) +
                    static_cast<int>(!database.data_dir.empty()) +
                    static_cast<int>(!flags.backups.empty());
  if (given != 1) {
    std::cerr << "allotd verify: give one of --database URL, --data-dir DIR and --backup FOLDER "
                 "(--help shows examples)\n";
    return kUsage;
  }
  return flags.backups.empty() ? VerifyDatabase(flags) : VerifyBackups(flags);
}

}  // namespace

ToolCommand AddVerify(CLI::App& root) {
  auto flags = std::make_shared<Flags>();
  CLI::App* verify = root.add_subcommand(
      "verify", "Check every invariant that can be seen in a database, or the files of backups.");
  InspectedDatabase::AddFlags(*verify, flags->database);
  verify->add_option("--backup", flags->backups, "Folder of backups");
  verify->add_flag("--json", flags->json, "One line of JSON");
  verify->footer(R"(Examples:
  allotd verify --data-dir /var/lib/allot            while it serves, or not
  allotd verify --database postgresql:///allot --json
  allotd verify --backup /var/backups/allot          every file, and the log for gaps

Exit status: 0 all holds, 1 something does not, 2 wrong usage.)");
  return {verify, [flags] { return Run(*flags); }};
}

}  // namespace allot::allotd
