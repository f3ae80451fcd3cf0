// GNU's OpenMP, which oneDNN brings along, reads the environment when the program starts, before main() begins. What it should
// read there is put right before that. A wrong $OMP_NUM_THREADS, of which it would complain, decides nothing here, as every
// command has its --threads: it is taken out, and that is said. And its threads are to wait briefly
// (engine/kernels/onednn/waiting.h), for which the program starts anew: OpenMP sees only that second start, and says only
// there what it has to say of its other variables.

#include <unistd.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "engine/kernels/onednn/waiting.h"

namespace edgeprune {
namespace {

/// As OpenMP takes it: numbers above 0, one a level of parallel parts within each other, "4,2".
bool is_thread_counts(std::string_view text) {
  bool digits = false, above_zero = false, ended = false;  // of the number that is being read
  for (const char letter : text) {
    if (letter == ',') {
      if (!above_zero) return false;
      digits = above_zero = ended = false;
    } else if (letter == ' ') {
      ended = digits;
    } else {
      if (letter < '0' || letter > '9' || ended) return false;
      digits = true;
      above_zero |= letter > '0';
    }
  }
  return above_zero && text.size() < 10;  // no more than an int holds
}

void drop_wrong_thread_count(char** environment) {
  constexpr std::string_view kName = "OMP_NUM_THREADS=";
  constexpr std::string_view kNote =
      "note: OMP_NUM_THREADS is no number of threads; ignored, as --threads decides\n";
  char** kept = environment;
  for (char** entry = environment; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    if (text.starts_with(kName) && !is_thread_counts(text.substr(kName.size()))) {
      [[maybe_unused]] const auto written = ::write(STDERR_FILENO, kNote.data(), kNote.size());
    } else {
      *kept++ = *entry;
    }
  }
  *kept = nullptr;
}

/// What wait_briefly() does in main(), where it is too late to keep OpenMP from speaking twice.
void start_waiting_briefly(char** arguments, char** environment) {
  static std::array<char*, 4096> variables;  // more than that, and main() does it
  size_t count = 0;
  for (char** entry = environment; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const std::string_view name = text.substr(0, text.find('='));
    if (std::ranges::count(onednn::kWaitingDecided, name) > 0) return;
    if (count + 2 >= variables.size()) return;
    variables[count++] = *entry;
  }
  variables[count] = const_cast<char*>(onednn::kWaitBriefly);
  ::execve("/proc/self/exe", arguments, variables.data());
}

/// Runs before the libraries' own beginnings, the C library's too: nothing is called that needs
/// them, and the environment is changed where the system has put it.
void prepare(int, char** arguments, char** environment) {
  drop_wrong_thread_count(environment);
  start_waiting_briefly(arguments, environment);
}

// The system's own place for what comes first of all.
[[gnu::section(".preinit_array"), gnu::used]] void (*const kFirstOfAll)(int, char**,
                                                                        char**) = prepare;

}  // namespace
}  // namespace edgeprune
