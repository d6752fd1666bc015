// Register tiles of convolutions on channel-blocked images.
//
// A blocked image is (batch, channels / kBlock, *space, kBlock): one vector holds kBlock channels
// of one pixel. A tile is some pixels of a row by one or two vectors of filters, summed in
// registers.
#pragma once

#include <array>
#include <utility>

#include "simd.h"

namespace baryon::BARYON_ISA {

constexpr int kBlock = kLanes<float>;
constexpr int kPairRows = kTileRows;        // pixels of a tile of two vectors of filters
constexpr int kSingleRows = kTileRows + 2;  // and of one
using Lane = Vector<float>;

inline Lane bound(Lane value, Lane bottom, Lane top) {
  value = value < bottom ? bottom : value;  // (NaN passes)
  return top < value ? top : value;
}

// What is done to results before they are stored: a tensor like them is added, bounds cut them.
struct Finish {
  const float* addend = nullptr;  // as far from the results as `base` says
  const float* base = nullptr;    // where the results begin
  float low = 0, high = 0;
  bool bounded = false;

  bool nothing() const { return addend == nullptr && !bounded; }
  Lane operator()(Lane value, const float* to) const {
    if (addend != nullptr) value += load(addend + (to - base));
    return bounded ? bound(value, broadcast(low), broadcast(high)) : value;
  }
};

// One tile: every term reads `inner` values of each pixel, a block of channels or a single one.
// Its pixels lie side by side, or are every second one (`apart` is 2); if it is `split`, half of
// them do, and then the other half.
struct PixelTile {
  const float* from;          // the first pixel
  const Int* terms;           // distances of what each term reads
  Int count;                  // of terms
  const float* weights;       // [term][inner][vector of filters]
  const float *bias, *scale;  // of the filters: results are sums * scale + bias; or null
  float* to;
  Int to_pixel, to_block;  // distances of pixels and of blocks of filters in the result
  Finish finish;
  Int gap = 0, to_gap = 0;  // what lies between the halves
  // Weights of later tiles, fetched meanwhile: after each value of the terms `ahead_step` further.
  const float* ahead = nullptr;
  Int ahead_step = 0;
  // How many of the last terms read only so many lanes of a block.
  Int cut = 0;
  int lanes = 0;
};

template <int rows, int vectors, bool split>
inline void store_pixels(const PixelTile& tile, Lane (&sums)[rows][vectors]) {
  const Finish finish = tile.finish;
  const Int pixel = tile.to_pixel, block = tile.to_block;
  float* const first = tile.to;
  const bool plain = tile.scale == nullptr && tile.bias == nullptr && finish.nothing();
#pragma GCC unroll 2
  for (int v = 0; v < vectors; ++v) {
    const Lane scale = tile.scale == nullptr ? broadcast(1.0f) : load(tile.scale + v * kBlock);
    const Lane bias = tile.bias == nullptr ? Lane{} : load(tile.bias + v * kBlock);
    float* to = first + v * block;
#pragma GCC unroll 16
    for (int r = 0; r < rows; ++r, to += pixel) {
      if (split && r == rows / 2) to += tile.to_gap;
      store(to, plain ? sums[r][v] : finish(sums[r][v] * scale + bias, to));
    }
  }
}

template <int rows, int vectors, int inner, bool split = false, int apart = 1>
void run_pixels(const PixelTile& tile) {
  constexpr int kPixel = inner * apart;
  Lane sums[rows][vectors];
#pragma GCC unroll 16
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 2
    for (int v = 0; v < vectors; ++v) sums[r][v] = Lane{};
  constexpr int kSoon = 16 * vectors * kBlock;  // how far weights are fetched before their use
  const float* weights = tile.weights;
  const float* ahead = tile.ahead == nullptr ? weights : tile.ahead;
  for (Int t = 0; t < tile.count; ++t) {
    const float* from = tile.from + tile.terms[t];
    const float* second = split ? from + tile.gap : from;
    // What comes two terms later, or in the tile behind this one, may lie in another core's cache.
    const Int later = t + 2 < tile.count ? tile.terms[t + 2] : rows * kPixel + tile.terms[0];
    const float* next = tile.from + later;
    const auto add = [&](int i) __attribute__((always_inline)) {
      Lane filters[vectors];
#pragma GCC unroll 2
      for (int v = 0; v < vectors; ++v) {
        filters[v] = load(weights + v * kBlock);
        __builtin_prefetch(weights + kSoon + v * kBlock);
      }
      if (inner > 1) {
        __builtin_prefetch(next + i * kPixel);
        __builtin_prefetch(ahead, 0, 2);
        ahead += tile.ahead_step;
      }
#pragma GCC unroll 16
      for (int r = 0; r < rows; ++r)
#pragma GCC unroll 2
        for (int v = 0; v < vectors; ++v)
          sums[r][v] += (r < rows / 2 ? from : second)[r * kPixel + i] * filters[v];
      weights += vectors * kBlock;
    };
    if (inner > 1 && t >= tile.count - tile.cut) {
      for (int i = 0; i < tile.lanes; ++i) add(i);
    } else {
#pragma GCC unroll 2
      for (int i = 0; i < inner; ++i) add(i);
    }
  }
  store_pixels<rows, vectors, split>(tile, sums);
}

using PixelFn = void (*)(const PixelTile&);

template <int vectors, int inner, int most, int apart = 1>
PixelFn pixels_of(Int rows) {
  constexpr auto table = []<int... i>(std::integer_sequence<int, i...>) {
    return std::array<PixelFn, sizeof...(i)>{run_pixels<i + 1, vectors, inner, false, apart>...};
  }(std::make_integer_sequence<int, most>());
  return table[rows - 1];
}

// The tile of two rows of `columns` pixels each, which are blocked, by two vectors of filters.
template <int apart>
PixelFn two_rows_of(Int columns) {
  constexpr auto table = []<int... i>(std::integer_sequence<int, i...>) {
    return std::array<PixelFn, sizeof...(i)>{run_pixels<2 * i + 2, 2, kBlock, true, apart>...};
  }(std::make_integer_sequence<int, kPairRows / 2>());
  return table[columns - 1];
}
inline PixelFn two_rows_of(Int columns, Int apart) {
  return apart == 2 ? two_rows_of<2>(columns) : two_rows_of<1>(columns);
}

// The tile of `rows` pixels; `blocked` says what its terms read.
inline PixelFn pixels_of(Int rows, Int vectors, bool blocked, Int apart = 1) {
  if (apart == 2)
    return vectors == 2 ? pixels_of<2, kBlock, kPairRows, 2>(rows)
                        : pixels_of<1, kBlock, kSingleRows, 2>(rows);
  if (vectors == 2)
    return blocked ? pixels_of<2, kBlock, kPairRows>(rows) : pixels_of<2, 1, kPairRows>(rows);
  return blocked ? pixels_of<1, kBlock, kSingleRows>(rows) : pixels_of<1, 1, kSingleRows>(rows);
}

// A tile of weight gradients: some values of a pixel by one or two vectors of filters, summed over
// a box of pixels.
struct WeightTile {
  const float* data;
  Int data_row, data_pixel;
  const Int* places;  // distances of the values, for tiles that are not blocked
  const float* head;
  Int head_row, head_block;
  Int rows, columns;
  float* sums;                   // [value][vector of filters]
  const float* ahead = nullptr;  // lines that are fetched meanwhile, one a pixel
};

template <int values, int vectors, bool blocked>
void run_weights(const WeightTile& tile) {
  Lane sums[values][vectors];
  Int places[values];
  const float* ahead = tile.ahead;
  for (int i = 0; i < values; ++i) places[i] = blocked ? i : tile.places[i];
#pragma GCC unroll 16
  for (int i = 0; i < values; ++i)
#pragma GCC unroll 2
    for (int v = 0; v < vectors; ++v) sums[i][v] = load(tile.sums + (i * vectors + v) * kBlock);
  for (Int y = 0; y < tile.rows; ++y) {
    const float* data = tile.data + y * tile.data_row;
    const float* head = tile.head + y * tile.head_row;
    for (Int x = 0; x < tile.columns; ++x, data += tile.data_pixel, head += kBlock) {
      Lane heads[vectors];
#pragma GCC unroll 2
      for (int v = 0; v < vectors; ++v) heads[v] = load(head + v * tile.head_block);
      if (ahead != nullptr) __builtin_prefetch(ahead, 0, 2), ahead += kBlock;
#pragma GCC unroll 16
      for (int i = 0; i < values; ++i)
#pragma GCC unroll 2
        for (int v = 0; v < vectors; ++v) sums[i][v] += data[blocked ? i : places[i]] * heads[v];
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < values; ++i)
#pragma GCC unroll 2
    for (int v = 0; v < vectors; ++v) store(tile.sums + (i * vectors + v) * kBlock, sums[i][v]);
}

constexpr int kPairValues = 8;  // of a tile of two vectors of filters

// The tiles of a block of channels.
inline void add_block(Int vectors, WeightTile tile) {
  constexpr int kPart = kBlock < kPairValues ? kBlock : kPairValues;
  if (vectors == 1) return run_weights<kBlock, 1, true>(tile);
  for (Int i = 0; i < kBlock; i += kPart, tile.data += kPart, tile.sums += kPart * 2 * kBlock) {
    run_weights<kPart, 2, true>(tile);
    tile.ahead = nullptr;
  }
}

}  // namespace baryon::BARYON_ISA
