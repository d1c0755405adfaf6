#include "apps/allotd/inspected_database.h"

#include <filesystem>
#include <utility>

namespace allot::allotd {

void InspectedDatabase::AddFlags(CLI::App& command, Flags& flags) {
  CLI::Option* database = command.add_option("--database", flags.database_url,
                                             "PostgreSQL URL of the role that owns the database");
  CLI::Option* data_dir = command.add_option("--data-dir", flags.data_dir,
                                             "Data folder of a server, which may serve meanwhile");
  database->excludes(data_dir);
}

Result<InspectedDatabase> InspectedDatabase::Open(const Flags& flags) {
  InspectedDatabase database;
  database.url_ = flags.database_url;
  if (flags.data_dir.empty()) return database;
  if (!std::filesystem::exists(flags.data_dir + "/postgres/PG_VERSION")) {
    return FieldError(Reason::kConfigInvalid, "--data-dir", flags.data_dir,
                      "the data folder of an allotd");
  }
  if (const auto running = store::PrivateCluster::RunningUrl(flags.data_dir)) {
    database.url_ = *running;
    return database;
  }
  // What the server has not archived yet is its own to archive, when it starts again: without an
  // archive PostgreSQL would forget those segments at its next checkpoint.
  ALLOT_ASSIGN_OR_RETURN(
      database.cluster_,
      store::PrivateCluster::Start(
          {.data_dir = flags.data_dir, .settings = {"archive_mode=on", "archive_command="}}));
  database.url_ = database.cluster_->url();
  return database;
}

}  // namespace allot::allotd
