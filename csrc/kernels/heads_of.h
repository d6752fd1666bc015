// Heads of attention, as projections lie in memory: each head of each sample is a matrix whose rows
// are `stride` numbers apart.
#pragma once

#include "../tensor.h"
#include "simd.h"

namespace baryon::BARYON_ISA {

template <class T>
struct Heads {
  const T* data;
  Int length, count, size;
  Int step, stride;  // from one head, and from one row of a head, to the next

  const T* of(Int head) const { return data + head * step; }

  // One of the parts (queries, keys, values) that lie interleaved, (length, batch, heads * parts *
  // size).
  static Heads interleaved(const Tensor& t, Int heads, Int parts, Int part) {
    const Int size = t.shape[2] / (heads * parts), count = t.shape[1] * heads;
    return {t.as<T>() + part * size, t.shape[0], count, size, parts * size, count * parts * size};
  }
  // (..., length, size).
  static Heads stacked(const Tensor& t) {
    const Int length = t.shape[t.ndim - 2], size = t.shape[t.ndim - 1];
    Int count = 1;
    for (int i = 0; i < t.ndim - 2; ++i) count *= t.shape[i];
    return {t.as<T>(), length, count, size, length * size, size};
  }
};

}  // namespace baryon::BARYON_ISA
