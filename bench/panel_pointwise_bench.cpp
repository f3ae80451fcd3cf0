// Dense 1x1 convolutions and the head in inference, as the plan runs them: our product on panels
// against oneDNN's (channels-last, bias and activation fused in both). Batch 1, 16 and 32 of every
// shape; the early layers run image by image whatever the batch is.

#include <memory>

#include "bench/shapes.h"
#include "bench/support.h"
#include "engine/kernels/onednn/conv2d.h"
#include "engine/kernels/panels/pointwise.h"

namespace edgeprune::bench {
namespace {

/// weights [O,I] x input [I,columns]; a column is a pixel of an image.
struct Problem {
  explicit Problem(const Conv2dShape& s)
      : shape(s),
        columns(s.batch * s.in_height * s.in_width),
        weights(random_tensor({s.out_channels, s.in_channels}, 1)),
        input(random_tensor({s.in_channels, columns}, 2)),
        bias(random_tensor({s.out_channels}, 3)) {}
  Conv2dShape shape;
  int64_t columns;
  Tensor weights, input, bias;
};

class Contender {
 public:
  virtual ~Contender() = default;
  virtual void run() = 0;
  virtual Tensor product() const = 0;  ///< the last run's, [O,columns]
};

class Ours : public Contender {
 public:
  explicit Ours(const Problem& p)
      : columns_(p.columns),
        weights_(p.weights.data(), p.shape.out_channels, p.shape.in_channels, p.columns),
        bias_(p.bias),
        input_({in_.size()}, 0.0f),
        output_({out_.size()}) {
    for (int64_t i = 0; i < p.input.count(); ++i) {
      input_.data()[in_.offset(i / columns_, i % columns_)] = p.input.data()[i];
    }
  }
  void run() override {
    panels::pointwise(weights_, columns_, input_.data(), bias_.data(), nullptr, Activation::relu6,
                      output_.data());
  }
  Tensor product() const override {
    Tensor matrix({out_.channels, columns_});
    for (int64_t i = 0; i < matrix.count(); ++i) {
      matrix.data()[i] = output_.data()[out_.offset(i / columns_, i % columns_)];
    }
    return matrix;
  }

 private:
  int64_t columns_;
  panels::PointwiseWeights weights_;
  PanelLayout in_{weights_.channels(), columns_}, out_{weights_.rows(), columns_};
  Tensor bias_, input_, output_;
};

class OneDnn : public Contender {
 public:
  explicit OneDnn(const Problem& p)
      : shape_(p.shape),
        conv_(p.shape, p.weights.data(), p.bias.data(), Activation::relu6, false),
        input_({p.shape.input_count()}),
        output_({p.shape.output_count()}) {
    for (int64_t i = 0; i < p.input.count(); ++i) {
      input_.data()[i % p.columns * shape_.in_channels + i / p.columns] = p.input.data()[i];
    }
  }
  void run() override { conv_.run(input_.data(), nullptr, output_.data()); }
  Tensor product() const override {
    const int64_t rows = shape_.out_channels, columns = output_.count() / rows;
    Tensor matrix({rows, columns});
    for (int64_t i = 0; i < matrix.count(); ++i) {
      matrix.data()[i] = output_.data()[i % columns * rows + i / columns];
    }
    return matrix;
  }

 private:
  Conv2dShape shape_;
  onednn::FusedConv2d conv_;
  Tensor input_, output_;
};

/// Checked against Other, which shares no code with it.
template <typename T, typename Other>
void add_contender(const std::string& name, const LayerShape& entry, int64_t batch) {
  Conv2dShape shape = entry.shape;
  shape.batch = batch;
  add(fmt::format("panels/pointwise/{}/batch:{}/{}", label(shape), batch, name),
      [shape, layers = entry.layers] {
        const Problem problem(shape);
        const auto contender = std::make_shared<T>(problem);
        Work work;
        work.run = [=] { contender->run(); };
        work.error = [=] {
          Other other(problem);
          other.run();
          return relative_error(contender->product(), other.product());
        };
        const int64_t floats = shape.input_count() + shape.weight_count() + shape.output_count();
        work.counters = {{"GFLOP/s", rate(2e-9 * double(shape.multiply_adds()))},
                         {"GB/s", rate(4e-9 * double(floats))},
                         {"layers", layers}};
        return work;
      });
}

}  // namespace

void register_benchmarks() {
  for (const LayerShape& entry : mobilenet_v2_shapes(std::mem_fn(&Conv2dShape::pointwise))) {
    for (const int64_t batch : {1, 16, 32}) {
      if (batch > 1 && entry.shape.in_height >= 8) continue;
      add_contender<Ours, OneDnn>("ours", entry, batch);
      add_contender<OneDnn, Ours>("onednn", entry, batch);
    }
  }
}

}  // namespace edgeprune::bench
