// What the calls of convolutions on channel-blocked images have in common.
#pragma once

#include <algorithm>

#include "../kernel.h"
#include "../parallel.h"
#include "blocked_tile.h"
#include "conv_shape.h"

namespace baryon::BARYON_ISA {

// The sizes, from blocked `out` and `data` that is blocked or not, and from weights.
inline ConvShape shape_of(const Call& call, const Tensor& data, const Tensor& weight,
                          const Tensor& out) {
  Tensor space = data, result = out;
  const bool blocked = data.ndim == out.ndim;
  const auto plain = [](Tensor& t) {
    t.shape[1] *= t.shape[t.ndim - 1];
    --t.ndim;
  };
  if (blocked) plain(space);
  plain(result);
  ConvShape s = conv_shape(call, space, result);
  s.filters = weight.shape[0];
  s.channels = weight.shape[1] * s.groups;
  return s;
}

// Whether all lanes of channels and filters are in use.
inline bool is_whole(const ConvShape& s) {
  return s.channels % kBlock == 0 && s.filters % kBlock == 0;
}

inline bool is_blocked(const Tensor& t, int rank) {
  return t.ndim == rank + 3 && t.shape[t.ndim - 1] == kBlock;
}

// Numbers of filters, read by whole vectors: a copy where the last one has unused lanes.
class ByLanes {
 public:
  ByLanes(const float* numbers, Int count)
      : copy_(numbers != nullptr && count % kBlock != 0 ? round_up(count, kBlock) : 0),
        numbers_(numbers) {
    if (numbers == nullptr || count % kBlock == 0) return;
    std::fill_n(std::copy_n(numbers, count, copy_.get()), round_up(count, kBlock) - count, 0.0f);
    numbers_ = copy_.get();
  }
  const float* get() const { return numbers_; }

 private:
  const Scratch<float> copy_;
  const float* numbers_;
};

// What `make` puts in `count` floats, in the call's own memory or in `scratch`.
template <class Make>
const float* made(const Call& call, const Scratch<float>& scratch, const Make& make) {
  auto* memory = call.kept == nullptr ? scratch.get() : static_cast<float*>(call.kept);
  if (!call.filled) make(memory);
  return memory;
}

}  // namespace baryon::BARYON_ISA
