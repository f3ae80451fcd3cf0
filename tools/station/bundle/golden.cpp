// What runs of a bundle: its weights, out of the bytes that were verified, and their golden logits.

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "data/preprocess.h"
#include "data/resize.h"
#include "engine/base/check.h"
#include "engine/base/printable.h"
#include "engine/inference/plan.h"
#include "tools/measurement/kernel_cache.h"
#include "tools/station/bundle/bundle.h"

namespace edgeprune::station {
namespace {

/// Bytes under a path, as readers of checkpoints want them, which no other process can change.
class SealedFile {
 public:
  explicit SealedFile(std::string_view bytes)
      : descriptor_(::memfd_create("weights", MFD_CLOEXEC)) {
    bool written = descriptor_ >= 0;
    while (written && !bytes.empty()) {
      const ssize_t count = ::write(descriptor_, bytes.data(), bytes.size());
      written = count > 0;
      if (written) bytes.remove_prefix(static_cast<size_t>(count));
    }
    if (written) return;
    const std::string why = std::strerror(errno);
    if (descriptor_ >= 0) ::close(descriptor_);
    throw std::runtime_error("[bundle] no memory for the weights: " + why);
  }
  ~SealedFile() { ::close(descriptor_); }
  SealedFile(const SealedFile&) = delete;
  SealedFile& operator=(const SealedFile&) = delete;

  std::string path() const { return fmt::format("/proc/self/fd/{}", descriptor_); }

 private:
  int descriptor_;
};

bool within(float got, float expected, float tolerance) {
  return got == expected || std::abs(got - expected) <= tolerance;  // false for NaN
}

}  // namespace

Checkpoint load_weights(std::string_view bytes, const std::string& source) {
  const SealedFile file(bytes);
  const Wanted wanted{.quantized = true};
  try {
    StoredCheckpoint stored = read_checkpoint(file.path(), wanted);
    require_file(stored.file.archive.metadata.contains("format"), file.path(),
                 "expected a checkpoint of edgeprune's, as edgeprune import writes");
    return make_checkpoint(std::move(stored), wanted);
  } catch (const FileError& error) {
    const std::string message = error.what();  // "/proc/self/fd/3: why"
    const std::string& path = file.path();
    throw FileError(source +
                    (message.starts_with(path) ? message.substr(path.size()) : ": " + message));
  }
}

std::vector<std::vector<float>> logits_of(const Checkpoint& checkpoint,
                                          std::span<const Image> images, inference::Engine engine) {
  const auto side = static_cast<int>(checkpoint.model->graph().input_size());
  inference::Plan plan(inference_graph(*checkpoint.model, checkpoint.info), engine, 1,
                       &kernel_choices());
  Preprocessor preprocess(side, {checkpoint.info.mean, checkpoint.info.std});
  Tensor input({1, side, side, 3}), logits({1, plan.classes()});
  std::vector<std::vector<float>> all;
  for (const Image& image : images) {
    preprocess(fit(image, checkpoint.info.resize, side), input.values());
    plan.run(input.data(), logits.data());
    all.emplace_back(logits.values().begin(), logits.values().end());
  }
  return all;
}

void check_golden(const Bundle& bundle, inference::Engine engine) {
  const Manifest& manifest = bundle.manifest;
  const bool exact = in_integers(engine) && in_integers(manifest.engine);
  const float tolerance = exact ? 0 : manifest.tolerance;
  const auto all = logits_of(bundle.checkpoint, bundle.golden, engine);
  for (size_t i = 0; i < all.size(); ++i) {
    for (size_t c = 0; c < all[i].size(); ++c) {
      const float got = all[i][c], expected = manifest.golden[i].logits[c];
      require_file(within(got, expected, tolerance), manifest.golden[i].file,
                   "this CPU comes to another logit of {} on the engine {}: expected {} {}, got {}",
                   printable(manifest.classes[c]), inference::to_string(engine), expected,
                   exact ? "bit for bit" : fmt::format("within {:g}", tolerance), got);
    }
  }
}

}  // namespace edgeprune::station
