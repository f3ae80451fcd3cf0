#pragma once

#include <functional>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "engine/inference/plan.h"
#include "models/checkpoint.h"
#include "tools/measurement/confusion.h"

namespace edgeprune {

struct Evaluation {
  double accuracy = 0;  ///< fraction of images called what they are
  double loss = 0;      ///< mean cross-entropy
  int64_t images = 0;
  double ms_per_image = 0;  ///< in the network alone, without loading
  Tensor logits;            ///< [images,classes]
  Confusion confusion;      ///< of which `accuracy` is one figure
  /// Why the accuracy says nothing: what dead_layers() says, or that all images, though of several
  /// classes, are called one. Empty: nothing of the kind.
  std::string warning;
};

/// A layer without weights lets nothing of the image through, and global magnitude makes such of
/// layers of small weights. Names them in a line; empty if there are none, or a way past them all, as in
/// a residual block.
std::string dead_layers(const nn::Network& model);

/// Says a warning, if it is one; if `strict`, throws std::runtime_error instead.
void report_warning(const std::string& warning, bool strict,
                    const std::function<void(const std::string&)>& say);

/// Throws std::invalid_argument if the dataset's classes are not the model's (both counts and the
/// first different name) or there is a threshold and not two classes, std::runtime_error if memory
/// does not suffice for the batch, Interrupted on Ctrl-C.
Evaluation evaluate(const nn::Network& model, const ModelInfo& info, const Dataset& dataset,
                    inference::Engine engine, int64_t batch = 100,
                    const std::optional<Threshold>& threshold = {});

/// Which images a model has right, as records have it (RunRecord::correct): images 4i to 4i+3 are
/// the bits of hexadecimal digit i, the first image its highest bit; bits behind the last image are
/// zero. logits [images,classes]; a tie goes to the first class, as in `accuracy`. Throws
/// std::invalid_argument unless there is a row of logits for every label.
std::string correct_digits(const Tensor& logits, const std::vector<int>& labels);

/// Throws std::invalid_argument if a model for `classes` cannot be trained or tested on the
/// dataset: other names, or, if the model's are placeholders, another number.
void require_same_classes(const std::vector<std::string>& classes, const Dataset& dataset);

/// Gives a model with placeholders the dataset's names, if their number fits. True if it did.
bool take_class_names(ModelInfo& info, const Dataset& dataset);

}  // namespace edgeprune
