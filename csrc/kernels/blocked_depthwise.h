// Convolution of channel-blocked images with one channel and one filter a group.
#pragma once

#include <algorithm>
#include <vector>

#include "../parallel.h"
#include "blocked_product.h"
#include "conv_shape.h"
#include "transpose.h"

namespace baryon::BARYON_ISA {

// Weights (channels, taps) as [block][tap][channel], for the chosen taps.
inline void pack_depthwise(const ConvShape& s, const float* weight, const std::vector<Int>& chosen,
                           float* packed) {
  const Int taps = s.taps();
  const Scratch<float> turned(taps * kBlock);
  for (Int block = 0; block < s.channels / kBlock; ++block) {
    transpose_block<float>(turned.get(), kBlock, weight + block * kBlock * taps, taps, taps,
                           kBlock);
    for (const Int tap : chosen) {
      store(packed, load(turned.get() + tap * kBlock));
      packed += kBlock;
    }
  }
}

template <int pixels>
void run_depthwise_tile(const PixelTile& tile) {
  Lane sums[pixels] = {};
  for (Int t = 0; t < tile.count; ++t) {
    const Lane weight = load(tile.weights + t * kBlock);
    const float* from = tile.from + tile.terms[t];
#pragma GCC unroll 8
    for (int r = 0; r < pixels; ++r) sums[r] += weight * load(from + r * kBlock);
  }
  const Lane scale = tile.scale == nullptr ? broadcast(1.0f) : load(tile.scale);
  const Lane bias = tile.bias == nullptr ? Lane{} : load(tile.bias);
#pragma GCC unroll 8
  for (int r = 0; r < pixels; ++r) {
    float* to = tile.to + r * tile.to_pixel;
    store(to, tile.finish(sums[r] * scale + bias, to));
  }
}

// Tiles of 8, 4, 2 and 1 pixels.
inline void run_depthwise_row(PixelTile tile, Int columns) {
  const auto run = [&](PixelFn run_tile, Int pixels) {
    for (; columns >= pixels; columns -= pixels) {
      run_tile(tile);
      tile.from += pixels * kBlock;
      tile.to += pixels * tile.to_pixel;
    }
  };
  run(run_depthwise_tile<8>, 8);
  run(run_depthwise_tile<4>, 4);
  run(run_depthwise_tile<2>, 2);
  run(run_depthwise_tile<1>, 1);
}

// A product whose weights are packed for it, as many filter blocks as groups of channels.
inline void run_depthwise(const BlockedProduct& p) {
  constexpr Int kKept = 32 * 1024;  // floats of the image that stay in the cache
  const Int line = (p.size[2] + 2) * p.step[1] * kBlock;
  const Int rows = std::clamp<Int>(kKept / line, 1, p.grid[1]), bands = parts(p.grid[1], rows);
  const BlockedRoom room(p.size, p.step, p.taps, rows, p.grid[2], kBlock);
  std::vector<Int> terms;
  for (const Int3& tap : p.taps) terms.push_back(room.place(tap));
  const Int plane = p.size[1] * p.size[2] * kBlock,
            out_plane = p.out_size[1] * p.out_size[2] * kBlock;
  const Int work = rows * p.grid[2] * kBlock * static_cast<Int>(terms.size() + 1);
  parallel_for(p.batch * p.groups * bands, 1 + 65536 / (1 + work), [&](Int begin, Int end) {
    const Scratch<float> copy(room.plane() + kBlock);
    PixelTile tile{};
    tile.terms = terms.data();
    tile.count = static_cast<Int>(terms.size());
    tile.to_pixel = p.out_step[2] * kBlock;
    tile.finish = p.finish;
    for (Int i = begin; i < end; ++i) {
      const Int image = i / bands, block = image % p.groups, first = i % bands * rows;
      room.fill(p.data + image * plane, first, copy.get());
      tile.weights = p.weights + block * tile.count * kBlock;
      tile.bias = p.bias == nullptr ? nullptr : p.bias + block * kBlock;
      tile.scale = p.scale == nullptr ? nullptr : p.scale + block * kBlock;
      for (Int y = first; y < std::min(p.grid[1], first + rows); ++y) {
        tile.from = copy.get() + (y - first) * room.next_row();
        tile.to = p.out + image * out_plane +
                  ((y * p.out_step[1] + p.out_begin[1]) * p.out_size[2] + p.out_begin[2]) * kBlock;
        run_depthwise_row(tile, p.grid[2]);
      }
    }
  });
}

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
