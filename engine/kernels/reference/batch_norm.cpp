#include "engine/kernels/reference/batch_norm.h"

#include <cmath>

namespace edgeprune::reference {

void batch_norm_statistics(const float* input, int64_t rows, int64_t channels, float* mean,
                           float* variance) {
  for (int64_t c = 0; c < channels; ++c) {
    double sum = 0, squares = 0;
    for (int64_t r = 0; r < rows; ++r) sum += input[r * channels + c];
    const double average = sum / double(rows);
    for (int64_t r = 0; r < rows; ++r) squares += std::pow(input[r * channels + c] - average, 2);
    mean[c] = float(average);
    variance[c] = float(squares / double(rows));
  }
}

void batch_norm_backward(const float* input, const float* grad_output, int64_t rows,
                         int64_t channels, const float* gamma, float eps, float* grad_input,
                         float* grad_gamma, float* grad_beta) {
  for (int64_t c = 0; c < channels; ++c) {
    double sum = 0, squares = 0, sum_dy = 0, sum_dy_xhat = 0;
    for (int64_t r = 0; r < rows; ++r) sum += input[r * channels + c];
    const double mean = sum / double(rows);
    for (int64_t r = 0; r < rows; ++r) squares += std::pow(input[r * channels + c] - mean, 2);
    const double inverse_std = 1.0 / std::sqrt(squares / double(rows) + eps);
    for (int64_t r = 0; r < rows; ++r) {
      const double dy = grad_output[r * channels + c];
      sum_dy += dy;
      sum_dy_xhat += dy * (input[r * channels + c] - mean) * inverse_std;
    }
    for (int64_t r = 0; r < rows; ++r) {
      const double xhat = (input[r * channels + c] - mean) * inverse_std;
      grad_input[r * channels + c] =
          float(gamma[c] * inverse_std *
                (grad_output[r * channels + c] - (sum_dy + xhat * sum_dy_xhat) / double(rows)));
    }
    grad_gamma[c] = float(sum_dy_xhat);
    grad_beta[c] = float(sum_dy);
  }
}

}  // namespace edgeprune::reference
