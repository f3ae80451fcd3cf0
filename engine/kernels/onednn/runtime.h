#pragma once
// oneDNN's engine, stream and memory, for the files of this folder.

#include <omp.h>

#include <dnnl.hpp>
#include <string>

#include "engine/base/parallel.h"

namespace edgeprune::onednn {

/// oneDNN plans and runs its primitives for OpenMP's number of threads, not ours.
inline void use_the_threads_in_force() {
  omp_set_num_threads(thread_count());
}

inline dnnl::engine& cpu_engine() {
  static dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

inline dnnl::stream& cpu_stream() {
  thread_local dnnl::stream stream(cpu_engine());
  return stream;
}

inline dnnl::memory::desc describe(const dnnl::memory::dims& dims, dnnl::memory::format_tag tag) {
  return {dims, dnnl::memory::data_type::f32, tag};
}

/// oneDNN's handle on memory that somebody else owns. It takes a non-const pointer for inputs too.
inline dnnl::memory wrap(const dnnl::memory::desc& desc, const float* data) {
  return {desc, cpu_engine(), const_cast<float*>(data)};
}

/// Copies between layouts (or just copies, where they agree).
inline void reorder(dnnl::memory from, dnnl::memory to) {
  dnnl::reorder(from, to).execute(cpu_stream(), from, to);
}

}  // namespace edgeprune::onednn
