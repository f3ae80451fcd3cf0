#pragma once
// What all benchmarks share. Each is a program of its own:
//
//   OMP_NUM_THREADS=2 build/release/bench/spmm_bench --benchmark_filter=16x16 [--benchmark_...]
//
// By default every case runs five times, in random order among the others (so that a slow moment
// of the machine hits all contenders), and mean, median, deviation are reported; each is Google
// Benchmark's own option and can be overridden. Threads: OMP_NUM_THREADS; instruction set of our
// kernels: EDGEPRUNE_SIMD. The exit code is not 0 if an answer was wrong or no case matched.
//
// Counters: GFLOP/s counts a multiply-add as two; GB/s counts each operand once, which is the least
// that must move; `layers` is how often the shape occurs in the network; "pointwise backward ms"
// and the like are a family's share of one run, from engine/base/profiler.h.

#include <benchmark/benchmark.h>

#include <functional>
#include <string>

#include "engine/tensor/tensor.h"

namespace edgeprune::bench {

/// Something to time, ready to run.
struct Work {
  std::function<void()> run;
  /// How far the answer of the last run() is from another way's. Called once, before timing.
  std::function<double()> error;
  double tolerance = 1e-4;
  benchmark::UserCounters counters;
  int threads = 0;                  ///< to run with; 0: OMP_NUM_THREADS
  bool count_fresh_blocks = false;  ///< report blocks taken from the system (engine/base/buffer.h)
  bool profile = false;             ///< report the milliseconds of every family of operations a run
};

/// Registers a case. `make` sets it up anew for every repetition, outside the time. If error() is
/// above the tolerance (or NaN) the case is reported as an error instead of a time.
void add(const std::string& name, std::function<Work()> make);

/// Each program defines it: add() for all its cases.
void register_benchmarks();

/// A counter of so much an iteration, reported per second.
benchmark::Counter rate(double amount);

/// Uniform in [-1, 1).
Tensor random_tensor(Shape shape, uint64_t seed);

/// The largest |actual - expected| as a share of the largest |expected|; infinite on NaN. Float32
/// sums of k terms in another order differ by some sqrt(k) * 6e-8 of that.
double relative_error(const Tensor& actual, const Tensor& expected);

}  // namespace edgeprune::bench
