#include "tools/packaging/man_page.h"

#include <fmt/format.h>

#include <sstream>

#include "tools/packaging/options.h"

namespace edgeprune::packaging {
namespace {

/// A line that roff prints as it stands: "-" would become a hyphen that no shell understands, and a
/// line that begins with "." or "'" would be a request.
std::string escaped(const std::string& line) {
  std::string text = line.starts_with('.') || line.starts_with('\'') ? "\\&" : "";
  for (const char c : line) {
    if (c == '-') {
      text += "\\-";
    } else if (c == '\\') {
      text += "\\e";
    } else {
      text += c;
    }
  }
  return text;
}

/// Indented lines are examples and stay as they are; the others are filled paragraphs, of which one
/// begins behind examples and at their heading.
std::string paragraphs(const std::string& text) {
  std::string roff;
  std::istringstream lines(text);
  bool example = false, first = true;
  for (std::string line; std::getline(lines, line); first = false) {
    const bool was_example = std::exchange(example, line.starts_with(' '));
    if (example && !was_example) roff += ".RS 4\n.nf\n";
    if (was_example && !example) roff += ".fi\n.RE\n";
    if (!example && (was_example || first || line.ends_with(':'))) roff += ".PP\n";
    roff += escaped(example ? line.substr(line.find_first_not_of(' ')) : line) + "\n";
  }
  return example ? roff + ".fi\n.RE\n" : roff;
}

std::string option_entries(const CLI::App& command) {
  const CLI::Formatter help;
  std::string roff;
  const auto add = [&](const CLI::Option& option, bool positional) {
    roff += fmt::format(
        ".TP\n\\fB{}\\fR{}\n{}\n", escaped(help.make_option_name(&option, positional)),
        escaped(help.make_option_opts(&option)), escaped(help.make_option_desc(&option)));
  };
  for (const CLI::Option* option : positional_options(command)) add(*option, true);
  for (const CLI::Option* option : named_options(command)) add(*option, false);
  return roff;
}

std::string usage(const CLI::App& app, const CLI::App& command) {
  std::string text = app.get_name() + " " + command.get_name();
  for (const CLI::Option* option : positional_options(command)) {
    text += " " + CLI::Formatter().make_option_usage(option);
  }
  return text + " [OPTIONS]";
}

/// "edgeprune: trains ..." without the name, which stands before it on the page.
std::string summary(const CLI::App& app) {
  const std::string prefix = app.get_name() + ": ", text = app.get_description();
  return text.starts_with(prefix) ? text.substr(prefix.size()) : text;
}

}  // namespace

std::string man_page(const CLI::App& app, const std::string& version) {
  const std::string name = app.get_name();
  std::string title = name;
  for (char& c : title) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  std::string roff = fmt::format(
      ".\\\" Made from the options by: {0} --generate man\n"
      ".TH {1} 1 \"\" \"{0} {2}\" \"User Commands\"\n"
      ".SH NAME\n{0} \\- {3}\n"
      ".SH SYNOPSIS\n\\fB{0}\\fR \\fICOMMAND\\fR [\\fIOPTIONS\\fR]\n.br\n"
      "\\fB{0}\\fR \\-\\-help | \\-\\-version\n"
      ".SH DESCRIPTION\n{4}.SH OPTIONS\n{5}.SH COMMANDS\n",
      name, title, version, escaped(summary(app)), paragraphs(app.get_footer()),
      option_entries(app));
  for (const CLI::App* command : subcommands(app)) {
    roff += fmt::format(".SS {}\n{}.\n{}{}", escaped(usage(app, *command)),
                        escaped(command->get_description()), option_entries(*command),
                        paragraphs(command->get_footer()));
  }
  return roff;
}

}  // namespace edgeprune::packaging
