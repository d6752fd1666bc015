// Weights in the order in which tiles read them.
#pragma once

#include <algorithm>
#include <vector>

#include "../parallel.h"
#include "blocked_tile.h"
#include "conv_shape.h"
#include "transpose.h"

namespace baryon::BARYON_ISA {

// Filters along the lanes, for a pair of blocks of filters (or a last single one) that begins with
// `block`: (filters, channels, taps) -> [channel / inner][tap][inner][filter].
inline void pack_pair(const ConvShape& s, const float* weight, Int inner, Int block, float* to) {
  const Int taps = s.taps(), depth = s.depth();
  const Int vectors = std::min<Int>(2, parts(s.filters, kBlock) - block), row = vectors * kBlock;
  const Int some = std::max(inner, 64 / taps / inner * inner);  // channels turned at a time
  const Scratch<float> turned(some * taps * kBlock);
  const Int unused = (block + vectors) * kBlock - s.filters;
  if (unused > 0) {
    std::fill_n(to, depth * row, 0.0f);
    std::fill_n(turned.get(), some * taps * kBlock, 0.0f);
  }
  for (Int v = 0; v < vectors; ++v) {
    const float* from = weight + (block + v) * kBlock * depth;
    const Int used = std::min<Int>(kBlock, s.filters - (block + v) * kBlock);
    for (Int c = 0; c < s.channels; c += some) {
      const Int count = std::min(some, s.channels - c);
      float* next = to + c * taps * row + v * kBlock;
      if (taps == 1) {
        transpose_block<float>(next, row, from + c, depth, count, used);
        continue;
      }
      transpose_block<float>(turned.get(), kBlock, from + c * taps, depth, count * taps, used);
      for (Int k = 0; k < count; k += inner)
        for (Int t = 0; t < taps; ++t)
          for (Int i = 0; i < std::min(inner, count - k); ++i, next += row)
            store(next, load(turned.get() + ((k + i) * taps + t) * kBlock));
    }
  }
}

// All pairs, one after the other.
inline void pack_forward(const ConvShape& s, const float* weight, Int inner, float* packed) {
  const Int depth = s.depth();
  parallel_for(parts(s.filters, 2 * kBlock), 1 + 16384 / (2 * kBlock * depth),
               [&](Int begin, Int end) {
                 for (Int pair = begin; pair < end; ++pair)
                   pack_pair(s, weight, inner, 2 * pair, packed + 2 * pair * kBlock * depth);
               });
}

// Channels along the lanes, for the taps of one phase: (filters, channels, taps) -> [pair of
// blocks of channels][block of filters][tap][filter][channel].
inline void pack_backward(const ConvShape& s, const float* weight, const std::vector<Int>& chosen,
                          float* packed) {
  const Int taps = s.taps(), blocks = s.channels / kBlock, count = static_cast<Int>(chosen.size());
  const Int pair = 2 * kBlock * s.filters * count;
  parallel_for(parts(blocks, 2), 1 + 16384 / (1 + pair), [&](Int begin, Int end) {
    const Scratch<float> turned(taps * kBlock);
    for (Int block = 2 * begin; block < std::min(blocks, 2 * end); ++block) {
      const Int vectors = std::min<Int>(2, blocks - block / 2 * 2);
      float* to = packed + block / 2 * pair + block % 2 * kBlock;
      for (Int f = 0; f < s.filters; ++f) {
        const float* from = weight + (f * s.channels + block * kBlock) * taps;
        if (taps > 1) transpose_block<float>(turned.get(), kBlock, from, taps, taps, kBlock);
        for (Int t = 0; t < count; ++t) {
          const Int row = (f / kBlock * count + t) * kBlock + f % kBlock;
          store(to + row * vectors * kBlock,
                load(taps > 1 ? turned.get() + chosen[t] * kBlock : from));
        }
      }
    }
  });
}

}  // namespace baryon::BARYON_ISA
