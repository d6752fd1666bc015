// The transforms of Winograd's minimal filtering: F(4x4, 3x3), F(2x2, 3x3) and, for the gradient by
// weights, F(3x3, 4x4).
// (Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, 2016, arXiv:1509.09308.)
#pragma once

#include "blocked_tile.h"

namespace baryon::BARYON_ISA {

// ---- tiles of 6 x 6 ---------------------------------------------------------------------------

// The points beside 0 and infinity are plus and minus A and B. With 1 and 2, of which the rational
// transforms of the literature are made, errors are three to four times those with these.
constexpr float kA = 0.70710678118654752f, kB = 1.41421356237309505f;
constexpr float kA2 = 0.5f, kB2 = 2, kA3 = kA * kA2, kB3 = kB * kB2;
// One over the product of a point's distances from the others.
constexpr float kUnit0 = 1 / (kA2 * kB2), kUnitA = 1 / (2 * kA2 * (kA2 - kB2));
constexpr float kUnitB = 1 / (2 * kB2 * (kB2 - kA2));

// Transforms of one axis, in place of matrices; `from` and `to` are the distances of values.

struct OfData {  // of a tile of data
  static constexpr int kIn = 6, kOut = 6;
  static void apply(const Lane* d, int from, Lane* t, int to) {
    const Lane d0 = d[0], d1 = d[from], d2 = d[2 * from], d3 = d[3 * from], d4 = d[4 * from];
    const Lane d5 = d[5 * from];
    const Lane even_a = d4 - kB2 * d2, odd_a = kA * (d3 - kB2 * d1);
    const Lane even_b = d4 - kA2 * d2, odd_b = kB * (d3 - kA2 * d1);
    t[0] = kA2 * kB2 * d0 - (kA2 + kB2) * d2 + d4;
    t[to] = even_a + odd_a;
    t[2 * to] = even_a - odd_a;
    t[3 * to] = even_b + odd_b;
    t[4 * to] = even_b - odd_b;
    t[5 * to] = kA2 * kB2 * d1 - (kA2 + kB2) * d3 + d5;
  }
};

struct OfWeights {  // of the weights of a filter
  static constexpr int kIn = 3, kOut = 6;
  static void apply(const Lane* g, int from, Lane* t, int to) {
    const Lane g0 = g[0], g1 = g[from], g2 = g[2 * from];
    const Lane even_a = kUnitA * (g0 + kA2 * g2), odd_a = kUnitA * kA * g1;
    const Lane even_b = kUnitB * (g0 + kB2 * g2), odd_b = kUnitB * kB * g1;
    t[0] = kUnit0 * g0;
    t[to] = even_a + odd_a;
    t[2 * to] = even_a - odd_a;
    t[3 * to] = even_b + odd_b;
    t[4 * to] = even_b - odd_b;
    t[5 * to] = g2;
  }
};

struct ToResults {  // to a tile of results
  static constexpr int kIn = 6, kOut = 4;
  static void apply(const Lane* m, int from, Lane* y, int to) {
    const Lane even_a = m[from] + m[2 * from], odd_a = m[from] - m[2 * from];
    const Lane even_b = m[3 * from] + m[4 * from], odd_b = m[3 * from] - m[4 * from];
    y[0] = m[0] + even_a + even_b;
    y[to] = kA * odd_a + kB * odd_b;
    y[2 * to] = kA2 * even_a + kB2 * even_b;
    y[3 * to] = kA3 * odd_a + kB3 * odd_b + m[5 * from];
  }
};

struct OfHeads {  // of a tile of head gradients
  static constexpr int kIn = 4, kOut = 6;
  static void apply(const Lane* g, int from, Lane* t, int to) {
    const Lane g0 = g[0], g1 = g[from], g2 = g[2 * from], g3 = g[3 * from];
    const Lane even_a = kUnitA * (g0 + kA2 * g2), odd_a = kUnitA * kA * (g1 + kA2 * g3);
    const Lane even_b = kUnitB * (g0 + kB2 * g2), odd_b = kUnitB * kB * (g1 + kB2 * g3);
    t[0] = kUnit0 * g0;
    t[to] = even_a + odd_a;
    t[2 * to] = even_a - odd_a;
    t[3 * to] = even_b + odd_b;
    t[4 * to] = even_b - odd_b;
    t[5 * to] = g3;
  }
};

struct ToWeights {  // to the gradient by the weights of a filter
  static constexpr int kIn = 6, kOut = 3;
  static void apply(const Lane* m, int from, Lane* y, int to) {
    const Lane even_a = m[from] + m[2 * from], odd_a = m[from] - m[2 * from];
    const Lane even_b = m[3 * from] + m[4 * from], odd_b = m[3 * from] - m[4 * from];
    y[0] = m[0] + even_a + even_b;
    y[to] = kA * odd_a + kB * odd_b;
    y[2 * to] = kA2 * even_a + kB2 * even_b + m[5 * from];
  }
};

// ---- tiles of 4 x 4, with the points 0, 1, -1 and infinity --------------------------------------

struct OfSmallData {
  static constexpr int kIn = 4, kOut = 4;
  static void apply(const Lane* d, int from, Lane* t, int to) {
    const Lane d1 = d[from], d2 = d[2 * from];
    t[0] = d[0] - d2;
    t[to] = d1 + d2;
    t[2 * to] = d2 - d1;
    t[3 * to] = d[3 * from] - d1;
  }
};

struct OfSmallWeights {
  static constexpr int kIn = 3, kOut = 4;
  static void apply(const Lane* g, int from, Lane* t, int to) {
    const Lane even = 0.5f * (g[0] + g[2 * from]), odd = 0.5f * g[from];
    t[0] = g[0];
    t[to] = even + odd;
    t[2 * to] = even - odd;
    t[3 * to] = g[2 * from];
  }
};

struct ToSmallResults {
  static constexpr int kIn = 4, kOut = 2;
  static void apply(const Lane* m, int from, Lane* y, int to) {
    y[0] = m[0] + m[from] + m[2 * from];
    y[to] = m[from] - m[2 * from] + m[3 * from];
  }
};

// ---- both axes --------------------------------------------------------------------------------

// A way of filtering: how many results a tile has along each axis, places in transformed space, and
// the transforms.
struct LargeTiles {
  static constexpr int kStep = 4, kPlaces = 36;
  using Data = OfData;
  using Weights = OfWeights;
  using Results = ToResults;
};
struct SmallTiles {
  static constexpr int kStep = 2, kPlaces = 16;
  using Data = OfSmallData;
  using Weights = OfSmallWeights;
  using Results = ToSmallResults;
};

// Both axes of a tile, row by row.
template <class Axis>
inline void transform(const Lane* in, Lane* out) {
  Lane half[Axis::kOut * Axis::kIn];
#pragma GCC unroll 6
  for (int x = 0; x < Axis::kIn; ++x) Axis::apply(in + x, Axis::kIn, half + x, Axis::kIn);
#pragma GCC unroll 6
  for (int y = 0; y < Axis::kOut; ++y)
    Axis::apply(half + y * Axis::kIn, 1, out + y * Axis::kOut, 1);
}

// The same from places that are `next` floats apart.
template <class Axis>
inline void transform(const float* from, Int next, Lane* out) {
  Lane half[Axis::kOut * Axis::kIn];
#pragma GCC unroll 6
  for (int x = 0; x < Axis::kIn; ++x) {
    Lane in[Axis::kIn];
#pragma GCC unroll 6
    for (int y = 0; y < Axis::kIn; ++y) in[y] = load(from + (y * Axis::kIn + x) * next);
    Axis::apply(in, 1, half + x, Axis::kIn);
  }
#pragma GCC unroll 6
  for (int y = 0; y < Axis::kOut; ++y)
    Axis::apply(half + y * Axis::kIn, 1, out + y * Axis::kOut, 1);
}

}  // namespace baryon::BARYON_ISA
