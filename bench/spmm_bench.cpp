// Sparse weights x dense activations, every 1x1 convolution and the head: our kernel, the naive one
// (a row at a time), Eigen's row-major SparseMatrix, and oneDNN on the same weights, zeros and all.
// Each works on its own layout of the same matrix; bias zero, no activation.
//
// Two rates: GFLOP/s(nonzero) counts what a sparse kernel computes, GFLOP/s(dense_equivalent) what
// a dense one would have to in the same time.

#include <Eigen/SparseCore>
#include <functional>
#include <memory>

#include "bench/shapes.h"
#include "bench/support.h"
#include "engine/base/parallel.h"
#include "engine/base/random.h"
#include "engine/kernels/onednn/conv2d.h"
#include "engine/kernels/panels/pointwise.h"
#include "engine/sparse/spmm.h"

namespace edgeprune::bench {
namespace {

/// weights [O,I] x input [I,columns]; a column is a pixel of an image.
struct Problem {
  Problem(const Conv2dShape& s, double sparsity)
      : shape(s),
        columns(s.batch * s.in_height * s.in_width),
        weights(random_tensor({s.out_channels, s.in_channels}, 1)),
        input(random_tensor({s.in_channels, columns}, 2)),
        bias({s.out_channels}, 0.0f) {
    Rng rng(3);
    for (float& weight : weights.values()) {
      if (rng.uniform() < sparsity) weight = 0.0f;
    }
    csr = sparse::CsrMatrix::from_dense(weights.data(), s.out_channels, s.in_channels);
  }
  Conv2dShape shape;
  int64_t columns;
  Tensor weights, input, bias;
  sparse::CsrMatrix csr;
};

class Contender {
 public:
  virtual ~Contender() = default;
  virtual void run() = 0;
  virtual Tensor product() const = 0;  ///< the last run's, [O,columns]
};

/// Between [rows,columns] and a layout whose index of (row, column) is at(row, column).
template <typename Index>
void scatter(const Tensor& matrix, const Index& at, float* layout) {
  for (int64_t i = 0; i < matrix.count(); ++i) {
    layout[at(i / matrix.dim(1), i % matrix.dim(1))] = matrix.data()[i];
  }
}
template <typename Index>
Tensor gather(const float* layout, const Index& at, int64_t rows, int64_t columns) {
  Tensor matrix({rows, columns});
  for (int64_t i = 0; i < matrix.count(); ++i) {
    matrix.data()[i] = layout[at(i / columns, i % columns)];
  }
  return matrix;
}

/// Kernels on panels.
class Panelled : public Contender {
 public:
  explicit Panelled(const Problem& problem)
      : in_{problem.csr.columns, problem.columns},
        out_{problem.csr.rows, problem.columns},
        bias_(problem.bias),
        input_({in_.size()}, 0.0f),
        output_({out_.size()}) {
    scatter(problem.input, std::bind_front(&PanelLayout::offset, in_), input_.data());
  }
  Tensor product() const override {
    return gather(output_.data(), std::bind_front(&PanelLayout::offset, out_), out_.channels,
                  out_.columns);
  }

 protected:
  PanelLayout in_, out_;
  Tensor bias_, input_, output_;
};

class OurSparse : public Panelled {
 public:
  explicit OurSparse(const Problem& problem)
      : Panelled(problem), weights_(problem.csr, problem.columns) {}
  void run() override {
    sparse::spmm(weights_, in_.columns, input_.data(), bias_.data(), nullptr, Activation::none,
                 output_.data());
  }

 private:
  sparse::SparseWeights weights_;
};

class OurDense : public Panelled {
 public:
  explicit OurDense(const Problem& problem)
      : Panelled(problem),
        weights_(problem.weights.data(), out_.channels, in_.channels, problem.columns) {}
  void run() override {
    panels::pointwise(weights_, in_.columns, input_.data(), bias_.data(), nullptr, Activation::none,
                      output_.data());
  }

 private:
  panels::PointwiseWeights weights_;
};

template <int kLanes>
struct VectorOf {  // GCC and Clang's own
  typedef float Type __attribute__((vector_size(kLanes * sizeof(float)), may_alias));
};

/// What one would write first: CSR as it is, one row after another, its sums in vector registers,
/// every weight broadcast from memory.
class NaiveSparse : public Panelled {
 public:
  explicit NaiveSparse(const Problem& problem) : Panelled(problem), csr_(problem.csr) {}
  void run() override {
    parallel_for(in_.count() * csr_.rows, 16, [this](int64_t begin, int64_t end, int) {
      switch (in_.width()) {
        case 4:
          return multiply<4>(begin, end);
        case 8:
          return multiply<8>(begin, end);
        case 16:
          return multiply<16>(begin, end);
        case 32:
          return multiply<32>(begin, end);
        case 48:
          return multiply<48>(begin, end);
        default:
          return multiply<64>(begin, end);
      }
    });
  }

 private:
  /// Items [begin, end) of panels x rows.
  template <int kWidth>
  void multiply(int64_t begin, int64_t end) {
    constexpr int kLanes = std::min(kWidth, 16), kVectors = kWidth / kLanes;
    using Vector = typename VectorOf<kLanes>::Type;
    for (int64_t item = begin; item < end; ++item) {
      const int64_t panel = item / csr_.rows, row = item % csr_.rows;
      const auto* input =
          reinterpret_cast<const Vector*>(input_.data() + panel * in_.channels * kWidth);
      Vector sums[kVectors];
      for (Vector& sum : sums) sum = bias_.data()[row] - Vector{};
      for (int32_t i = csr_.row_ptr[row]; i < csr_.row_ptr[row + 1]; ++i) {
        const Vector* x = input + csr_.col_idx[i] * kVectors;
        for (int v = 0; v < kVectors; ++v) sums[v] += csr_.values[i] * x[v];
      }
      std::copy_n(sums, kVectors, reinterpret_cast<Vector*>(output_.data() + item * kWidth));
    }
  }

  sparse::CsrMatrix csr_;
};

/// Eigen runs this product on one thread, so each of ours gets a block of rows.
class EigenSparse : public Contender {
  using Dense = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

 public:
  explicit EigenSparse(const Problem& problem)
      : weights_(map(problem.weights).sparseView()),
        input_(map(problem.input)),
        output_(weights_.rows(), input_.cols()) {}
  void run() override {
    parallel_for(weights_.rows(), 1, [this](int64_t begin, int64_t end, int) {
      output_.middleRows(begin, end - begin).noalias() =
          weights_.middleRows(begin, end - begin) * input_;
    });
  }
  Tensor product() const override {
    return {{output_.rows(), output_.cols()},
            {output_.data(), static_cast<size_t>(output_.size())}};
  }

 private:
  static Eigen::Map<const Dense> map(const Tensor& t) { return {t.data(), t.dim(0), t.dim(1)}; }
  Eigen::SparseMatrix<float, Eigen::RowMajor> weights_;
  Dense input_, output_;
};

auto channels_last(int64_t channels) {
  return [channels](int64_t row, int64_t column) { return column * channels + row; };
}

class OneDnnDense : public Contender {
 public:
  explicit OneDnnDense(const Problem& p)
      : shape_(p.shape),
        conv_(p.shape, p.weights.data(), p.bias.data(), Activation::none, false),
        input_({p.shape.input_count()}),
        output_({p.shape.output_count()}) {
    scatter(p.input, channels_last(shape_.in_channels), input_.data());
  }
  void run() override { conv_.run(input_.data(), nullptr, output_.data()); }
  Tensor product() const override {
    const int64_t rows = shape_.out_channels;
    return gather(output_.data(), channels_last(rows), rows, output_.count() / rows);
  }

 private:
  Conv2dShape shape_;
  onednn::FusedConv2d conv_;
  Tensor input_, output_;
};

/// Checked against Other, which shares no code with it.
template <typename T, typename Other>
void add_contender(const std::string& name, const Conv2dShape& shape, double sparsity, int layers) {
  add(name, [=] {
    const Problem problem(shape, sparsity);
    const auto contender = std::make_shared<T>(problem);
    Work work;
    work.run = [=] { contender->run(); };
    work.error = [=] {
      Other other(problem);
      other.run();
      return relative_error(contender->product(), other.product());
    };
    const double columns = double(problem.columns);
    work.counters = {{"GFLOP/s(nonzero)", rate(2e-9 * double(problem.csr.nnz()) * columns)},
                     {"GFLOP/s(dense_equivalent)", rate(2e-9 * double(shape.multiply_adds()))},
                     {"layers", layers}};
    return work;
  });
}

}  // namespace

void register_benchmarks() {
  for (const LayerShape& entry : mobilenet_v2_shapes(std::mem_fn(&Conv2dShape::pointwise))) {
    for (const int64_t batch : {1, 8, 64}) {
      for (const int percent : {0, 30, 50, 60, 70, 80, 90, 95}) {
        Conv2dShape shape = entry.shape;
        shape.batch = batch;
        const std::string name =
            fmt::format("spmm/{}/batch:{}/sparsity:{}/", label(shape), batch, percent);
        const double sparsity = percent / 100.0;
        add_contender<OurSparse, OneDnnDense>(name + "our_sparse", shape, sparsity, entry.layers);
        add_contender<NaiveSparse, OneDnnDense>(name + "naive_sparse", shape, sparsity,
                                                entry.layers);
        add_contender<EigenSparse, OneDnnDense>(name + "eigen_sparse", shape, sparsity,
                                                entry.layers);
        add_contender<OurDense, OneDnnDense>(name + "our_dense", shape, sparsity, entry.layers);
        add_contender<OneDnnDense, OurSparse>(name + "onednn_dense", shape, sparsity, entry.layers);
      }
    }
  }
}

}  // namespace edgeprune::bench
