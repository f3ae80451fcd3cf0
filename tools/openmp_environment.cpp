// GNU's OpenMP, which oneDNN brings along, complains of a wrong $OMP_NUM_THREADS on stderr each time that
// the program starts, which it does twice (engine/kernels/onednn/waiting.h). It decides nothing
// here, as every command has its --threads: a wrong one is taken out before OpenMP looks.

#include <string_view>

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

/// Runs before the libraries' own beginnings, the C library's too: nothing is called that needs
/// them, and the environment is changed where the system has put it.
void drop_wrong_thread_count(int, char**, char** environment) {
  constexpr std::string_view kName = "OMP_NUM_THREADS=";
  char** kept = environment;
  for (char** entry = environment; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    if (text.starts_with(kName) && !is_thread_counts(text.substr(kName.size()))) continue;
    *kept++ = *entry;
  }
  *kept = nullptr;
}

// The system's own place for what comes first of all.
[[gnu::section(".preinit_array"),
  gnu::used]] void (*const kFirstOfAll)(int, char**, char**) = drop_wrong_thread_count;

}  // namespace
}  // namespace edgeprune
