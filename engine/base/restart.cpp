#include "engine/base/restart.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace edgeprune {
namespace {

/// The arguments that this program was started with, each with a 0 behind it. (/proc says that its
/// files are empty, so read_file() would return nothing.)
std::vector<char> command_line() {
  std::vector<char> text;
  if (std::FILE* file = std::fopen("/proc/self/cmdline", "r")) {
    for (int c = std::fgetc(file); c != EOF; c = std::fgetc(file)) text.push_back(char(c));
    std::fclose(file);
  }
  return text;
}

/// They as execv() takes them.
std::vector<char*> pointers(std::vector<char>& text) {
  std::vector<char*> result;
  for (size_t at = 0; at < text.size(); at += std::strlen(&text[at]) + 1) {
    result.push_back(&text[at]);
  }
  result.push_back(nullptr);
  return result;
}

}  // namespace

void restart_with(const std::vector<std::string>& variables) {
  bool changed = false;
  for (const std::string& variable : variables) {
    const std::string name = variable.substr(0, variable.find('='));
    const std::string value = variable.substr(name.size() + 1);
    const char* before = std::getenv(name.c_str());
    changed = changed || before == nullptr || value != before;
    ::setenv(name.c_str(), value.c_str(), 1);
  }
  std::vector<char> text = command_line();
  if (changed && !text.empty()) ::execv("/proc/self/exe", pointers(text).data());
}

}  // namespace edgeprune
