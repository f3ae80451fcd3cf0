#include "engine/autograd/lazy.h"

#include <gtest/gtest.h>

#include "engine/autograd/variable.h"
#include "tests/support/tensors.h"

namespace edgeprune {
namespace {

using testing::values_of;
using Floats = std::vector<float>;

Tensor tensor(const Floats& values) {
  return {{static_cast<int64_t>(values.size())}, values};
}

/// Three times a tensor, and how often that was computed.
struct Triple {
  Tensor source;
  std::shared_ptr<int> computed = std::make_shared<int>(0);

  const Shape& shape() const { return source.shape(); }
  Tensor compute() const {
    ++*computed;
    Tensor result(source.shape());
    for (int64_t i = 0; i < source.count(); ++i) result.data()[i] = 3 * source.data()[i];
    return result;
  }
  struct View {
    const float* data;
    float factor;
  };
  View view() const { return {source.data(), 3}; }
  static View view_of(const Tensor& plain) { return {plain.data(), 1}; }
};
using LazyTriple = Lazy<Triple>;

TEST(Lazy, IsUndefinedUntilItIsGivenSomething) {
  EXPECT_FALSE(LazyTriple().defined());
  EXPECT_FALSE(LazyTriple(Tensor()).defined());
  EXPECT_TRUE(LazyTriple(tensor({1, 2})).defined());
  EXPECT_TRUE(LazyTriple(Triple{tensor({1, 2})}).defined());
}

TEST(Lazy, OfATensorIsThatTensor) {
  const Tensor plain = tensor({1, 2});
  const LazyTriple lazy = plain;
  EXPECT_EQ(lazy.recipe(), nullptr);
  EXPECT_EQ(lazy.get().data(), plain.data());
  EXPECT_EQ(lazy.shape(), plain.shape());
  EXPECT_EQ(lazy.view().data, plain.data());
  EXPECT_EQ(lazy.view().factor, 1);
}

TEST(Lazy, ComputesWhenFirstAskedAndOnce) {
  const Triple recipe{tensor({1, 2})};
  const LazyTriple lazy(recipe);
  EXPECT_EQ(lazy.shape(), (Shape{2}));
  EXPECT_EQ(lazy.view().factor, 3);
  EXPECT_EQ(*recipe.computed, 0) << "shape and view need no value";
  EXPECT_EQ(values_of(lazy.get()), (Floats{3, 6}));
  EXPECT_EQ(values_of(lazy.get()), (Floats{3, 6}));
  EXPECT_EQ(*recipe.computed, 1);
}

TEST(Lazy, CopiesShareWhatWasComputed) {
  const Triple recipe{tensor({1, 2})};
  const LazyTriple before(recipe), copy = before;
  const float* computed = copy.get().data();
  const LazyTriple after = before;
  EXPECT_EQ(before.get().data(), computed);
  EXPECT_EQ(after.get().data(), computed);
  EXPECT_EQ(*recipe.computed, 1);
}

TEST(Lazy, KeepsItsRecipeWhenComputed) {
  const Triple recipe{tensor({1, 2})};
  const LazyTriple lazy(recipe);
  lazy.get();
  ASSERT_NE(lazy.recipe(), nullptr);
  EXPECT_EQ(lazy.recipe()->source.data(), recipe.source.data());
  EXPECT_EQ(lazy.view().data, recipe.source.data());
}

TEST(Lazy, ConvertsForConsumersThatWantATensor) {
  const auto first = [](const Tensor& wanted) { return wanted.data()[0]; };
  EXPECT_EQ(first(LazyTriple(Triple{tensor({1, 2})})), 3);
  EXPECT_EQ(first(LazyTriple(tensor({1, 2}))), 1);
}

/// Two rows, two channels; ReLU6 clips one value at each end.
BatchNormOutput normalized(Activation activation = Activation::relu6) {
  return {.x = Tensor({2, 2}, Floats{1, 2, 3, 4}),
          .mean = tensor({2, 3}),
          .scale = tensor({2, -1}),
          .shift = tensor({1, 3}),
          .activation = activation};  // before the activation: 3, 1, 7, -1
}

TEST(BatchNormOutput, ComputesWhatItsReaderSees) {
  EXPECT_EQ(values_of(normalized().compute()), (Floats{3, 1, 6, 0}));
  EXPECT_EQ(values_of(normalized(Activation::none).compute()), (Floats{3, 1, 7, -1}));
}

BatchNormGradient gradient(const Tensor& grad, Activation activation = Activation::relu6) {
  return {.grad = grad,
          .output = normalized(activation),
          .a = tensor({2, 3}),
          .b = tensor({10, 100}),
          .c = tensor({0.5f, 0.25f})};
}

TEST(BatchNormGradient, ComputesWhatItsReaderSees) {
  const Tensor grad({2, 2}, 1.0f);
  EXPECT_EQ(gradient(grad).shape(), grad.shape());
  EXPECT_EQ(values_of(gradient(grad).compute()), (Floats{12.5f, 203.25f, 30.5f, 400.25f}));
  EXPECT_EQ(values_of(gradient(grad, Activation::none).compute()),
            (Floats{12.5f, 203.25f, 32.5f, 403.25f}));
}

TEST(LazyVariable, ComputesItsValueOnceForAllCopies) {
  const Variable x{LazyValue(normalized())}, copy = x;
  EXPECT_EQ(x.shape(), (Shape{2, 2}));
  ASSERT_NE(x.lazy_value().recipe(), nullptr);
  EXPECT_EQ(values_of(x.value()), (Floats{3, 1, 6, 0}));
  EXPECT_EQ(copy.value().data(), x.value().data());
}

// Ops just for these tests. All of them are the identity as far as values are concerned.

/// Its input's gradient is lazy: computed, it is {12.5, 203.25, 30.5, 400.25}.
Variable lazy_gradient(const Variable& x) {
  return Variable::result(x.value(), {x}, [](const Tensor& grad, InputGrads& inputs) {
    inputs.add(0, LazyGradient(gradient(grad)));
  });
}
const Floats kLazyGradient{12.5f, 203.25f, 30.5f, 400.25f};

/// Its input's gradient is the output's times a factor, a new tensor.
Variable times(const Variable& x, float factor) {
  return Variable::result(x.value(), {x}, [factor](const Tensor& grad, InputGrads& inputs) {
    Tensor result = grad.clone();
    for (float& value : result.values()) value *= factor;
    inputs.add(0, result);
  });
}

/// Sends the very same gradient to both inputs, as ops::add does.
Variable fork(const Variable& a, const Variable& b) {
  return Variable::result(a.value(), {a, b}, [](const LazyGradient& grad, InputGrads& inputs) {
    inputs.add(0, grad);
    inputs.add(1, grad);
  });
}

Variable leaf() {
  return Variable(Tensor({2, 2}, 0.0f), true);
}
const Tensor kOnes({2, 2}, 1.0f);

Floats plus(const Floats& values, float more) {
  Floats result = values;
  for (float& value : result) value += more;
  return result;
}
Floats twice(const Floats& values) {
  Floats result = values;
  for (float& value : result) value *= 2;
  return result;
}

TEST(LazyGradientWalk, ALeafsGradientIsATensor) {
  const Variable x = leaf();
  lazy_gradient(x).backward(kOnes);
  EXPECT_EQ(values_of(x.grad()), kLazyGradient);
}

TEST(LazyGradientWalk, AnOpThatWantsATensorGetsOne) {
  const Variable x = leaf();
  lazy_gradient(times(x, 2)).backward(kOnes);
  EXPECT_EQ(values_of(x.grad()), twice(kLazyGradient));
}

TEST(LazyGradientWalk, AnOpThatCanReadTheRecipeGetsIt) {
  const Variable x = leaf();
  bool lazy = false;
  const Variable y =
      Variable::result(x.value(), {x}, [&](const LazyGradient& grad, InputGrads& inputs) {
        lazy = grad.recipe() != nullptr;
        inputs.add(0, grad);
      });
  lazy_gradient(y).backward(kOnes);
  EXPECT_TRUE(lazy);
  EXPECT_EQ(values_of(x.grad()), kLazyGradient);
}

TEST(LazyGradientWalk, LazyAndPlainGradientsAddUpInEitherOrder) {
  for (const bool lazy_first : {true, false}) {
    const Variable x = leaf();
    // The walk visits the last input's history first.
    const Variable lazy = lazy_gradient(x), plain = times(x, 2);
    Variable sum = lazy_first ? fork(plain, lazy) : fork(lazy, plain);
    sum.backward(kOnes);
    EXPECT_EQ(values_of(x.grad()), plus(kLazyGradient, 2));
  }
}

TEST(LazyGradientWalk, TwoLazyGradientsAddUp) {
  const Variable x = leaf();
  fork(lazy_gradient(x), lazy_gradient(x)).backward(kOnes);
  EXPECT_EQ(values_of(x.grad()), twice(kLazyGradient));
}

TEST(LazyGradientWalk, TheSameLazyGradientTwiceAddsUp) {
  const Variable x = leaf();
  lazy_gradient(fork(x, x)).backward(kOnes);
  EXPECT_EQ(values_of(x.grad()), twice(kLazyGradient));
}

TEST(LazyGradientWalk, AddingToOneHoldersGradientLeavesTheOthersAlone) {
  // x and y hold copies of one lazy gradient when 2 is added to one of them.
  for (const bool x_is_first : {true, false}) {
    const Variable x = leaf(), y = leaf();
    const Variable forked = lazy_gradient(x_is_first ? fork(x, y) : fork(y, x));
    fork(times(x, 2), forked).backward(kOnes);
    EXPECT_EQ(values_of(x.grad()), plus(kLazyGradient, 2));
    EXPECT_EQ(values_of(y.grad()), kLazyGradient);
  }
}

TEST(LazyGradientWalk, LeavesTheGradientItWasMadeOfAlone) {
  const Tensor ones = kOnes.clone();
  const Variable x = leaf();
  fork(lazy_gradient(x), times(x, 2)).backward(ones);
  EXPECT_EQ(values_of(ones), (Floats{1, 1, 1, 1}));
}

TEST(LazyGradientWalk, AnotherShapeIsRefused) {
  const Variable x(Tensor({4}, 0.0f), true);
  Variable y = Variable::result(Tensor({2, 2}, 0.0f), {x}, [](const Tensor& grad, InputGrads& in) {
    in.add(0, LazyGradient(gradient(grad)));
  });
  EXPECT_THROW(y.backward(kOnes), std::invalid_argument);
}

}  // namespace
}  // namespace edgeprune
