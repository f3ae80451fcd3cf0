#include "engine/base/separate.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <set>
#include <vector>

namespace edgeprune {
namespace {

uintptr_t line_of(const void* address) {
  return reinterpret_cast<uintptr_t>(address) / kSeparate;
}

template <typename Vector>
std::set<uintptr_t> lines_of(const Vector& vector) {
  std::set<uintptr_t> lines;
  for (const auto& element : vector) lines.insert(line_of(&element));
  return lines;
}

TEST(SeparateVector, BeginsALineOfItsOwn) {
  for (const size_t count : {1, 3, 31, 32, 33, 1000}) {
    const SeparateVector<float> vector(count, 1.0f);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(vector.data()) % kSeparate, 0u) << count << " elements";
  }
}

// Small blocks of any kind, allocated in turns, are what an allocator would put side by side.
TEST(SeparateVector, SharesNoLineWithNeighbours) {
  std::vector<SeparateVector<double>> separate;
  std::vector<std::vector<double>> plain;
  for (size_t i = 0; i < 200; ++i) {
    separate.emplace_back(1 + i % 5, 0.0);
    plain.emplace_back(1 + i % 3, 0.0);
  }
  std::set<uintptr_t> taken;
  for (const auto& vector : plain) taken.merge(lines_of(vector));
  for (const auto& vector : separate)
    for (const uintptr_t line : lines_of(vector))
      EXPECT_TRUE(taken.insert(line).second) << "line " << line << " is shared";
}

TEST(SeparateVector, StaysSeparateWhenItGrows) {
  SeparateVector<int> left, right;
  for (int i = 0; i < 500; ++i) {
    left.push_back(i);
    right.push_back(-i);
  }
  for (int i = 0; i < 500; ++i) {
    EXPECT_EQ(left[i], i);
    EXPECT_EQ(right[i], -i);
  }
  std::set<uintptr_t> both = lines_of(left);
  for (const uintptr_t line : lines_of(right))
    EXPECT_TRUE(both.insert(line).second) << "line " << line << " is shared";
}

}  // namespace
}  // namespace edgeprune
