#include "engine/inference/sparse_conv_step.h"

#include "engine/sparse/sparse_conv2d.h"

namespace edgeprune::inference {
namespace {

class SparseConvolution : public FloatStep {
 public:
  SparseConvolution(const Layer& layer, const Conv2dShape& shape)
      : size_(shape.output_count()),
        conv_(shape, layer.weight.data(), layer.bias.data(), layer.activation) {}
  void run_floats(const float* input, const float* residual, float* output,
                  float* scratch) override {
    conv_.run(input, residual, output, scratch);
  }
  int64_t output_size() const override { return size_; }
  int64_t scratch_size() const override { return conv_.scratch_size(); }
  int64_t weight_bytes() const override { return conv_.weight_bytes(); }
  double density() const override { return conv_.density(); }
  std::string kernel() const override { return "csr conv"; }

 private:
  int64_t size_;
  sparse::SparseConv2d conv_;
};

}  // namespace

std::unique_ptr<FloatStep> sparse_conv_step(const Layer& layer, int64_t images) {
  Conv2dShape shape = layer.shape;
  shape.batch = images;
  return std::make_unique<SparseConvolution>(layer, shape);
}

}  // namespace edgeprune::inference
