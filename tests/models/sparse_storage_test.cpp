#include "models/sparse_storage.h"

#include <gtest/gtest.h>

#include <functional>

#include "engine/base/json.h"
#include "tests/support/tensors.h"

namespace edgeprune {
namespace {

using testing::random_sparse_tensor;

Archive sample(double sparsity, Shape shape = {7, 3, 1, 1}) {
  Archive archive;
  archive.arrays["a.weight"] = Array::from(random_sparse_tensor(std::move(shape), 1, sparsity));
  archive.arrays["a.bias"] = Array::from(random_sparse_tensor({7}, 2, sparsity));
  archive.arrays["count"] = Array::from(int64_t{3});
  archive.metadata["format"] = "something";
  return archive;
}

void expect_equal(const Archive& actual, const Archive& expected) {
  EXPECT_EQ(actual.metadata, expected.metadata);
  ASSERT_EQ(actual.arrays.size(), expected.arrays.size());
  for (const auto& [name, array] : expected.arrays) {
    ASSERT_TRUE(actual.arrays.contains(name)) << name;
    EXPECT_EQ(actual.at(name).dtype, array.dtype) << name;
    EXPECT_EQ(actual.at(name).shape, array.shape) << name;
    EXPECT_EQ(actual.at(name).bytes, array.bytes) << name;
  }
}

TEST(SparseStorage, ComesBackBitForBitAtAnySparsity) {
  for (const double sparsity : {0.0, 0.1, 0.5, 0.9, 1.0}) {
    for (const int64_t columns : {1, 3, 8, 64}) {
      const Archive dense = sample(sparsity, {7, columns});
      expect_equal(restore_dense(store_sparse(dense, {"a.weight"})), dense);
    }
  }
}

TEST(SparseStorage, NegativeZerosAndSubnormalsAreValues) {
  Tensor tensor(Shape{64}, 0.0f);
  tensor.data()[3] = -0.0f;
  tensor.data()[5] = 1e-42f;
  Archive dense;
  dense.arrays["w"] = Array::from(tensor);
  const Archive sparse = store_sparse(dense, {"w"});
  EXPECT_EQ(sparse.at("w.values").shape, Shape{2});
  expect_equal(restore_dense(sparse), dense);
}

TEST(SparseStorage, HoldsAMaskAndTheValuesThatAreNotZero) {
  Tensor tensor(Shape{2, 5}, 0.0f);
  tensor.data()[0] = 1;
  tensor.data()[9] = 2;
  Archive dense;
  dense.arrays["w"] = Array::from(tensor);
  const Archive sparse = store_sparse(dense, {"w"});
  EXPECT_FALSE(sparse.arrays.contains("w"));
  EXPECT_EQ(sparse.at("w.mask").bytes, (std::vector<std::byte>{std::byte{1}, std::byte{2}}));
  EXPECT_EQ(testing::values_of(sparse.at("w.values").to_tensor("w")), (std::vector<float>{1, 2}));
  EXPECT_EQ(nlohmann::json::parse(sparse.metadata.at("sparse")).dump(), R"({"w":[2,5]})");
}

TEST(SparseStorage, OnlyNamedArraysThatGetSmallerAreReplaced) {
  const Archive full = sample(0);
  expect_equal(store_sparse(full, {"a.weight"}), full);
  const Archive sparse = store_sparse(sample(0.5), {"a.weight"});
  EXPECT_TRUE(sparse.arrays.contains("a.bias"));
  EXPECT_TRUE(sparse.arrays.contains("a.weight.mask"));
  // One zero in 32 values saves what the mask costs, two save more.
  Archive edge;
  Tensor tensor(Shape{32}, 1.0f);
  tensor.data()[7] = 0;
  edge.arrays["w"] = Array::from(tensor);
  EXPECT_TRUE(store_sparse(edge, {"w"}).arrays.contains("w"));
  tensor.data()[8] = 0;
  edge.arrays["w"] = Array::from(tensor);
  EXPECT_FALSE(store_sparse(edge, {"w"}).arrays.contains("w"));
}

TEST(SparseStorage, DamageIsRefusedNamingTheArray) {
  const auto refusal = [](const std::function<void(Archive&)>& damage) -> std::string {
    Archive sparse = store_sparse(sample(0.5), {"a.weight"});
    damage(sparse);
    try {
      restore_dense(sparse);
    } catch (const std::invalid_argument& error) {
      return error.what();
    }
    return "accepted";
  };
  const std::vector<std::function<void(Archive&)>> damages = {
      [](Archive& a) { a.arrays.erase("a.weight.mask"); },
      [](Archive& a) { a.arrays.erase("a.weight.values"); },
      [](Archive& a) { a.arrays["a.weight.mask"].bytes[0] ^= std::byte{1}; },
      [](Archive& a) { a.arrays["a.weight.mask"].bytes.pop_back(); },
      [](Archive& a) { a.arrays["a.weight.mask"].dtype = DType::f32; },
      [](Archive& a) { a.arrays["a.weight.values"].bytes.resize(4); },
      [](Archive& a) { a.arrays["a.weight.values"].dtype = DType::i64; },
      [](Archive& a) { a.metadata["sparse"] = R"({"a.weight":[7,4]})"; },
      [](Archive& a) { a.metadata["sparse"] = R"({"a.weight":[4000000000,1000000000]})"; },
      [](Archive& a) { a.arrays["a.weight"] = a.at("a.bias"); },
      [](Archive& a) {  // a value moved behind the last of 21
        auto& mask = a.arrays["a.weight.mask"].bytes;
        for (auto& byte : mask) {
          if (byte == std::byte{0}) continue;
          byte &= std::byte(std::to_integer<unsigned>(byte) - 1);
          break;
        }
        mask.back() |= std::byte{128};
      },
  };
  for (size_t i = 0; i < damages.size(); ++i) {
    EXPECT_NE(refusal(damages[i]).find("a.weight"), std::string::npos)
        << i << ": " << refusal(damages[i]);
  }
  const std::string deep = R"({"a.weight":)" + std::string(1'000'000, '[');
  for (const std::string& shapes :
       {std::string(""), std::string("7"), std::string("{"), std::string(R"({"a.weight":7})"),
        std::string(R"({"a.weight":["x"]})"), deep}) {
    EXPECT_NE(refusal([&](Archive& a) { a.metadata["sparse"] = shapes; }).find("'sparse'"),
              std::string::npos)
        << shapes.substr(0, 30);
  }
  EXPECT_NE(refusal([](Archive& a) { a.metadata["sparse"] = R"({"a.weight":[-7,3]})"; }),
            "accepted");
}

TEST(SparseStorage, OnlyFloatsThatAreThereCanBeStoredSparse) {
  EXPECT_THROW(store_sparse(sample(0.5), {"missing"}), std::invalid_argument);
  EXPECT_THROW(store_sparse(sample(0.5), {"count"}), std::invalid_argument);
}

}  // namespace
}  // namespace edgeprune
