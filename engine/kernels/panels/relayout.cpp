#include "engine/kernels/panels/relayout.h"

#include <algorithm>

#include "engine/base/parallel.h"
#include "engine/kernels/panels/columns.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/panels/relayout.cpp"
#include <hwy/foreach_target.h>

#include "engine/kernels/panels/transpose-inl.h"

HWY_BEFORE_NAMESPACE();
namespace edgeprune::panels::HWY_NAMESPACE {

/// Channels [begin, end) of gather_images().
void gather_channels(int64_t count, const PanelLayout& one, const PanelLayout& all,
                     const float* images, float* panels, int64_t begin, int64_t end) {
  const int64_t pixels = one.columns, image = one.size();
  const Panels<const float> inputs(images, one);
  const Panels<float> outputs(panels, all);
  int64_t vectors = 0;  // images that blocks of kLanes images x kLanes pixels take care of
#if HWY_TARGET != HWY_SCALAR
  const F32 d;
  if (count % kLanes == 0 && pixels % kLanes == 0) vectors = count;
  for (int64_t c = begin; c < end; ++c) {
    for (int64_t n = 0; n < vectors; n += kLanes) {
      for (int64_t p = 0; p < pixels; p += kLanes) {
        const float* from = inputs.channel(c).at(p) + n * image;
        Vec block[kLanes];
#pragma GCC unroll 16
        for (int i = 0; i < kLanes; ++i) block[i] = hn::LoadU(d, from + i * image);
        transpose(block);
#pragma GCC unroll 16
        for (int i = 0; i < kLanes; ++i) {
          hn::StoreU(block[i], d, outputs.channel(c).at((p + i) * count + n));
        }
      }
    }
  }
#endif
  for (int64_t n = vectors; n < count; ++n) {
    for (int64_t c = begin; c < end; ++c) {
      for (int64_t p = 0; p < pixels; ++p) {
        *outputs.channel(c).at(p * count + n) = inputs.channel(c).at(p)[n * image];
      }
    }
  }
}

}  // namespace edgeprune::panels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace edgeprune::panels {
namespace {

/// move(image value's index, panel value's index)
template <typename Move>
void for_each_value(int64_t batch, int64_t pixels, int64_t channels, const Move& move) {
  const PanelLayout panels{channels, pixels * batch};
  parallel_for(panels.columns, 64, [&](int64_t begin, int64_t end, int) {
    for (int64_t column = begin; column < end; ++column) {
      const int64_t row = (column % batch * pixels + column / batch) * channels;
      const int64_t first = panels.offset(0, column), width = panels.width();
      for (int64_t c = 0; c < channels; ++c) move(row + c, first + c * width);
    }
  });
}

}  // namespace

HWY_EXPORT(gather_channels);

void to_panels(int64_t batch, int64_t pixels, int64_t channels, const float* images,
               float* panels) {
  for_each_value(batch, pixels, channels,
                 [&](int64_t image, int64_t panel) { panels[panel] = images[image]; });
}

void from_panels(int64_t batch, int64_t pixels, int64_t channels, const float* panels,
                 float* images) {
  for_each_value(batch, pixels, channels,
                 [&](int64_t image, int64_t panel) { images[image] = panels[panel]; });
}

void gather_images(int64_t count, int64_t pixels, int64_t channels, const float* images,
                   float* panels) {
  const PanelLayout one{channels, pixels}, all{channels, pixels * count};
  parallel_for(channels, 8, [&](int64_t begin, int64_t end, int) {
    HWY_DYNAMIC_DISPATCH(gather_channels)(count, one, all, images, panels, begin, end);
  });
}

}  // namespace edgeprune::panels
#endif
