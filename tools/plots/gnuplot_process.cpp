#include "tools/plots/gnuplot_process.h"

#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cctype>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

namespace edgeprune {
namespace {

/// Scaled to look as the SVG does: its fonts are in points of 4/3 pixels, its markers smaller.
constexpr const char* kPng = "pngcairo fontscale 0.75 pointscale 1.5";

/// An unnamed file, gone when closed: unlike pipes, three of them cannot block each other.
class ScratchFile {
 public:
  ScratchFile() : file_(std::tmpfile(), &std::fclose) {
    if (file_ == nullptr)
      throw PlotError(fmt::format("gnuplot: no scratch file: {}", std::strerror(errno)));
  }
  int descriptor() const { return ::fileno(file_.get()); }

  void write(const std::string& text) {
    const bool whole = std::fwrite(text.data(), 1, text.size(), file_.get()) == text.size();
    if (!whole || std::fflush(file_.get()) != 0) {
      throw PlotError(fmt::format("gnuplot: cannot write the script: {}", std::strerror(errno)));
    }
    std::rewind(file_.get());
  }

  std::string read() {
    std::rewind(file_.get());
    std::string text;
    std::array<char, 1 << 16> block;
    while (const size_t got = std::fread(block.data(), 1, block.size(), file_.get())) {
      text.append(block.data(), got);
    }
    return text;
  }

 private:
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_;
};

/// gnuplot explains itself in the last line that is not blank, indented to the place in question.
std::string last_line(std::string text) {
  text.erase(text.find_last_not_of(" \n") + 1);  // npos + 1 == 0
  text.erase(0, text.rfind('\n') + 1);
  text.erase(0, text.find_first_not_of(' '));
  return text.empty() ? "no message" : text;
}

}  // namespace

std::string gnuplot_text(const std::string& text) {
  std::string result = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= ' ') {
      result += ' ';
    } else if (byte >= 0x80 || std::isalpha(byte)) {
      result += c;
    } else {
      result += fmt::format("\\{:03o}", byte);
    }
  }
  return result + '"';
}

std::string gnuplot_terminal(ImageFormat format, int width, int height) {
  return fmt::format(
      "set encoding utf8\n"
      "set terminal {} size {},{} noenhanced font '{},17' rounded background rgb 'white'\n",
      format == ImageFormat::svg ? "svg dynamic" : kPng, width, height, kPlotFont);
}

std::string run_gnuplot(const std::string& commands) {
  ScratchFile in, out, errors;
  in.write(commands);
  posix_spawn_file_actions_t files;
  ::posix_spawn_file_actions_init(&files);
  ::posix_spawn_file_actions_adddup2(&files, in.descriptor(), STDIN_FILENO);
  ::posix_spawn_file_actions_adddup2(&files, out.descriptor(), STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&files, errors.descriptor(), STDERR_FILENO);
  char name[] = "gnuplot", no_user_settings[] = "-d";
  char* arguments[] = {name, no_user_settings, nullptr};
  pid_t child = 0;
  const int failed = ::posix_spawnp(&child, name, &files, nullptr, arguments, environ);
  ::posix_spawn_file_actions_destroy(&files);
  const auto fail_missing = [] {
    throw PlotError("gnuplot is not installed (Debian: gnuplot-nox); no plot was drawn");
  };
  if (failed == ENOENT) fail_missing();
  if (failed != 0)
    throw PlotError(fmt::format("gnuplot does not start: {}", std::strerror(failed)));

  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFSIGNALED(status)) {
    throw PlotError(fmt::format("gnuplot was killed by signal {}", WTERMSIG(status)));
  }
  // Where the child cannot tell its parent what kept it from starting (as under qemu-user), it exits
  // so (POSIX, posix_spawn()).
  constexpr int kNotStarted = 127;
  if (WEXITSTATUS(status) == kNotStarted && errors.read().empty()) fail_missing();
  if (WEXITSTATUS(status) != 0) {
    throw PlotError(fmt::format("gnuplot failed with status {}: {}", WEXITSTATUS(status),
                                last_line(errors.read())));
  }
  const std::string image = out.read();
  if (image.empty()) {
    throw PlotError(fmt::format("gnuplot drew nothing: {}", last_line(errors.read())));
  }
  return image;
}

}  // namespace edgeprune
