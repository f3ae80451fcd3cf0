#include "tools/commands/options.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <filesystem>

#include "engine/base/check.h"
#include "engine/base/cores.h"
#include "engine/base/file.h"
#include "engine/inference/engine.h"
#include "tools/measurement/latency_table.h"
#include "tools/measurement/machine.h"
#include "tools/measurement/pinning.h"

namespace edgeprune::commands {

CLI::Validator fraction(bool whole) {
  return CLI::Validator(
      [whole](std::string& text) -> std::string {
        const bool percent = text.ends_with('%');
        const char* end = text.data() + text.size() - (percent ? 1 : 0);
        double value = 0;
        const auto [rest, error] = std::from_chars(text.data(), end, value);
        if (percent) value /= 100;
        const bool inside = value >= 0 && (value < 1 || (whole && value == 1));  // no NaN is
        if (error != std::errc() || rest != end || !inside) {
          return fmt::format(
              "expected a fraction in [0, 1{}, as 0.5, or a percentage, as 50%, got {}",
              whole ? ']' : ')', text);
        }
        text = fmt::format("{}", value);
        return "";
      },
      "");
}

namespace {

template <typename Inside>
CLI::Validator number(const std::string& name, const std::string& expected, const Inside& inside) {
  return CLI::Validator(
      [=](std::string& text) -> std::string {
        double value = 0;
        const bool is_number = CLI::detail::lexical_cast(text, value) && std::isfinite(value);
        return is_number && inside(value) ? "" : fmt::format("expected {}, got {}", expected, text);
      },
      name);
}

}  // namespace

CLI::Validator positive() {
  return number("POSITIVE", "a finite number above 0", [](double value) { return value > 0; });
}

CLI::Validator not_negative() {
  return number("NONNEGATIVE", "a finite number of 0 or more",
                [](double value) { return value >= 0; });
}

CLI::Validator between(double low, double high) {
  return number(fmt::format("[{} - {}]", low, high),
                fmt::format("a number from {} to {}", low, high),
                [=](double value) { return value >= low && value <= high; });
}

CLI::Validator images_to_recalibrate_on() {
  return number("0, 2 OR MORE", "0, or 2 images at least",
                [](double value) { return value == 0 || value >= 2; });
}

CLI::Option* distinct(CLI::Option* list) {
  return list->check(CLI::Validator(
      [list](std::string& text) -> std::string {
        // All of the list, those in front of this value as the other validators left them.
        return std::ranges::count(list->results(), text) < 2 ? "" : text + " is given twice";
      },
      ""));
}

CLI::Validator seed() {
  return CLI::Validator(
      [](std::string& text) -> std::string {
        uint64_t value = 0;
        const char* end = text.data() + text.size();
        const auto [rest, error] = std::from_chars(text.data(), end, value);
        if (error == std::errc() && rest == end) return "";
        return fmt::format("expected a whole number from 0 to {}, got {}", UINT64_MAX, text);
      },
      "SEED");
}

void add_former_name(CLI::App& command, const std::string& name, int64_t& count) {
  command.add_option(name, count)->check(positive())->group("");
}

CLI::Option* add_weights(CLI::App& command, std::string& weights) {
  return command.add_option(
      "--weights", weights,
      "weights to start from: a PyTorch checkpoint or module, or .safetensors, under the names of "
      "torchvision, timm or transformers; or 'random' "
      "(default: $EDGEPRUNE_WEIGHTS)");
}

std::string weights_or_default(const std::string& weights) {
  if (!weights.empty()) return weights;
  const char* environment = std::getenv("EDGEPRUNE_WEIGHTS");
  require_usage(environment != nullptr && *environment != '\0', "weights",
                "nothing to start from: give --weights (a .pth or .safetensors file, or 'random')");
  return environment;
}

CLI::Option* add_engine(CLI::App& command, std::string& engine) {
  return command
      .add_option("--engine", engine,
                  explained(inference::kEngines) + "; a quantised model's default is int8")
      ->check(choices(inference::kEngines))
      ->capture_default_str();
}

CLI::Option* add_engines(CLI::App& command, std::vector<std::string>& engines,
                         const std::string& remark) {
  return distinct(command.add_option("--engine", engines,
                                     "one or more of " + explained(inference::kEngines) + remark))
      ->delimiter(',')
      ->check(choices(inference::kEngines))
      ->capture_default_str();
}

void add_batches_and_threads(CLI::App& command, std::vector<int>& batches,
                             std::vector<int>& threads) {
  distinct(command.add_option("--batch", batches, "images at a time; one or more sizes"))
      ->delimiter(',')
      ->check(CLI::Range(1, 65536))
      ->capture_default_str();
  threads = {usable_cores()};
  distinct(command.add_option("--threads", threads, "CPU threads; one or more counts"))
      ->delimiter(',')
      ->check(CLI::Range(1, 1024))
      ->default_str("usable cores");
}

void add_measurement(CLI::App& command, LatencyOptions& measurement, bool& pin) {
  command
      .add_option(
          "--seconds", measurement.seconds,
          "of measuring, a model on an engine; up to four times that until speed-ups are known "
          "to 3 %")
      ->check(not_negative())
      ->capture_default_str();
  command
      .add_option("--min-samples", measurement.min_samples,
                  "at least so many, a model on an engine")
      ->check(positive())
      ->capture_default_str();
  command
      .add_option("--warmup", measurement.warmup_seconds,
                  "seconds of runs before the first sample, a model on an engine")
      ->check(not_negative())
      ->capture_default_str();
  command.add_flag("--pin", pin, "bind every thread to a core of its own");
}

void add_format(CLI::App& command, std::string& format) {
  command.add_option("--format", format, "of the table on stdout: " + explained(kFormats))
      ->check(choices(kFormats))
      ->capture_default_str();
}

void add_store(CLI::App& command, std::string& storage) {
  command.add_option("--store", storage, explained(kStorages))
      ->check(choices(kStorages))
      ->capture_default_str();
}

void add_threads(CLI::App& command, int& threads) {
  threads = usable_cores();
  // Not the number: the man page is made on another machine than the one that it is read on.
  command.add_option("--threads", threads, "CPU threads")
      ->check(CLI::Range(1, 1024))
      ->default_str("usable cores");
}

ThreadNotes::ThreadNotes(int threads) : threads_(threads) {
  const int cores = usable_cores();
  if (threads <= cores) return;
  say(
      fmt::format("warning: {} threads on {} core{} take turns and wait for each other: --threads "
                  "{} is faster",
                  threads, cores, cores == 1 ? "" : "s", cores));
}

ThreadNotes::~ThreadNotes() {
  if (std::uncaught_exceptions() > 0) return;
  const double others = load_.others().value_or(0);
  constexpr double kNegligible = 0.25;  // of a core: what an otherwise idle system needs
  if (others < kNegligible ||
      others + std::min(threads_, usable_cores()) < usable_cores() + kNegligible) {
    return;
  }
  say(
      fmt::format("note: meanwhile other programs kept {:.1f} of {} cores busy: times are longer "
                  "than on a quiet machine",
                  std::min<double>(others, usable_cores()), usable_cores()));
}

std::shared_ptr<nn::Network> load_teacher(const std::string& path, const ModelInfo& student) {
  Checkpoint teacher = load_checkpoint(path);
  const bool unnamed =
      teacher.info.has_placeholder_names() && teacher.info.classes.size() == student.classes.size();
  require(unnamed || teacher.info.classes == student.classes, "distill",
          "{} was trained on other classes than the model", path);
  require(teacher.info.mean == student.mean && teacher.info.std == student.std, "distill",
          "{} expects images normalised otherwise than the model", path);
  return std::move(teacher.model);
}

std::unique_ptr<FileLock> claim_output(const std::string& path) {
  require_file(!std::filesystem::is_symlink(path), path,
               "is a link, which would be replaced: give the file that it leads to");
  require_file(!std::filesystem::exists(path) || std::filesystem::is_regular_file(path), path,
               "is no regular file");
  require_writable(path);
  return std::make_unique<FileLock>(path + ".lock");
}

void require_other_file(const std::string& model, const std::string& out, const char* command) {
  std::error_code missing;
  require_usage(!std::filesystem::equivalent(model, out, missing), command,
                "{} is the model itself, which would be lost", out);
}

void print_conditions(const Machine& machine, int threads, const std::string& format) {
  if (format != "md") return;
  print(fmt::format("{}; threads pinned to cores: {}\n\n", conditions(machine),
                    pinned_cores(threads)));
}

void print(const std::string& text) {
  const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
  const bool flushed = std::fflush(stdout) == 0;
  if (!(written && flushed) && errno == EPIPE) {
    std::signal(SIGPIPE, SIG_DFL);
    std::raise(SIGPIPE);
  }
  require_file(written && flushed, "standard output", "cannot write: {}", std::strerror(errno));
}

void print(const Table& table, const std::string& format) {
  print(table.render(parse_format(format)));
}

void say(const std::string& line) {
  const std::string text = line + '\n';
  std::fwrite(text.data(), 1, text.size(), stderr);
}

}  // namespace edgeprune::commands
