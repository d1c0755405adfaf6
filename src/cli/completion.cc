#include "cli/completion.h"

#include <algorithm>
#include <vector>

#include "cli/text.h"

namespace allot::cli {
namespace {

struct Command {
  /// "quota set"; empty for the program itself.
  std::string path;
  std::string description;
  std::vector<std::string> commands;
  /// With their dashes.
  std::vector<std::string> options;
};

void Collect(const CLI::App& app, const std::string& path, std::vector<Command>& all) {
  Command command{
      .path = path, .description = app.get_description(), .commands = {}, .options = {}};
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) command.options.push_back("--" + name);
    for (const std::string& name : option->get_snames()) command.options.push_back("-" + name);
  }
  const auto below = app.get_subcommands([](const CLI::App*) { return true; });
  for (const CLI::App* sub : below) command.commands.push_back(sub->get_name());
  all.push_back(std::move(command));
  for (const CLI::App* sub : below) {
    Collect(*sub, path + (path.empty() ? "" : " ") + sub->get_name(), all);
  }
}

/// What may stand next after `command`: its commands and options, and those of the program.
std::string WordsAfter(const Command& command, const Command& program) {
  std::vector<std::string> words = command.commands;
  words.insert(words.end(), command.options.begin(), command.options.end());
  for (const std::string& option : program.options) {
    if (std::find(words.begin(), words.end(), option) == words.end()) words.push_back(option);
  }
  return Join(words, " ");
}

/// A shell function that finds the command typed so far and sets `words` to what may follow; the
/// words of the line are its arguments. Plain enough for bash and zsh alike.
std::string FindWords(const std::vector<Command>& all) {
  std::string text =
      "_allot_words() {\n"
      "  local path='' word\n"
      "  for word in \"$@\"; do\n"
      "    case \"$path/$word\" in\n";
  for (const Command& command : all) {
    if (command.path.empty()) continue;
    const std::size_t blank = command.path.rfind(' ');
    const std::string parent = blank == std::string::npos ? "" : command.path.substr(0, blank);
    const std::string name =
        blank == std::string::npos ? command.path : command.path.substr(blank + 1);
    text.append("      '").append(parent).append("/").append(name);
    text.append("') path='").append(command.path).append("' ;;\n");
  }
  text +=
      "    esac\n"
      "  done\n"
      "  case \"$path\" in\n";
  for (const Command& command : all) {
    text += "    '" + command.path + "') words='" + WordsAfter(command, all.front()) + "' ;;\n";
  }
  return text +
         "  esac\n"
         "}\n";
}

std::string Bash(const std::vector<Command>& all) {
  return "# bash completion of allot: source <(allot completion bash)\n" + FindWords(all) +
         "_allot() {\n"
         "  local words\n"
         "  _allot_words \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"\n"
         "  mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"${COMP_WORDS[COMP_CWORD]}\")\n"
         "}\n"
         "complete -o default -F _allot allot\n";
}

std::string Zsh(const std::vector<Command>& all) {
  return "#compdef allot\n"
         "# zsh completion of allot: source <(allot completion zsh)\n" +
         FindWords(all) +
         "_allot() {\n"
         "  local -a typed\n"
         "  typed=(\"${(@)words[2,CURRENT-1]}\")\n"
         "  local words=''\n"
         "  _allot_words \"${typed[@]}\"\n"
         "  compadd -- ${(s: :)words}\n"
         "}\n"
         "compdef _allot allot\n";
}

std::string FishQuoted(std::string text) {
  std::erase(text, '\'');
  return "'" + text + "'";
}

std::string Fish(const std::vector<Command>& all) {
  std::string text = "# fish completion of allot: allot completion fish | source\n";
  for (const Command& command : all) {
    std::string typed = command.path.empty() ? "__fish_use_subcommand" : "";
    for (const std::string& part : Split(command.path, ' ')) {
      if (part.empty()) continue;
      typed += (typed.empty() ? "" : "; and ") + std::string("__fish_seen_subcommand_from ") + part;
    }
    if (!command.path.empty()) {
      const std::size_t blank = command.path.rfind(' ');
      const std::string parent = blank == std::string::npos ? "" : command.path.substr(0, blank);
      const std::string offered = parent.empty() ? std::string("__fish_use_subcommand")
                                                 : "__fish_seen_subcommand_from " + parent;
      text += "complete -c allot -f -n '" + offered + "' -a " +
              command.path.substr(blank == std::string::npos ? 0 : blank + 1) + " -d " +
              FishQuoted(command.description) + "\n";
    }
    for (const std::string& option : command.options) {
      const bool is_long = option.starts_with("--");
      const std::string where = command.path.empty() ? "" : " -n '" + typed + "'";
      text += "complete -c allot" + where + (is_long ? " -l " : " -s ") +
              option.substr(is_long ? 2 : 1) + "\n";
    }
  }
  return text;
}

}  // namespace

std::optional<std::string> CompletionScript(const CLI::App& root, std::string_view shell) {
  std::vector<Command> all;
  Collect(root, "", all);
  if (shell == "bash") return Bash(all);
  if (shell == "zsh") return Zsh(all);
  if (shell == "fish") return Fish(all);
  return std::nullopt;
}

}  // namespace allot::cli
