#include "engine/kernels/int8/pointwise_packing.h"

#include <algorithm>
#include <cstring>

namespace edgeprune::int8 {
namespace {

/// A block's weights by vector and lane, zeros for rows and channels that are none.
struct BlockOfRows {
  const RowNumbers& numbers;
  const PackedPointwise& packed;
  const RowBlock& block;

  int64_t lanes() const { return block.vectors * packed.lanes; }
  int64_t row(int64_t at) const {
    return block.first + block_channel(block.vectors, static_cast<int>(at / packed.lanes),
                                       static_cast<int>(at % packed.lanes));
  }
  int8_t weight(int64_t at, int64_t k) const {
    const int64_t r = row(at);
    return r < packed.rows && k < packed.channels ? numbers.weights[r * packed.channels + k]
                                                  : int8_t{0};
  }
};

void append_words(std::vector<int8_t>& to, const std::vector<int16_t>& words) {
  const auto* bytes = reinterpret_cast<const int8_t*>(words.data());
  to.insert(to.end(), bytes, bytes + 2 * words.size());
}

/// What the words of a group start from, so that their sums lie within 16 bits, two a lane. Taken from the lane's bias.
std::vector<int16_t> starts(const BlockOfRows& rows, const int32_t* fours, int count,
                            std::vector<int64_t>& bias) {
  std::vector<int16_t> words;
  for (int64_t at = 0; at < rows.lanes(); ++at) {
    for (int64_t half = 0; half < 4; half += 2) {
      int64_t low = 0, high = 0;
      for (int i = 0; i < count; ++i) {
        for (const int64_t k : {half, half + 1}) {
          const int w = rows.weight(at, 4 * fours[i] + k);
          (w < 0 ? low : high) += w * rows.packed.highest;
        }
      }
      const int64_t start =
          std::max(INT16_MIN - low, int64_t{0}) + std::min(INT16_MAX - high, int64_t{0});
      bias[static_cast<size_t>(at)] -= start;
      words.push_back(static_cast<int16_t>(start));
    }
  }
  return words;
}

/// A four's weights of a vector; or their sizes, and what flips the inputs' bits.
void append_four(const BlockOfRows& rows, int vector, int64_t four, std::vector<int8_t>& to) {
  const int lanes = rows.packed.lanes;
  const auto append = [&](auto&& byte) {
    for (int64_t i = 0; i < 4 * lanes; ++i) {
      to.push_back(
          static_cast<int8_t>(byte(rows.weight(vector * lanes + i / 4, 4 * four + i % 4))));
    }
  };
  if (rows.packed.product != Product::signs) return append([](int w) { return w; });
  append([](int w) { return std::abs(w); });
  append([](int w) { return w < 0 ? 0x7F : 0x80; });
}

WordSums grouped(const BlockOfRows& rows) {
  const int64_t fours = rows.packed.quads(), words = 2 * rows.lanes();
  std::vector<uint16_t> sizes;
  for (int64_t four = 0; four < fours; ++four) {
    for (int64_t i = 0; i < words; ++i) {
      const int64_t k = 4 * four + i % 2 * 2;
      sizes.push_back(static_cast<uint16_t>(std::abs(rows.weight(i / 2, k)) +
                                            std::abs(rows.weight(i / 2, k + 1))));
    }
  }
  const bool signs = rows.packed.product == Product::signs;
  return signs ? group_fours(sizes, fours, words, kMostOfSizes, kLargestOfSizes)
               : group_fours(sizes, fours, words, most_of_sizes(std::max(1, rows.packed.highest)));
}

/// What makes up for inputs less 128: 128 w; and for flipped bits: -w where it is negative.
int64_t bias_of_inputs(const BlockOfRows& rows, int64_t at) {
  const bool flips = rows.packed.product == Product::signs;
  int64_t bias = 0;
  for (int64_t k = 0; k < rows.packed.channels; ++k) {
    const int64_t w = rows.weight(at, k);
    bias += 128 * w - (flips ? std::min<int64_t>(w, 0) : 0);
  }
  return bias;
}

void pack_block(const BlockOfRows& rows, RowBlock& block, PackedPointwise& packed,
                std::vector<int8_t>& to, std::vector<int64_t>& bias) {
  const auto append = [&](int64_t four) {
    for (int v = 0; v < block.vectors; ++v) append_four(rows, v, four, to);
  };
  if (!packed.words) {
    for (int64_t four = 0; four < packed.quads(); ++four) append(four);
    return;
  }
  const WordSums sums = grouped(rows);
  block.groups = sums.groups;
  const int32_t* four = sums.fours.data();
  for (size_t s = 0; s < sums.groups.size(); ++s) {
    const int size = WordSums::kSizes[s];
    for (int32_t group = 0; group < sums.groups[s]; ++group, four += size) {
      if (packed.product == Product::pairs) append_words(to, starts(rows, four, size, bias));
      std::for_each(four, four + size, append);
    }
  }
  packed.fours.insert(packed.fours.end(), sums.fours.begin(), sums.fours.end());
}

}  // namespace

void pack_rows(const RowNumbers& numbers, PackedPointwise& packed) {
  packed.constants = RowConstants(pixel_bytes(packed.rows));
  std::vector<int8_t> bytes;
  for (RowBlock& block : packed.blocks) {
    const BlockOfRows rows{numbers, packed, block};
    block.begin = static_cast<int64_t>(bytes.size());
    std::vector<int64_t> bias(static_cast<size_t>(rows.lanes()), 0);
    pack_block(rows, block, packed, bytes, bias);
    if (packed.less_128) {
      for (int64_t at = 0; at < rows.lanes(); ++at) {
        bias[static_cast<size_t>(at)] += bias_of_inputs(rows, at);
      }
    }
    for (int64_t at = 0; at < rows.lanes(); ++at) {
      const int64_t row = rows.row(at);
      if (row >= packed.rows) continue;
      // Sums wrap at 32 bits as well, of which only the whole is known to fit.
      const auto start = static_cast<int32_t>(numbers.bias[row] + bias[static_cast<size_t>(at)]);
      packed.constants.set(block.first + at, start, numbers.multipliers[row]);
    }
  }
  packed.storage_bytes = static_cast<int64_t>(bytes.size());
  packed.storage = allocate_floats((bytes.size() + 3) / 4);
  std::memcpy(packed.storage.get(), bytes.data(), bytes.size());
}

}  // namespace edgeprune::int8
