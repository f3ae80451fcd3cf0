#include "tools/commands/station/station_options.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "engine/base/check.h"
#include "engine/base/printable.h"
#include "tools/commands/options.h"

namespace edgeprune::commands {
namespace {

struct Recall {
  std::string name;  ///< empty: of all defects that are not named
  double share = 0;
};

/// A name may hold '=': the last one parts it from its share.
Recall parse_recall(const std::string& text) {
  const size_t equals = text.rfind('=');
  Recall recall;
  if (equals != std::string::npos) recall.name = text.substr(0, equals);
  std::string share = equals == std::string::npos ? text : text.substr(equals + 1);
  const std::string why = fraction()(share);  // makes 99% 0.99
  require(why.empty(), "recall", "'{}': {}", printable(text), why);
  recall.share = std::stod(share);
  require(recall.share > 0, "recall", "'{}': expected a share above 0", printable(text));
  return recall;
}

}  // namespace

size_t index_of_class(const char* option, const std::string& name,
                      const std::vector<std::string>& classes) {
  const auto found = std::ranges::find(classes, name);
  require(found != classes.end(), option, "expected one of the model's classes ({}), got '{}'",
          fmt::join(classes, ", "), printable(name));
  return static_cast<size_t>(found - classes.begin());
}

CLI::Option* add_recalls(CLI::App& command, std::vector<std::string>& recalls,
                         const std::string& meaning) {
  return command.add_option("--recall", recalls, meaning)
      ->delimiter(',')
      ->check(parsed_by(parse_recall))
      ->capture_default_str();
}

std::vector<double> recalls_of(const std::vector<std::string>& recalls,
                               const std::vector<std::string>& classes,
                               const std::vector<bool>& good, double otherwise) {
  std::vector<double> all(classes.size(), 0);
  std::vector<bool> named(classes.size(), false);
  for (const std::string& text : recalls) {
    const Recall recall = parse_recall(text);
    if (recall.name.empty()) continue;
    const size_t c = index_of_class("recall", recall.name, classes);
    require(!good[c], "recall", "'{}' is a good class: expected a defect", printable(recall.name));
    require(!named[c], "recall", "'{}' is there twice", printable(recall.name));
    named[c] = true, all[c] = recall.share;
  }
  for (const std::string& text : recalls) {
    const Recall recall = parse_recall(text);
    if (recall.name.empty()) otherwise = recall.share;
  }
  for (size_t c = 0; c < classes.size(); ++c) {
    if (!good[c] && !named[c]) all[c] = otherwise;
  }
  return all;
}

}  // namespace edgeprune::commands
