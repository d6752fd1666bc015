// The gradient of a convolution by its data, which is the transposed convolution.
#pragma once

#include <algorithm>

#include "conv_depthwise.h"

namespace baryon::BARYON_ISA {

// The transposed convolution at the places of the input that are `phase` modulo the stride.
template <class T>
void spread_phase(const ConvShape& s, const Int3& phase, const T* head, const T* weight,
                  const T* bias, T* out) {
  ConvProduct<T> p{};
  p.groups = s.groups;
  p.rows = s.channels_per_group();
  p.channels = s.filters_per_group();
  for_each_place(s.kernel, [&](Int index, const Int3& at) {
    Int3 tap;
    for (int i = 0; i < 3; ++i) {
      const Int reach = phase[i] + s.pad[i] - at[i] * s.dilate[i];
      if (reach % s.stride[i] != 0) return;
      tap[i] = reach / s.stride[i];
    }
    p.taps.push_back(tap);
    p.tap_index.push_back(index);
  });
  p.batch = s.batch;
  for (int i = 0; i < 3; ++i) p.grid[i] = parts(s.in[i] - phase[i], s.stride[i]);
  p.images = images_of(head, s.batch, s.filters, s.out);
  p.weights = {weight, s.filters_per_group() * s.depth(), s.taps(), s.depth()};
  p.bias = bias;
  p.target = target_of(out, s.channels, s.in);
  p.target.step = s.stride;
  p.target.begin = phase;
  run_product(s, p);
}

// Adds the columns of one channel of one image, (*kernel, *out), up in its plane.
template <class T>
void fold(const ConvShape& s, const T* columns, T bias, T* plane) {
  std::fill_n(plane, volume(s.in), bias);
  for_each_place(s.kernel, [&](Int, const Int3& at) {
    const Int shift = at[2] * s.dilate[2] - s.pad[2], step = s.stride[2];
    const Int low = std::clamp<Int>(parts(-shift, step), 0, s.out[2]);
    const Int high = std::clamp<Int>(parts(s.in[2] - shift, step), low, s.out[2]);
    for (Int oz = 0; oz < s.out[0]; ++oz) {
      const Int z = oz * s.stride[0] + at[0] * s.dilate[0] - s.pad[0];
      for (Int oy = 0; oy < s.out[1]; ++oy, columns += s.out[2]) {
        const Int y = oy * s.stride[1] + at[1] * s.dilate[1] - s.pad[1];
        if (z < 0 || z >= s.in[0] || y < 0 || y >= s.in[1]) continue;
        T* row = plane + (z * s.in[1] + y) * s.in[2] + shift;
        if (step == 1) {
#pragma GCC ivdep
          for (Int x = low; x < high; ++x) row[x] += columns[x];
        } else {
          for (Int x = low; x < high; ++x) row[x * step] += columns[x];
        }
      }
    }
  });
}

// By way of all columns, (batch, channels, *kernel, *out), some images at a time: no product falls
// on padding, at the price of memory traffic.
template <class T>
void spread_columns(const ConvShape& s, const T* head, const T* weight, const T* bias, T* out) {
  constexpr Int kScratch = 1 << 20;  // columns held at a time
  const Int taps = s.taps(), pixels = volume(s.out), row = taps * pixels;
  const Int images = std::clamp<Int>(kScratch / (s.channels * row), 1, s.batch);
  const Scratch<T> columns(images * s.channels * row);
  for (Int first = 0; first < s.batch; first += images) {
    ConvProduct<T> p{};
    p.groups = s.groups;
    p.rows = s.depth();
    p.channels = s.filters_per_group();
    p.taps = {{0, 0, 0}};
    p.tap_index = {0};
    p.batch = std::min(images, s.batch - first);
    p.grid = s.out;
    p.images = images_of(head + first * s.filters * pixels, p.batch, s.filters, s.out);
    p.weights = {weight, s.filters_per_group() * s.depth(), 1, s.depth()};
    p.target = target_of(columns.get(), s.channels * taps, s.out);
    flatten_pointwise(p);
    ConvRunner<T>(p).run();
    T* to = out + first * s.channels * volume(s.in);
    parallel_for(p.batch * s.channels, 1 + 32768 / row, [&](Int begin, Int end) {
      for (Int i = begin; i < end; ++i)
        fold(s, columns.get() + i * row, bias == nullptr ? T(0) : bias[i % s.channels],
             to + i * volume(s.in));
    });
  }
}

// Part of the products of the phases that do not fall on padding.
inline double useful(const ConvShape& s) {
  double part = 1;
  for (int i = 0; i < 3; ++i)
    part *= static_cast<double>(s.out[i]) * static_cast<double>(s.stride[i]) /
            static_cast<double>(std::max<Int>(s.in[i], 1));
  return part;
}

template <class T>
void spread(const ConvShape& s, const T* head, const T* weight, const T* bias, T* out) {
  if (s.batch == 0 || s.channels == 0 || volume(s.in) == 0) return;
  if (useful(s) < 0.7 && s.taps() > 1 && !is_depthwise(s))
    return spread_columns(s, head, weight, bias, out);
  const Int3 phases = {std::min(s.stride[0], s.in[0]), std::min(s.stride[1], s.in[1]),
                       std::min(s.stride[2], s.in[2])};
  for_each_place(phases,
                 [&](Int, const Int3& phase) { spread_phase(s, phase, head, weight, bias, out); });
}

}  // namespace baryon::BARYON_ISA
