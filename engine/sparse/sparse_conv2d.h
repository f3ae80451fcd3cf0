#pragma once
// Convolutions of any window, stride and padding on CSR weights, channels-last, for inference. A row
// of the matrix of weights is an output channel, a column a tap: a channel and a place in the window.
// What the taps read is gathered panel by panel from a padded copy of the map, so that spmm() finds
// panels as a 1x1 convolution's: reading it where it stands would cross cache lines with every tap.

#include <vector>

#include "engine/kernels/conv2d_shape.h"
#include "engine/sparse/sparse_weights.h"

namespace edgeprune::sparse {

/// The padded map of some images that are worked on together: [channel][phase][row][column][image].
/// With stride s, phase (py, px) has the rows py, py + s ... and the columns px, px + s ..., so that
/// neighbours of the output read neighbours in it.
struct PaddedMap {
  PaddedMap(const Conv2dShape& shape, int64_t images);

  Conv2dShape shape;  ///< of all images
  int64_t images;     ///< worked on together
  int64_t phases;     ///< in each direction
  int64_t rows, line, plane,
      channel;  ///< rows of a phase; floats from one line, phase, channel to the next

  int64_t size() const { return shape.in_channels * channel; }
  int64_t columns() const { return shape.out_height() * shape.out_width() * images; }
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
  int64_t own_size() const;  ///< floats of scratch for what is gathered at a time, and its sums
  /// Those that are gathered at a time.
  void run_panels(int64_t first, int64_t count, const float* planes, const float* residual,
                  float* output, float* own) const;

  PaddedMap map_;
  Activation activation_;
  int threads_;
  bool shared_;  ///< all threads work on one group of images
  int64_t taps_;
  PanelLayout panels_;  ///< taps x columns
  bool few_;            ///< panels: gathered all at once, threads share the product
  SparseWeights weights_;
  std::vector<float> bias_;
};

}  // namespace edgeprune::sparse
