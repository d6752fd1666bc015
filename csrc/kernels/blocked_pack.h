// Weights in the order in which tiles read them.
#pragma once

#include <vector>

#include "../parallel.h"
#include "blocked_tile.h"
#include "conv_shape.h"
#include "transpose.h"

namespace baryon::BARYON_ISA {

// Filters along the lanes, times a scale for each if there is one: (filters, channels, taps) ->
// [pair of blocks][channel / inner][tap] [inner][filter].
inline void pack_forward(const ConvShape& s, const float* weight, const float* scale, Int inner,
                         float* packed) {
  const Int taps = s.taps(), depth = s.depth(), blocks = s.filters / kBlock;
  parallel_for(parts(blocks, 2), 1 + 16384 / (2 * kBlock * depth), [&](Int begin, Int end) {
    const Scratch<float> turned(depth * kBlock);
    for (Int block = 2 * begin; block < std::min(blocks, 2 * end); ++block) {
      const Int vectors = std::min<Int>(2, blocks - block / 2 * 2);
      transpose_block<float>(turned.get(), kBlock, weight + block * kBlock * depth, depth, depth,
                             kBlock);
      float* to = packed + block / 2 * 2 * kBlock * depth + block % 2 * kBlock;
      const float* from = turned.get();
      const Lane factor = scale == nullptr ? broadcast(1.0f) : load(scale + block * kBlock);
      for (Int c = 0; c < s.channels; c += inner)
        for (Int t = 0; t < taps; ++t)
          for (Int i = 0; i < inner; ++i, to += vectors * kBlock)
            store(to, load(from + ((c + i) * taps + t) * kBlock) * factor);
    }
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
