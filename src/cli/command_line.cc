#include "allot/cli/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "allot/base/text.h"
#include "cli/commands.h"
#include "cli/completion.h"
#include "cli/session.h"
#include "cli/text.h"

namespace allot::cli {
namespace {

constexpr const char* kVersion = "0.1.0";

constexpr const char* kExitCodes =
    "Exit codes:\n"
    "  0  done\n"
    "  1  a fault of the server or of this program\n"
    "  2  the command line cannot be understood\n"
    "  3  a value or a file was refused; nothing changed\n"
    "  4  not found, or not allowed to this key\n"
    "  5  a conflict: exists otherwise, has changed meanwhile, or not possible in its state\n"
    "  6  no server, too busy, or no answer in time; the outcome may be unknown\n"
    "  7  --wait: it ended otherwise, or not in time\n";

constexpr const char* kConnection =
    "Server and key, the first that is found:\n"
    "  server  --server, DIR/server.address of --data-dir, ALLOT_SERVER, then the folders below,\n"
    "          then 127.0.0.1:8443\n"
    "  key     --key-file, DIR/keys/operator.key of --data-dir, ALLOT_KEY, ALLOT_KEY_FILE,\n"
    "          ALLOT_DATA_DIR, the login for the server ('allot login'), then the folders below\n"
    "  ca      --ca-file, ALLOT_CA_FILE, then the machine's own authorities\n"
    "  folders ALLOT_DATA_DIR, or else ./allot-data (yours or root's, and nobody else's to "
    "write),\n"
    "          ~/.local/share/allot, /var/lib/allot; a key there is for the server.address beside "
    "it\n"
    "A file with a key is its owner's alone: chmod 600, and umask 077 before one is made.\n";

/// CLI11's help, with options' values named after the options.
class HelpLayout : public CLI::Formatter {
 public:
  HelpLayout() { column_width(26); }
  std::string make_option_opts(const CLI::Option* option) const override {
    if (option->get_expected_max() == 0) return "";
    const std::string required = option->get_required() ? " (required)" : "";
    return (option->nonpositional() ? " " + ValueWord(*option) : "") + required;
  }

 private:
  /// "--gpus-per-node" takes "GPUS-PER-NODE".
  static std::string ValueWord(const CLI::Option& option) {
    std::string word = option.get_lnames().empty() ? "VALUE" : option.get_lnames().front();
    for (char& c : word) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    return word;
  }
};

struct Program {
  std::unique_ptr<CLI::App> app;
  GlobalFlags flags;
  Action chosen;
};

void AddGlobalFlags(CLI::App& app, GlobalFlags& flags) {
  app.add_option("-o,--output", flags.format, "table, wide, json, yaml or name (table)");
  app.add_option("--server", flags.connection.server,
                 "HOST:PORT, or several with commas; TLS, but not on this machine: https:// asks "
                 "for it there");
  app.add_option("--key-file", flags.connection.key_file, "A file with an API key");
  app.add_option("--data-dir", flags.connection.data_dir, "The folder of a local server");
  app.add_option("--ca-file", flags.connection.ca_file,
                 "PEM of the authority that the server's certificate is of");
  app.add_option("--certificate", flags.connection.certificate_file,
                 "PEM of this client's own certificate: providers need one");
  app.add_option("--certificate-key", flags.connection.certificate_key_file, "PEM of its key");
  app.add_option("--timeout", flags.timeout, "For a call with all its repeats (10s)");
  app.add_option("--request-id", flags.request_id,
                 "Repeat a change whose outcome is unknown: nothing happens twice; of one call");
}

/// Follows the words of a command; nothing when one of them is none.
const CLI::App* FindCommand(const CLI::App& root, const std::vector<std::string>& words) {
  const CLI::App* found = &root;
  for (const std::string& word : words) {
    const auto below =
        found->get_subcommands([&word](const CLI::App* app) { return app->get_name() == word; });
    if (below.empty()) return nullptr;
    found = below.front();
  }
  return found;
}

/// "allot quota" for "allot quota set": what stands before a command on the line.
std::string PathBefore(const CLI::App& command) {
  const CLI::App* parent = command.get_parent();
  if (parent == nullptr) return "";
  const std::string before = PathBefore(*parent);
  return before + (before.empty() ? "" : " ") + parent->get_name();
}

std::string HelpOf(const CLI::App& command, const CLI::App& root) {
  const std::string before = PathBefore(command);
  const std::string path = before + (before.empty() ? "" : " ") + command.get_name();
  // Not App::help, which explains the command that was parsed: `allot help` would explain `help`.
  std::string text = command.get_formatter()->make_help(&command, path, CLI::AppFormatMode::Normal);
  if (&command == &root) return text + "\n" + kConnection + "\n" + kExitCodes;
  return text +
         "\nEvery command also takes -o, --server, --key-file, --data-dir, --ca-file, --timeout "
         "and "
         "--request-id: 'allot help'.\n";
}

void AddOwnCommands(Program& program) {
  CLI::App& root = *program.app;
  auto words = std::make_shared<std::vector<std::string>>();
  CLI::App* help = AddCommand(root, "help", "Explains a command, the connection and exit codes",
                              "  allot help submit\n  allot help quota set");
  help->add_option("command", *words, "A command and its parts");
  help->callback([&program, words] {
    program.chosen = [&program, words](Session& session) {
      const CLI::App* command = FindCommand(*program.app, *words);
      if (command == nullptr) {
        return session.Fail(UsageFailure("no command '" + Printable(Join(*words, " ")) + "'",
                                         "'allot help' lists the commands."));
      }
      session.environment().out << HelpOf(*command, *program.app);
      return ExitCode::kOk;
    };
  });

  auto shell = std::make_shared<std::string>();
  CLI::App* completion = AddCommand(root, "completion", "Prints a completion script for a shell",
                                    "  source <(allot completion bash)\n"
                                    "  allot completion fish | source");
  completion->add_option("shell", *shell, "bash, zsh or fish")->required();
  completion->callback([&program, shell] {
    program.chosen = [&program, shell](Session& session) {
      const auto script = CompletionScript(*program.app, *shell);
      if (!script) {
        return session.Fail(
            UsageFailure("completion is for bash, zsh or fish, not '" + Printable(*shell) + "'"));
      }
      session.environment().out << *script;
      return ExitCode::kOk;
    };
  });

  CLI::App* version = AddCommand(root, "version", "Prints the release", "  allot version");
  version->callback([&program] {
    program.chosen = [](Session& session) {
      session.environment().out << "allot " << kVersion << " (API allot.v1)\n";
      return ExitCode::kOk;
    };
  });
}

void Build(Program& program) {
  program.app = std::make_unique<CLI::App>(
      "allot: shares out the nation's GPUs. Submit requests, see what runs and why others wait.",
      "allot");
  CLI::App& root = *program.app;
  root.formatter(std::make_shared<HelpLayout>());
  root.require_subcommand(1, 1);
  AddGlobalFlags(root, program.flags);
  AddSubmitCommand(root, program.chosen);
  AddAllocationCommands(root, program.chosen);
  AddEndCommands(root, program.chosen);
  AddDecisionCommands(root, program.chosen);
  AddPoolCommands(root, program.chosen);
  AddTenantCommands(root, program.chosen);
  AddDrainCommands(root, program.chosen);
  AddReservationCommands(root, program.chosen);
  AddAccessCommands(root, program.chosen);
  AddAuditCommands(root, program.chosen);
  AddMemberCommands(root, program.chosen);
  AddLoginCommands(root, program.chosen);
  AddPolicyCommands(root, program.chosen);
  AddProposalCommands(root, program.chosen);
  AddWhatIfCommand(root, program.chosen);
  AddApplyCommand(root, program.chosen);
  AddSummaryCommand(root, program.chosen);
  AddOwnCommands(program);
}

/// The command that was being typed when parsing ended, for its help.
const CLI::App& DeepestParsed(const CLI::App& app) {
  const auto parsed = app.get_subcommands();
  return parsed.empty() ? app : DeepestParsed(*parsed.front());
}

/// CLI11 says that a command is missing, where a word stands that is none.
std::string ProblemOf(const CLI::ParseError& error, const CLI::App& root) {
  const bool lacks_command =
      dynamic_cast<const CLI::RequiredError*>(&error) != nullptr &&
      !DeepestParsed(root).get_subcommands([](const CLI::App*) { return true; }).empty();
  const std::vector<std::string> left = root.remaining(/*recurse=*/true);
  if (!lacks_command || left.empty()) return error.what();
  return "'" + left.front() + "' is no command";
}

int Exit(ExitCode code) { return static_cast<int>(code); }

/// A usage failure is shown in the format asked for, even though the line was not understood.
int ShowUsage(const Environment& environment, const Program& program, const std::string& problem) {
  const auto format = ParseFormat(program.flags.format);
  const Output output(environment, format.value_or(Format::kTable));
  const CLI::App& command = DeepestParsed(*program.app);
  const std::string before = PathBefore(command);
  const std::string name = before + (before.empty() ? "" : " ") + command.get_name();
  output.Show(UsageFailure(Printable(problem), "'" + name + " --help' has examples."));
  return Exit(ExitCode::kUsage);
}

}  // namespace

CLI::App* AddCommand(CLI::App& parent, const std::string& name, const std::string& description,
                     const std::string& examples) {
  CLI::App* command = parent.add_subcommand(name, description);
  // So that "allot list -o json" reads like "allot -o json list".
  command->fallthrough();
  command->footer("\nExamples:\n" + examples);
  return command;
}

CLI::Validator AtLeastOne() {
  const auto check = [](std::string& text) -> std::string {
    const bool digits = !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
    const bool counts = digits && text.find_first_not_of('0') != std::string::npos;
    return counts ? "" : "expected a whole number of 1 or more, not '" + text + "'";
  };
  return CLI::Validator(check, "", "at least one");
}

int RunCommandLine(const std::vector<std::string>& arguments, const Environment& environment) {
  Program program;
  Build(program);
  // Later, libprotobuf would say so too, in words of its own.
  for (const std::string& argument : arguments) {
    if (!IsUtf8(argument)) {
      return ShowUsage(environment, program, "'" + Printable(argument) + "' is not UTF-8");
    }
  }
  try {
    // CLI11 takes them from the back.
    std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
    program.app->parse(reversed);
  } catch (const CLI::CallForHelp&) {
    environment.out << HelpOf(DeepestParsed(*program.app), *program.app);
    return Exit(ExitCode::kOk);
  } catch (const CLI::ParseError& error) {
    return ShowUsage(environment, program, ProblemOf(error, *program.app));
  }
  const auto session = Session::Make(environment, program.flags);
  if (!session.ok()) return ShowUsage(environment, program, session.failure().message);
  const ExitCode code = program.chosen(**session);
  environment.out.flush();
  // A full disk or a closed pipe must not look like success.
  if (!environment.out.good() && code == ExitCode::kOk) {
    return Exit((*session)->Fail({.exit_code = ExitCode::kInternal,
                                  .reason = "output_failed",
                                  .message = "the answer could not be written",
                                  .advice = "Look at what stdout is connected to."}));
  }
  return Exit(code);
}

}  // namespace allot::cli
