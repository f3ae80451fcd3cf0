#include "tools/packaging/printing_options.h"

#include <functional>
#include <map>

#include "tools/commands/options.h"
#include "tools/packaging/completion.h"
#include "tools/packaging/man_page.h"
#include "tools/packaging/version.h"

namespace edgeprune::packaging {
namespace {

[[noreturn]] void print_and_end(const std::string& text) {
  commands::print(text);
  throw CLI::Success();
}

}  // namespace

void add_printing_options(CLI::App& app, const std::string& version) {
  app.add_flag_callback(
      "--version", [version] { print_and_end(version_text(version)); },
      "Version, commit, compiler, libraries and instruction sets");

  const std::map<std::string, std::function<std::string()>> generators = {
      {"man", [&app, version] { return man_page(app, version); }},
      {"bash", [&app] { return bash_completion(app); }},
      {"zsh", [&app] { return zsh_completion(app); }},
      {"fish", [&app] { return fish_completion(app); }}};
  std::vector<std::string> kinds;
  for (const auto& [kind, generator] : generators) kinds.push_back(kind);
  app.add_option_function<std::string>(
         "--generate",
         [generators](const std::string& kind) { print_and_end(generators.at(kind)()); })
      ->check(CLI::IsMember(kinds))
      ->group("");
}

}  // namespace edgeprune::packaging
