// Convolution of channel-blocked images with one channel and one filter a group.
#pragma once

#include <algorithm>
#include <vector>

#include "../parallel.h"
#include "blocked_product.h"
#include "conv_shape.h"
#include "transpose.h"

namespace baryon::BARYON_ISA {

// Weights (channels, taps) of a block as [tap][channel]; those of unused lanes are 0.
inline void pack_depthwise_block(const ConvShape& s, const float* weight, Int block, float* to) {
  const Int taps = s.taps(), used = std::min<Int>(kBlock, s.channels - block * kBlock);
  if (used < kBlock) std::fill_n(to, taps * kBlock, 0.0f);
  transpose_block<float>(to, kBlock, weight + block * kBlock * taps, taps, taps, used);
}

// All blocks, for the chosen taps.
inline void pack_depthwise(const ConvShape& s, const float* weight, const std::vector<Int>& chosen,
                           float* packed) {
  const Scratch<float> turned(s.taps() * kBlock);
  for (Int block = 0; block < parts(s.channels, kBlock); ++block) {
    pack_depthwise_block(s, weight, block, turned.get());
    for (const Int tap : chosen) {
      store(packed, load(turned.get() + tap * kBlock));
      packed += kBlock;
    }
  }
}

// Taps of a window: distances of what they read, and where their weights are. Each entry is a run
// of `width` taps that read pixels side by side, with weights side by side.
struct Taps {
  std::vector<Int> places, chosen;
  Int width = 1;
  Int count() const { return static_cast<Int>(places.size()); }

  void add(Int place, Int weight) {
    places.push_back(place);
    chosen.push_back(weight);
  }
  // Joins taps, given one by one, to runs of three if all of them are such.
  void join() {
    constexpr Int kRun = 3;
    const Int taps = count();
    if (taps % kRun != 0) return;
    for (Int t = 0; t < taps; ++t)
      if (t % kRun != 0 &&
          (places[t] != places[t - 1] + kBlock || chosen[t] != chosen[t - 1] + kBlock))
        return;
    for (Int t = 0; t < taps; t += kRun) {
      places[t / kRun] = places[t];
      chosen[t / kRun] = chosen[t];
    }
    places.resize(static_cast<std::size_t>(taps / kRun));
    chosen.resize(static_cast<std::size_t>(taps / kRun));
    width = kRun;
  }
};

// What the tiles of a block of channels share.
struct DepthwiseTile {
  const float *weights, *bias;  // the latter may be null
  Int step, to_step;            // between what neighbouring places read, and between their results
  Finish finish;
};

constexpr int kPlaces = kSingleRows;  // of the largest tile

// Places side by side, `step` pixels apart (0: as the tile says). What a run of taps reads for them
// is loaded once.
template <int places, int step, int width>
void run_depthwise_tile(const DepthwiseTile& tile, const Taps& taps, const float* from, float* to) {
  const Lane bias = tile.bias == nullptr ? Lane{} : load(tile.bias);
  Lane sums[places];
#pragma GCC unroll 16
  for (int r = 0; r < places; ++r) sums[r] = bias;
  const Int apart = step == 0 ? tile.step : step * kBlock, count = taps.count();
  const Int *terms = taps.places.data(), *chosen = taps.chosen.data();
  for (Int t = 0; t < count; ++t) {
    const float *one = from + terms[t], *weights = tile.weights + chosen[t];
    if constexpr (width == 1) {
      const Lane weight = load(weights);
#pragma GCC unroll 16
      for (int r = 0; r < places; ++r) sums[r] += weight * load(one + r * apart);
    } else {
      Lane factors[width];
#pragma GCC unroll 4
      for (int k = 0; k < width; ++k) factors[k] = load(weights + k * kBlock);
#pragma GCC unroll 64
      for (int i = 0; i < (places - 1) * step + width; ++i) {
        const Lane pixel = load(one + i * kBlock);
#pragma GCC unroll 4
        for (int k = 0; k < width; ++k)
          if (i >= k && (i - k) % step == 0 && (i - k) / step < places)
            sums[(i - k) / step] += factors[k] * pixel;
      }
    }
  }
  const Finish finish = tile.finish;
  const Int to_step = tile.to_step;
  if (finish.addend == nullptr && finish.bounded) {
    const Lane bottom = broadcast(finish.low), top = broadcast(finish.high);
#pragma GCC unroll 16
    for (int r = 0; r < places; ++r) store(to + r * to_step, bound(sums[r], bottom, top));
    return;
  }
#pragma GCC unroll 16
  for (int r = 0; r < places; ++r, to += to_step) store(to, finish(sums[r], to));
}

using DepthwiseFn = void (*)(const DepthwiseTile&, const Taps&, const float*, float*);

template <int step, int width>
DepthwiseFn depthwise_tile(Int places) {
  static constexpr auto table = []<int... i>(std::integer_sequence<int, i...>) {
    return std::array<DepthwiseFn, sizeof...(i)>{run_depthwise_tile<i + 1, step, width>...};
  }(std::make_integer_sequence<int, kPlaces>());
  return table[places - 1];
}
inline DepthwiseFn depthwise_tile(Int places, Int step, Int width) {
  if (step == kBlock)
    return width > 1 ? depthwise_tile<1, 3>(places) : depthwise_tile<1, 1>(places);
  if (step == 2 * kBlock)
    return width > 1 ? depthwise_tile<2, 3>(places) : depthwise_tile<2, 1>(places);
  return depthwise_tile<0, 1>(places);
}

// Tiles of about the same size for so many places side by side.
class DepthwiseRow {
 public:
  DepthwiseRow(Int places, Int step, const Taps& taps) {
    const Int tiles = parts(places, kPlaces);
    for (Int i = 0; i < tiles; ++i) {
      const Int x = places * i / tiles, some = places * (i + 1) / tiles - x;
      tiles_.push_back({x, depthwise_tile(some, step, taps.width)});
    }
  }
  void run(const DepthwiseTile& tile, const Taps& taps, const float* from, float* to) const {
    for (const auto& [x, run] : tiles_)
      run(tile, taps, from + x * tile.step, to + x * tile.to_step);
  }

 private:
  std::vector<std::pair<Int, DepthwiseFn>> tiles_;
};

// Weights of a block with what its results are multiplied with.
inline void scale_depthwise(const float* weights, const float* scale, Int taps, float* to) {
  const Lane factor = load(scale);
  for (Int t = 0; t < taps; ++t) store(to + t * kBlock, load(weights + t * kBlock) * factor);
}

// Places along an axis: those in [begin, end) read within the image, the others leave out taps.
struct Edges {
  Int begin, end, all;

  Edges(const BlockedProduct& p, int axis) : all(p.grid[axis]) {
    Int low = 0, high = 0;
    for (const Int3& tap : p.taps) {
      low = std::min(low, tap[axis]);
      high = std::max(high, tap[axis]);
    }
    const Int fit = p.size[axis] - 1 - high;
    begin = std::min(all, parts(-low, p.step[axis]));
    end = fit < 0 ? begin : std::clamp(fit / p.step[axis] + 1, begin, all);
  }
  // Places of one kind have the same taps; how many kinds there are, and a place of each.
  Int kind(Int at) const { return at < begin ? at : at < end ? begin : at - end + begin + 1; }
  Int kinds() const { return begin + 1 + all - end; }
  Int of_kind(Int kind) const { return kind <= begin ? kind : kind - begin - 1 + end; }
};

// A product whose weights are packed for it, as many filter blocks as groups of channels. Windows
// are read where they lie.
class DepthwiseRunner {
 public:
  explicit DepthwiseRunner(const BlockedProduct& p) : p_(p), rows_(p, 1), columns_(p, 2) {
    const Int step = p.step[2] * kBlock;
    for (Int y = 0; y < rows_.kinds(); ++y)
      for (Int x = 0; x < columns_.kinds(); ++x) {
        taps_.push_back(taps_at(rows_.of_kind(y), columns_.of_kind(x)));
        if (step <= 2 * kBlock) taps_.back().join();
        const bool inside = x == columns_.begin;
        row_tiles_.emplace_back(inside ? columns_.end - columns_.begin : 1, step, taps_.back());
      }
  }

  // Bands of rows, and in them blocks of channels: what a thread reads it has most often written,
  // for products of 1 x 1 windows are shared out alike.
  void run() const {
    constexpr Int kWide = 7;  // from here on they share out filters rather than rows
    const Int bands = p_.filter_blocks * kBlock > kWide * volume(p_.grid)
                          ? 1
                          : std::min(p_.grid[1], 2 * static_cast<Int>(num_threads()));
    const Int work = volume(p_.grid) / bands * kBlock * (taps() + 1);
    parallel_for(
        p_.batch * bands * p_.filter_blocks, 1 + 32768 / (1 + work), [&](Int begin, Int end) {
          const Scratch<float> scaled(p_.scale == nullptr ? 0 : taps() * kBlock);
          for (Int i = begin; i < end; ++i) {
            const Int image = i / p_.filter_blocks / bands, band = i / p_.filter_blocks % bands;
            run_rows(image, i % p_.filter_blocks, p_.grid[1] * band / bands,
                     p_.grid[1] * (band + 1) / bands, scaled.get());
          }
        });
  }

 private:
  Int taps() const { return static_cast<Int>(p_.taps.size()); }

  Taps taps_at(Int y, Int x) const {
    Taps found;
    for (const Int3& tap : p_.taps) {
      const Int row = y * p_.step[1] + tap[1], column = x * p_.step[2] + tap[2];
      if (row < 0 || row >= p_.size[1] || column < 0 || column >= p_.size[2]) continue;
      found.add((tap[1] * p_.size[2] + tap[2]) * kBlock, (&tap - p_.taps.data()) * kBlock);
    }
    return found;
  }

  void run_rows(Int image, Int block, Int begin, Int end, float* scaled) const {
    DepthwiseTile tile{};
    tile.step = p_.step[2] * kBlock;
    tile.weights = p_.weights + block * taps() * kBlock;
    tile.bias = p_.bias == nullptr ? nullptr : p_.bias + block * kBlock;
    if (p_.scale != nullptr) {
      scale_depthwise(tile.weights, p_.scale + block * kBlock, taps(), scaled);
      tile.weights = scaled;
    }
    tile.finish = p_.finish;
    tile.to_step = p_.out_step[2] * kBlock;
    const Int plane = image * p_.filter_blocks + block;
    for (Int y = begin; y < end; ++y) {
      const float* from = p_.data + (plane * p_.size[1] + y * p_.step[1]) * p_.size[2] * kBlock;
      const Int row = plane * p_.out_size[1] + y * p_.out_step[1] + p_.out_begin[1];
      run_row(tile, y, from, p_.out + (row * p_.out_size[2] + p_.out_begin[2]) * kBlock);
    }
  }

  void run_row(const DepthwiseTile& tile, Int y, const float* from, float* to) const {
    const Int kinds = rows_.kind(y) * columns_.kinds();
    const auto run = [&](Int x) {
      const Int kind = kinds + columns_.kind(x);
      row_tiles_[kind].run(tile, taps_[kind], from + x * tile.step, to + x * tile.to_step);
    };
    for (Int x = 0; x < columns_.begin; ++x) run(x);
    if (columns_.begin < columns_.end) run(columns_.begin);
    for (Int x = columns_.end; x < columns_.all; ++x) run(x);
  }

  const BlockedProduct& p_;
  const Edges rows_, columns_;
  // Of each kind of row, for each kind of column:
  std::vector<Taps> taps_;
  std::vector<DepthwiseRow> row_tiles_;
};

// The gradient by weights: one block of channels after the other, over the batch in order.
inline void blocked_depthwise_weights(const ConvShape& s, const float* head, const float* data,
                                      float* weight) {
  const std::vector<Int3> taps = taps_of(s);
  const Int blocks = s.channels / kBlock, count = s.taps(), line = s.in[2] * kBlock;
  const BlockedRoom room(s.in, s.stride, taps, s.out[1], s.out[2], kBlock);
  parallel_for(blocks, 1, [&](Int begin, Int end) {
    const Scratch<float> copy(room.plane() + kBlock), sums(count * kBlock);
    for (Int block = begin; block < end; ++block) {
      std::fill_n(sums.get(), count * kBlock, 0.0f);
      for (Int n = 0; n < s.batch; ++n) {
        const Int image = n * blocks + block;
        room.fill(data + image * s.in[1] * line, 0, copy.get());
        for (Int y = 0; y < s.out[1]; ++y) {
          const float* row = head + (image * s.out[1] + y) * s.out[2] * kBlock;
          for (Int t = 0; t < count; ++t) {
            const float* from = copy.get() + y * room.next_row() + room.place(taps[t]);
            Lane one{}, two{};
            Int x = 0;
            for (; x + 1 < s.out[2]; x += 2) {
              one += load(row + x * kBlock) * load(from + x * kBlock);
              two += load(row + (x + 1) * kBlock) * load(from + (x + 1) * kBlock);
            }
            if (x < s.out[2]) one += load(row + x * kBlock) * load(from + x * kBlock);
            float* sum = sums.get() + t * kBlock;
            store(sum, load(sum) + one + two);
          }
        }
      }
      transpose_block<float>(weight + block * kBlock * count, count, sums.get(), kBlock, kBlock,
                             count);
    }
  });
}

}  // namespace baryon::BARYON_ISA
