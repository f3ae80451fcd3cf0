#include "tools/packaging/completion.h"

#include <fmt/ranges.h>

#include "tools/packaging/options.h"

namespace edgeprune::packaging {
namespace {

std::string replace_all(std::string text, const std::string& from, const std::string& to) {
  return CLI::detail::find_and_replace(std::move(text), from, to);
}

/// As a word of a shell: in single quotes, of which each shell has its own idea of one inside.
std::string quoted(const std::string& text, const std::string& quote) {
  return "'" + replace_all(text, "'", quote) + "'";
}

std::string joined_names(const std::vector<const CLI::Option*>& options) {
  std::vector<std::string> all;
  for (const CLI::Option* option : options) {
    for (std::string& name : names(*option)) all.push_back(std::move(name));
  }
  return fmt::format("{}", fmt::join(all, " "));
}

// Bash ------------------------------------------------------------------------------------------

std::string bash_case(const CLI::App& command) {
  std::string text = fmt::format("    {})\n      options='{}'\n", command.get_name(),
                                 joined_names(named_options(command)));
  if (!positional_options(command).empty()) text += "      positional=yes\n";
  text += "      case $option in\n";
  std::vector<std::string> others;
  for (const CLI::Option* option : named_options(command)) {
    if (!takes_value(*option)) continue;
    const std::vector<std::string> all = names(*option), words = choices(*option);
    if (words.empty()) {
      others.insert(others.end(), all.begin(), all.end());
    } else {
      text += fmt::format("        {}) value=yes words='{}' ;;\n", fmt::join(all, " | "),
                          fmt::join(words, " "));
    }
  }
  if (!others.empty()) text += fmt::format("        {}) value=yes ;;\n", fmt::join(others, " | "));
  return text + "      esac\n      ;;\n";
}

// Zsh -------------------------------------------------------------------------------------------

/// The part of a specification for _arguments that stands in brackets or behind a colon.
std::string zsh_text(std::string text) {
  for (const char* special : {"\\", "[", "]", ":"}) {
    text = replace_all(text, special, std::string("\\") + special);
  }
  return text;
}

std::string zsh_values(const CLI::Option& option) {
  if (takes_file(option)) return "_files";
  const std::vector<std::string> words = choices(option);
  if (words.empty()) return " ";  // a number
  return option.get_delimiter() == ','
             ? fmt::format("_sequence compadd - {}", fmt::join(words, " "))
             : fmt::format("({})", fmt::join(words, " "));
}

std::string zsh_arguments(const CLI::App& command) {
  std::string text;
  for (const CLI::Option* option : named_options(command)) {
    const std::string repeated = option->get_items_expected_max() > 1 ? "*" : "";
    for (const std::string& name : names(*option)) {
      std::string spec = fmt::format("{}{}{}[{}]", repeated, name, takes_value(*option) ? "=" : "",
                                     zsh_text(option->get_description()));
      if (takes_value(*option)) spec += ":value:" + zsh_values(*option);
      text += " \\\n        " + quoted(spec, "'\\''");
    }
  }
  return positional_options(command).empty() ? text : text + " \\\n        '*:file:_files'";
}

// Fish ------------------------------------------------------------------------------------------

std::string fish_option(const CLI::Option& option, const std::string& condition) {
  std::string text = fmt::format("complete -c edgeprune -n '{}'", condition);
  for (const std::string& name : option.get_snames()) text += " -s " + name;
  for (const std::string& name : option.get_lnames()) text += " -l " + name;
  if (takes_file(option)) {
    text += " -r -F";
  } else if (takes_value(option)) {
    text += fmt::format(" -x -a '{}'", fmt::join(choices(option), " "));
  }
  return text + " -d " + quoted(option.get_description(), "\\'") + "\n";
}

}  // namespace

std::string bash_completion(const CLI::App& app) {
  std::string commands, cases;
  for (const CLI::App* command : subcommands(app)) {
    commands += command->get_name() + " ";
    cases += bash_case(*command);
  }
  // Without a proposal bash proposes files, which is right for everything but a word of a few.
  // Bash takes "--format=md" for three words, of which the second is "=".
  return replace_all(
      replace_all(R"(# bash completion for edgeprune, made by: edgeprune --generate bash
_edgeprune() {
  local current=${COMP_WORDS[COMP_CWORD]} option=${COMP_WORDS[COMP_CWORD - 1]}
  local options='' positional='' value='' words='' before=''
  [[ $option != = ]] || option=${COMP_WORDS[COMP_CWORD - 2]}
  [[ $current != = ]] || current=''
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    mapfile -t COMPREPLY < <(compgen -W '@commands@' -- "$current")
    return
  fi
  case ${COMP_WORDS[1]} in
@cases@  esac
  if [[ -n $value ]]; then
    [[ $current != *,* ]] || before=${current%,*},
    [[ -z $words ]] || mapfile -t COMPREPLY < <(compgen -P "$before" -W "$words" -- "${current##*,}")
  elif [[ -z $positional || $current == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current")
  fi
}
complete -o bashdefault -o default -F _edgeprune edgeprune
)",
                  "@commands@", commands + joined_names(named_options(app))),
      "@cases@", cases);
}

std::string zsh_completion(const CLI::App& app) {
  std::string text =
      "#compdef edgeprune\n"
      "# Made by: edgeprune --generate zsh\n"
      "_edgeprune() {\n"
      "  local curcontext=$curcontext state line\n"
      "  local -a commands=(\n";
  for (const CLI::App* command : subcommands(app)) {
    text += "    " + quoted(command->get_name() + ":" + command->get_description(), "'\\''") + "\n";
  }
  text += "  )\n  _arguments -C" + zsh_arguments(app) +
          " \\\n        '1:command:->command' '*::argument:->argument'\n"
          "  if [[ $state == command ]]; then\n    _describe command commands\n    return\n  fi\n"
          "  [[ $state == argument ]] || return\n"
          "  case $words[1] in\n";
  for (const CLI::App* command : subcommands(app)) {
    text += fmt::format("    {})\n      _arguments{}\n      ;;\n", command->get_name(),
                        zsh_arguments(*command));
  }
  return text + "  esac\n}\n_edgeprune \"$@\"\n";
}

std::string fish_completion(const CLI::App& app) {
  const std::string first = "__fish_use_subcommand";
  std::string text =
      "# fish completion for edgeprune, made by: edgeprune --generate fish\n"
      "complete -c edgeprune -f\n";
  for (const CLI::Option* option : named_options(app)) text += fish_option(*option, first);
  for (const CLI::App* command : subcommands(app)) {
    const std::string condition = "__fish_seen_subcommand_from " + command->get_name();
    text += fmt::format("complete -c edgeprune -n {} -a {} -d {}\n", first, command->get_name(),
                        quoted(command->get_description(), "\\'"));
    for (const CLI::Option* option : named_options(*command))
      text += fish_option(*option, condition);
    if (!positional_options(*command).empty()) {
      text += fmt::format("complete -c edgeprune -n '{}' -F\n", condition);
    }
  }
  return text;
}

}  // namespace edgeprune::packaging
