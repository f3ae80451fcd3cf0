#pragma once
// Options that several subcommands share, so that they are spelt and explained alike.

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "engine/base/check.h"
#include "engine/base/file_lock.h"
#include "tools/cli/table.h"
#include "tools/measurement/latency.h"
#include "tools/measurement/load.h"
#include "tools/measurement/machine.h"
#include "tools/training/recovery.h"
#include "tools/training/trainer.h"

namespace edgeprune::commands {

/// Throws CLI::ValidationError("[where] message"), upon which main() ends with the status of wrong
/// usage, for what the command line lacks, or holds that does not go together.
template <typename... Args>
void require_usage(bool ok, const char* where, fmt::format_string<Args...> message,
                   Args&&... args) {
  if (ok) return;
  throw CLI::ValidationError(
      fmt::format("[{}] {}", where, fmt::format(message, std::forward<Args>(args)...)));
}

/// Throws the same for what `action`, which looks at the command line alone, throws as
/// std::invalid_argument.
template <typename Action>
void as_usage(const Action& action) {
  try {
    action();
  } catch (const std::invalid_argument& error) {
    throw CLI::ValidationError(error.what());
  }
}

/// For check(): what `parse` takes, which throws std::invalid_argument on anything else.
template <typename Parse>
CLI::Validator parsed_by(const Parse& parse) {
  return CLI::Validator(
      [=](std::string& text) -> std::string {
        try {
          parse(text);
          return "";
        } catch (const std::invalid_argument& error) {
          // CLI11 names the option: "[where] " is for other callers.
          const std::string why = error.what();
          return why.starts_with('[') ? why.substr(why.find("] ") + 2) : why;
        }
      },
      "");
}

/// A list in which no value is given twice.
CLI::Option* distinct(CLI::Option* list);

/// Only the names of a table (engine/base/names.h) are taken.
template <typename Table>
CLI::Validator choices(const Table& table) {
  return CLI::IsMember(names_of(table));
}

/// For transform(): "0.5" and "50%" are both 0.5, and "50" is neither. In [0, 1), or [0, 1] if `whole`.
CLI::Validator fraction(bool whole = false);

/// For check(), in place of CLI11's own, which let NaN through and name the largest double, with its
/// 309 digits, as the upper end.
CLI::Validator positive();
CLI::Validator not_negative();
CLI::Validator between(double low, double high);
/// Images for batch norm's statistics: 0 (none) or at least two.
CLI::Validator images_to_recalibrate_on();
/// For check(): a whole number of 64 bits. CLI11 would take the largest in place of a larger one.
CLI::Validator seed();

/// A count under the name that its option had before version 0.2: still taken, not shown.
void add_former_name(CLI::App& command, const std::string& name, int64_t& count);

CLI::Option* add_weights(CLI::App& command, std::string& weights);
/// What add_weights() read, else $EDGEPRUNE_WEIGHTS; it is wrong usage if neither is given. (CLI11's own environment default would count as given beside an option that excludes this
/// one.)
std::string weights_or_default(const std::string& weights);
CLI::Option* add_engine(CLI::App& command, std::string& engine);
CLI::Option* add_engines(CLI::App& command, std::vector<std::string>& engines,
                         const std::string& remark = "");
void add_batches_and_threads(CLI::App& command, std::vector<int>& batches,
                             std::vector<int>& threads);
/// --seconds, --min-samples, --warmup and --pin.
void add_measurement(CLI::App& command, LatencyOptions& measurement, bool& pin);
void add_format(CLI::App& command, std::string& format);
/// --store, for parse_storage().
void add_store(CLI::App& command, std::string& storage);
/// Default: every core.
void add_threads(CLI::App& command, int& threads);
/// Says on stderr what makes the threads slow, though the result is right: at once, that there are
/// more than cores; in the end, unless with an error, that other programs kept the cores busy.
class ThreadNotes {
 public:
  explicit ThreadNotes(int threads);
  ~ThreadNotes();
  ThreadNotes(const ThreadNotes&) = delete;
  ThreadNotes& operator=(const ThreadNotes&) = delete;

 private:
  int threads_;
  LoadWatch load_;
};

/// What all commands that train agree on: batch, learning rate, optimiser, seed ...
struct TrainingFlags {
  TrainOptions options;
  std::string schedule = "constant", class_weights = "none";
  bool no_flip = false;
  int64_t validation = 0;  ///< images held out, of new networks
  void add(CLI::App& command);
  /// What goes with training from weights, not with fine-tuning a pruned model: held-out images, by
  /// which the best epoch is known, and normalisation.
  void add_of_new_networks(CLI::App& command);
  /// Rates that leave a trained model where it is, but for its last bits; unless others were given.
  void default_to_qat(const CLI::App& command);
  TrainOptions parse() const;
  /// Puts what was given on the command line in place of what `options` and `validation_images` have.
  void overrule(const CLI::App& command, TrainOptions& options, int64_t& validation_images) const;
};

/// What helps a pruned network back to its accuracy: --bn-recalibrate, --rewind and --distill. The
/// teacher is the caller's: the run's own baseline, or a file.
struct RecoveryFlags {
  int64_t bn_recalibrate = 0;
  bool rewind = false;
  std::string distill;
  void add(CLI::App& command);
  Recovery parse() const;
};

/// The dense baseline for --distill. Throws what load_checkpoint() throws, and
/// std::invalid_argument if it was trained on other classes than the student's, or on images
/// normalised otherwise.
std::shared_ptr<nn::Network> load_teacher(const std::string& path, const ModelInfo& student);

/// For a command that will write `path`: nobody else does as long as the result lives (it holds
/// PATH.lock). Throws FileError, before any work, naming the process that writes it already, or if
/// no file can be written there; a device, a pipe or a link (as /dev/stdout) is no place for one
/// either, as it would be replaced.
std::unique_ptr<FileLock> claim_output(const std::string& path);

/// It is wrong usage if a command would write what it makes of a model over that model, which nothing
/// brings back.
void require_other_file(const std::string& model, const std::string& out, const char* command);

/// Before tables in Markdown a line on stdout about the machine and the cores of so many threads.
/// The other formats have it in every record.
void print_conditions(const Machine& machine, int threads, const std::string& format);
/// Prints on stdout; throws FileError if it cannot be written. Ends the process as SIGPIPE does if
/// the reader of stdout went away.
void print(const std::string& text);
void print(const Table& table, const std::string& format);
/// A line on stderr, if it can be written: no work is lost for a remark.
void say(const std::string& line);

}  // namespace edgeprune::commands
