#include "engine/sparse/sparse_weights.h"

#include <gtest/gtest.h>

#include "engine/kernels/simd/target.h"
#include "tests/support/tensors.h"

namespace edgeprune::sparse {
namespace {

CsrMatrix sparse_matrix(int64_t rows, int64_t channels, double sparsity) {
  const Tensor dense = testing::random_sparse_tensor({rows, channels}, 1, sparsity);
  return CsrMatrix::from_dense(dense.data(), rows, channels);
}

TEST(SparseWeights, KeepsShapeAndNonzeros) {
  const CsrMatrix matrix = sparse_matrix(37, 300, 0.8);
  for (const int64_t columns : {1, 8, 16, 200}) {
    const SparseWeights weights(matrix, columns);
    EXPECT_EQ(weights.rows(), 37);
    EXPECT_EQ(weights.channels(), 300);
    EXPECT_EQ(weights.nnz(), matrix.nnz());
    EXPECT_EQ(weights.width(), (PanelLayout{300, columns}.width()));
  }
}

TEST(SparseWeights, TakeLittleMoreMemoryThanSixBytesANonzero) {
  const SparseWeights weights(sparse_matrix(160, 960, 0.8), 64);
  EXPECT_GE(weights.bytes(), 6 * weights.nnz());
  EXPECT_LE(weights.bytes(), 7 * weights.nnz());
}

TEST(SparseWeights, FoursOfChannelsAreTakenWhereTheyShareLoads) {
  if (simd::vector_bytes() < 64) GTEST_SKIP() << "only with vectors of 512 bits";
  EXPECT_TRUE(SparseWeights(sparse_matrix(96, 576, 0.5), 4).by_fours());
  EXPECT_FALSE(SparseWeights(sparse_matrix(96, 576, 0.9), 4).by_fours()) << "too sparse";
  EXPECT_FALSE(SparseWeights(sparse_matrix(96, 576, 0.5), 8).by_fours()) << "eight columns";
  // At any sparsity if the zeros come in fours.
  Tensor dense({4, 400}, 0.0f);
  for (int64_t i = 0; i < dense.count(); i += 40) std::fill_n(dense.data() + i, 4, 1.0f);
  EXPECT_TRUE(SparseWeights(CsrMatrix::from_dense(dense.data(), 4, 400), 4).by_fours());
}

TEST(SparseWeights, OfNothingAreFine) {
  const SparseWeights weights(CsrMatrix::from_dense(nullptr, 0, 0), 64);
  EXPECT_EQ(weights.nnz(), 0);
  EXPECT_EQ(weights.rows(), 0);
}

}  // namespace
}  // namespace edgeprune::sparse
