#include <pwd.h>
#include <unistd.h>

#include <exception>
#include <iostream>
#include <optional>
#include <string>

#include <CLI/CLI.hpp>

#include "allot/base/clock.h"
#include "allot/store/migrations.h"
#include "allot/store/store.h"
#include "apps/allotd/complaint.h"
#include "apps/allotd/config.h"
#include "apps/allotd/named_files.h"
#include "apps/allotd/operator_key.h"
#include "apps/allotd/serve.h"
#include "apps/allotd/tool_commands.h"

namespace {

using allot::Result;
using allot::allotd::Complain;
using allot::allotd::ComplainOf;
using allot::allotd::Config;
using allot::allotd::kFailed;
using allot::allotd::kUsage;

constexpr const char* kExamples = R"(Examples:
  allotd serve --data-dir /var/lib/allot          with a PostgreSQL cluster of its own
  allotd serve --database postgresql:///allot     with a database that others look after
  allotd serve --data-dir /tmp/try --listen 127.0.0.1:0 --metrics-listen off
  allotd migrate --database postgresql:///allot   bring the schema up to this release
  allotd create-operator-key --database URL       print a new ministry admin's key, once
  allotd backup --data-dir DIR --to FOLDER        a checked copy, while it serves
  allotd restore --from FOLDER --data-dir NEW     a data folder from it, as of any moment since
  allotd verify --data-dir DIR                    every invariant that can be seen in a database
  allotd check-config /etc/allot/allotd.yaml      refuse a broken file before a restart does

Exit status: 0 done, 1 failed, 2 wrong usage or configuration.
Operator's manual: docs/operator.md)";

/// What the command line says; everything not given stays as the file, or the default, has it.
struct Flags {
  std::string config_file;
  std::string database_url;
  std::string data_dir;
  std::optional<std::string> listen;
  std::optional<std::string> metrics_listen;
  std::optional<std::string> log_level;
  bool no_files = false;
};

CLI::Validator Accepting(bool (*accepted)(std::string_view), const std::string& expected) {
  return CLI::Validator(
      [accepted, expected](std::string& text) {
        return accepted(text) ? std::string() : "'" + text + "': expected " + expected;
      },
      expected);
}

CLI::App* AddServe(CLI::App& app, Flags& flags) {
  using allot::allotd::IsListenAddress;
  CLI::App* serve = app.add_subcommand("serve", "Serve the API and schedule, until SIGTERM.");
  CLI::Option* database =
      serve->add_option("--database", flags.database_url, "PostgreSQL URL of a migrated database");
  CLI::Option* data_dir = serve->add_option(
      "--data-dir", flags.data_dir, "Folder for a private PostgreSQL cluster, made when missing");
  database->excludes(data_dir);
  serve->add_option("--config", flags.config_file, "YAML file with server settings and policy");
  serve->add_option("--listen", flags.listen, "API address [127.0.0.1:8443]; port 0: a free one")
      ->check(Accepting(IsListenAddress, allot::allotd::kListenAddress));
  serve
      ->add_option("--metrics-listen", flags.metrics_listen,
                   "Address of /metrics [127.0.0.1:9464], or off")
      ->check(
          Accepting([](std::string_view text) { return text == "off" || IsListenAddress(text); },
                    std::string(allot::allotd::kListenAddress) + ", or off"));
  serve->add_option("--log-level", flags.log_level, "trace, debug, info, warn or error [info]")
      ->check(Accepting(allot::allotd::IsLogLevel, "trace, debug, info, warn or error"));
  return serve;
}

int RunServe(const Flags& flags) {
  if (flags.database_url.empty() == flags.data_dir.empty()) {
    std::cerr << "allotd serve: give --database URL or --data-dir DIR (--help shows examples)\n";
    return kUsage;
  }
  allot::allotd::ServeOptions options{.database_url = flags.database_url,
                                      .data_dir = flags.data_dir};
  if (!flags.config_file.empty()) {
    Result<Config> config = allot::allotd::ReadConfig(flags.config_file);
    if (!config.ok()) return Complain(config.error());
    options.config = std::move(config).value();
  }
  if (flags.listen) options.config.listen = *flags.listen;
  if (flags.metrics_listen) options.config.metrics_listen = *flags.metrics_listen;
  if (flags.log_level) options.config.log_level = *flags.log_level;
  if (const auto listen = allot::allotd::CheckListen(options.config); !listen.ok()) {
    return Complain(listen.error());
  }
  return allot::allotd::Serve(options);
}

int RunMigrate(const std::string& url) {
  const Result<int> schema = allot::store::Migrate(url);
  if (!schema.ok()) return ComplainOf(url, schema.error());
  std::cout << "schema " << *schema << "\n";
  return 0;
}

int RunCreateOperatorKey(const std::string& url) {
  const Result<std::string> secret = allot::allotd::CreateOperatorKey(url);
  if (!secret.ok()) return ComplainOf(url, secret.error());
  std::cout << *secret << "\n";
  return 0;
}

/// As whom this runs, for people.
std::string UserName() {
  const passwd* const user = getpwuid(geteuid());  // NOLINT(concurrency-mt-unsafe)
  return user != nullptr ? user->pw_name : std::to_string(geteuid());
}

int RunCheckConfig(const Flags& flags) {
  const Result<Config> config = allot::allotd::ReadConfig(flags.config_file);
  if (!config.ok()) return Complain(config.error());
  std::string files = "its files not looked at";
  if (!flags.no_files) {
    int status = 0;
    const allot::Instant now = allot::SystemClock().Now();
    for (const allot::Error& problem : allot::allotd::ProblemsOfNamedFiles(*config, now)) {
      status = Complain(problem);
    }
    if (status != 0) return status;
    files = "its files as " + UserName() + " finds them";
  }
  std::cout << flags.config_file << ": ok, policy " << config->policy.version << ", " << files
            << "\n";
  return 0;
}

int RunVersion() {
  const auto migrations = allot::store::EmbeddedMigrations();
  std::cout << "allotd " << ALLOT_VERSION << ", schema "
            << (migrations.empty() ? 0 : migrations.back().number) << "\n";
  return 0;
}

int Main(int argc, char** argv) {
  CLI::App app("allotd: the control plane that shares out the nation's GPUs.", "allotd");
  app.footer(kExamples);
  app.require_subcommand(1);
  Flags flags;
  CLI::App* serve = AddServe(app, flags);
  CLI::App* migrate = app.add_subcommand("migrate", "Bring a database up to this release.");
  migrate->add_option("--database", flags.database_url, "PostgreSQL URL")->required();
  CLI::App* key = app.add_subcommand(
      "create-operator-key", "Make a ministry admin's key in a database and print it, once.");
  key->add_option("--database", flags.database_url, "PostgreSQL URL")->required();
  CLI::App* check = app.add_subcommand(
      "check-config", "Read a configuration file, and the files that it names, and judge them.");
  check->add_option("file", flags.config_file, "YAML file")->required();
  check->add_flag("--no-files", flags.no_files,
                  "Leave alone what it names: on another machine than the server's");
  CLI::App* version = app.add_subcommand("version", "Print this release and its schema.");
  const allot::allotd::ToolCommand tools[] = {
      allot::allotd::AddBackup(app), allot::allotd::AddRestore(app), allot::allotd::AddVerify(app)};
  for (CLI::App* command : {serve, migrate, key, check, version}) command->footer(kExamples);

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& problem) {
    return app.exit(problem) == 0 ? 0 : kUsage;
  }
  for (const auto& tool : tools) {
    if (tool.app->parsed()) return tool.run();
  }
  if (serve->parsed()) return RunServe(flags);
  if (migrate->parsed()) return RunMigrate(flags.database_url);
  if (key->parsed()) return RunCreateOperatorKey(flags.database_url);
  if (check->parsed()) return RunCheckConfig(flags);
  return RunVersion();
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return Main(argc, argv);
  } catch (const std::exception& problem) {
    std::cerr << "allotd: " << problem.what() << "\n";
    return kFailed;
  }
}
