#include <iostream>
#include <memory>
#include <string>

#include "allot/backup/backup.h"
#include "apps/allotd/complaint.h"
#include "apps/allotd/inspected_database.h"
#include "apps/allotd/interruption.h"
#include "apps/allotd/tool_commands.h"

namespace allot::allotd {
namespace {

struct Flags {
  InspectedDatabase::Flags database;
  std::string folder;
  int keep = 0;
  bool prune = false;
};

void Tell(const std::string& what) { std::cerr << "allotd: " << what << "\n"; }

int Prune(const Flags& flags) {
  if (flags.keep == 0) {
    std::cerr << "allotd backup: --prune needs --keep N, how many stay (--help shows examples)\n";
    return kUsage;
  }
  const Interruption interruption;
  const Status removed = backup::RemoveOldBackups(
      {.folder = flags.folder, .keep = flags.keep, .progress = Tell, .stop = interruption.token()});
  return removed.ok() ? 0 : Complain(removed.error());
}

int Run(const Flags& flags) {
  if (flags.prune) return Prune(flags);
  if (flags.database.database_url.empty() == flags.database.data_dir.empty()) {
    std::cerr << "allotd backup: give --database URL or --data-dir DIR (--help shows examples)\n";
    return kUsage;
  }
  const Interruption interruption;
  const auto database = InspectedDatabase::Open(flags.database);
  if (!database.ok()) return Complain(database.error());
  const auto backup = backup::TakeBackup({.url = database->url(),
                                          .private_cluster = !flags.database.data_dir.empty(),
                                          .folder = flags.folder,
                                          .keep = flags.keep,
                                          .version = ALLOT_VERSION,
                                          .progress = Tell,
                                          .stop = interruption.token()});
  if (const auto status = interruption.ExitStatus(); status && !backup.ok()) {
    std::cerr << "allotd: no backup was made, and nothing of it is left\n";
    return *status;
  }
  if (!backup.ok()) return ComplainOf(database->url(), backup.error());
  std::cout << flags.folder << "/" << backup->name << "\n";
  return 0;
}

}  // namespace

ToolCommand AddBackup(CLI::App& root) {
  auto flags = std::make_shared<Flags>();
  CLI::App* backup = root.add_subcommand(
      "backup", "Copy a database that serves into a folder, checked and whole or not at all.");
  InspectedDatabase::AddFlags(*backup, flags->database);
  backup->add_option("--to", flags->folder, "Folder of the backups, made when missing")->required();
  backup
      ->add_option("--keep", flags->keep, "Afterwards, remove all but so many of the newest [all]")
      ->check(CLI::Range(1, 10'000));
  auto* prune = backup->add_flag("--prune", flags->prune,
                                 "Make none: only remove all but --keep, where there is no room");
  prune->excludes("--data-dir")->excludes("--database");
  backup->footer(R"(Examples:
  allotd backup --data-dir /var/lib/allot --to /var/backups/allot --keep 7
  allotd backup --database 'postgresql://backup@db1/allot' --to /var/backups/allot
  allotd backup --prune --keep 2 --to /var/backups/allot     the disk is full: only remove old ones

Prints the path of the backup. With the log archived meanwhile (backup.folder of the configuration) it
can be restored to any moment since. Operator's manual: docs/operator.md, "Back up and restore")");
  return {backup, [flags] { return Run(*flags); }};
}

}  // namespace allot::allotd
