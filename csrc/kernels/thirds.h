// Numbers split into three bfloat16 each, whose sum is the number: 24 bits as 3 times 8.
//
// Packed for the matrix unit: a tile of the first factor is rows of 32 numbers, one of the second
// 16 rows of pairs of numbers that follow each other in depth. Tiles of first, second and third
// parts lie at a distance.
#pragma once

#include <algorithm>
#include <bit>

#include "simd.h"
#include "transpose.h"

namespace baryon::BARYON_ISA {

constexpr Int kTileDepth = 32, kTileWidth = 16;
constexpr int kThirds = 3;
constexpr Int kTileSize = kTileDepth * kTileWidth;  // numbers in a whole tile

using Third = std::uint16_t;
typedef std::uint32_t Words __attribute__((vector_size(64), may_alias));
typedef Third Halves __attribute__((vector_size(64), may_alias));
typedef Third LooseHalves __attribute__((vector_size(64), aligned(2), may_alias));

// Splits numbers, and remembers whether all were finite, rounded to bfloat16 too.
class Splitter {
 public:
  // The parts of 16 numbers, in the upper halves of words.
  struct Parts {
    Words of[kThirds];
  };

  Parts operator()(Vector<float> x) {
    Parts found;
    for (int i = 0; i < kThirds; ++i) {
      found.of[i] = (std::bit_cast<Words>(x) + 0x8000u) & 0xffff0000u;  // rounded half up
      x -= std::bit_cast<Vector<float>>(found.of[i]);
    }
    const Words size = found.of[0] & 0x7fffffffu;
    largest_ = size > largest_ ? size : largest_;
    return found;
  }
  bool all_finite() const {
    for (int i = 0; i < kLanes<float>; ++i)
      if (largest_[i] >= 0x7f800000u) return false;
    return true;
  }

 private:
  Words largest_{};
};

// Tiles of the first factor: `rows` rows of kTileDepth numbers at distance `stride`.
inline void split_rows(Splitter& split, const float* from, Int stride, Int rows, Third* to,
                       Int distance) {
  Halves upper;
  for (int i = 0; i < kTileDepth; ++i) upper[i] = static_cast<Third>(2 * i + 1);
  for (Int r = 0; r < rows; ++r, from += stride, to += kTileDepth) {
    const Splitter::Parts left = split(load(from)), right = split(load(from + kTileWidth));
    for (int i = 0; i < kThirds; ++i)
      *reinterpret_cast<LooseHalves*>(to + i * distance) = __builtin_shuffle(
          std::bit_cast<Halves>(left.of[i]), std::bit_cast<Halves>(right.of[i]), upper);
  }
}

// Tiles of the second factor: kTileDepth rows of kTileWidth numbers at distance `stride`.
inline void split_pairs(Splitter& split, const float* from, Int stride, Third* to, Int distance) {
  for (Int k = 0; k < kTileDepth; k += 2, from += 2 * stride, to += kTileDepth) {
    const Splitter::Parts even = split(load(from)), odd = split(load(from + stride));
    for (int i = 0; i < kThirds; ++i)
      *reinterpret_cast<LooseHalves*>(to + i * distance) =
          std::bit_cast<Halves>(even.of[i] >> 16 | odd.of[i]);
  }
}

}  // namespace baryon::BARYON_ISA
