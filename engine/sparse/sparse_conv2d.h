#pragma once
// Convolutions of any window, stride and padding on CSR weights, channels-last, for inference. A row
// of the matrix of weights is an output channel, a column a tap: a channel and a place in the window.
// What the taps read is gathered panel by panel from a padded copy of the map, so that spmm() finds
// panels as a 1x1 convolution's: reading it where it stands would cross cache lines with every tap.

#include <algorithm>
#include <vector>

#include "engine/kernels/conv2d_shape.h"
#include "engine/sparse/sparse_weights.h"

namespace edgeprune::sparse {

/// The padded map of some images that are worked on together: [channel][phase][row][column][image].
/// With stride s, phase (py, px) has the rows py, py + s ... and the columns px, px + s ..., so that
/// neighbours of the output read neighbours in it. Lines share the padding between them if they can.
struct PaddedMap {
  PaddedMap(const Conv2dShape& shape, int64_t images);

  Conv2dShape shape;             ///< of all images
  int64_t images;                ///< worked on together
  int64_t phases;                ///< in each direction
  int64_t rows;                  ///< of a phase
  int64_t line, plane, channel;  ///< floats from one line, phase, channel to the next
  /// Columns of panels that a line of the output takes: as many as it has, if what they read is whole
  /// vectors apart all the same; else those of the padded line, so that what panels read is one piece.
  int64_t out_line;

  /// Of what the tap (y, x) of a channel reads from what its first one in the first channel does.
  int64_t offset(int64_t c, int64_t y, int64_t x) const;
  int64_t size() const { return shape.in_channels * channel; }
  int64_t columns() const {
    return (shape.out_height() - 1) * out_line + shape.out_width() * images;
  }
};

/// A layer with its weights in CSR. For one group.
class SparseConv2d {
 public:
  /// weights [O,I,k,k] and bias [O] are copied. Throws std::invalid_argument if there are groups.
  SparseConv2d(const Conv2dShape& shape, const float* weights, const float* bias,
               Activation activation);

  /// output = activation(conv(input) + bias + residual); residual may be null and may be output.
  /// `scratch`: scratch_size() floats of any content. No more threads than were in force when it was
  /// made are used. Their number does not change the result. Vectorised for the target in use.
  void run(const float* input, const float* residual, float* output, float* scratch) const;

  int64_t scratch_size() const;
  int64_t weight_bytes() const { return weights_.bytes(); }
  double density() const {  ///< the share of weights that are not zero
    return double(weights_.nnz()) / double(map_.shape.weight_count());
  }

 private:
  void run_group(const float* input, const float* residual, float* output, float* planes,
                 float* own) const;
  /// A panel, block by block of the weights, so that what is gathered is still in the first-level cache.
  void run_panel(int64_t panel, const float* planes, const float* residual, float* output,
                 float* own) const;
  /// All panels; threads share taps and weights.
  void run_few_panels(const float* planes, const float* residual, float* output, float* own) const;
  int64_t columns_of(int64_t panel) const {
    return std::min(panels_.width(), panels_.columns - panel * panels_.width());
  }
  /// Floats of scratch for what is gathered at a time, and for its sums.
  int64_t gathered_size() const;
  int64_t own_size() const;

  PaddedMap map_;
  Activation activation_;
  int threads_;
  bool shared_;  ///< all threads work on one group of images
  int64_t taps_;
  PanelLayout panels_;  ///< taps x columns
  SparseWeights weights_;
  bool few_;  ///< panels: gathered all at once, threads share the product
  std::vector<float> bias_;
  std::vector<int64_t> offsets_;  ///< of the taps
};

}  // namespace edgeprune::sparse
