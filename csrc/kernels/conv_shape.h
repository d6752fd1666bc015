// The sizes of one convolution call, always over three spatial axes (missing ones have size 1).
#pragma once

#include <algorithm>
#include <array>
#include <vector>

#include "../kernel.h"
#include "windows.h"

namespace baryon::BARYON_ISA {

// data (batch, channels, *in) and weight (filters, channels / groups, *kernel) give
// (batch, filters, *out).
struct ConvShape {
  Int batch, channels, filters, groups;
  Int3 in, out, kernel, stride, dilate, pad;

  Int channels_per_group() const { return channels / groups; }
  Int filters_per_group() const { return filters / groups; }
  Int taps() const { return volume(kernel); }
  // Weights of one filter.
  Int depth() const { return channels_per_group() * taps(); }
  bool empty() const { return batch == 0 || channels == 0 || filters == 0 || volume(out) == 0; }
};

// params: groups, then kernel, stride, dilation and padding of each axis.
inline ConvShape conv_shape(const Call& call, const Tensor& data, const Tensor& out) {
  ConvShape s{};
  const int rank = data.ndim - 2;
  s.batch = data.shape[0];
  s.channels = data.shape[1];
  s.filters = out.shape[1];
  s.groups = static_cast<Int>(call.params[0]);
  for (int i = 0; i < 3; ++i) {
    const int axis = i - (3 - rank);  // the last axes are the real ones
    const auto param = [&](int which) {
      return static_cast<Int>(call.params[1 + which * rank + axis]);
    };
    const bool real = axis >= 0;
    s.in[i] = real ? data.shape[2 + axis] : 1;
    s.out[i] = real ? out.shape[2 + axis] : 1;
    s.kernel[i] = real ? param(0) : 1;
    s.stride[i] = real ? param(1) : 1;
    s.dilate[i] = real ? param(2) : 1;
    s.pad[i] = real ? param(3) : 0;
  }
  return s;
}

// Calls body(index, place) for every place of a box, the last axis fastest.
template <class Body>
void for_each_place(const Int3& size, const Body& body) {
  Int index = 0;
  for (Int z = 0; z < size[0]; ++z)
    for (Int y = 0; y < size[1]; ++y)
      for (Int x = 0; x < size[2]; ++x) body(index++, Int3{z, y, x});
}

// What each tap adds to the place that a result starts reading from.
inline std::vector<Int3> taps_of(const ConvShape& s) {
  std::vector<Int3> taps;
  for_each_place(s.kernel, [&](Int, const Int3& at) {
    taps.push_back({});
    for (int i = 0; i < 3; ++i) taps.back()[i] = at[i] * s.dilate[i] - s.pad[i];
  });
  return taps;
}

}  // namespace baryon::BARYON_ISA
