#include "tools/study/about.h"

#include <fmt/chrono.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "engine/base/file.h"

namespace edgeprune {
std::string shell_quoted(const std::string& word) {
  constexpr const char* kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:,=+@%";
  if (!word.empty() && word.find_first_not_of(kPlain) == std::string::npos) return word;
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

bool are_cifar10(std::vector<std::string> classes) {
  std::sort(classes.begin(), classes.end());
  return classes == std::vector<std::string>{"airplane", "automobile", "bird",  "cat",  "deer",
                                             "dog",      "frog",       "horse", "ship", "truck"};
}

std::string command_line() {
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  std::string text, word;
  while (std::getline(file, word, '\0')) text += (text.empty() ? "" : " ") + shell_quoted(word);
  return text;
}

std::string date_and_time() {
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  return fmt::format("{:%Y-%m-%d %H:%M} UTC", fmt::gmtime(now));
}

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(StudyAbout, plan, description, plan_as_given, data,
                                                weights, classes, cifar10, train_images,
                                                finetune_images, of_train_images, test_images,
                                                of_test_images, validation_images, baseline_epochs,
                                                quantization, training, begun, command)

std::optional<StudyAbout> read_about(const std::string& folder) {
  const std::string path = (std::filesystem::path(folder) / "study.json").string();
  if (!std::filesystem::exists(path)) return {};
  const std::vector<char> text = read_file(path);
  const nlohmann::json json = parse_json({text.data(), text.size()}, path + ": damaged");
  if (!json.is_object() || !json.contains("about")) return {};
  try {
    return json.at("about").get<StudyAbout>();
  } catch (const nlohmann::json::exception& error) {
    throw FileError(fmt::format("{}: damaged: {}", path, error.what()));
  }
}

}  // namespace edgeprune
