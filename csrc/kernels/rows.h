// What normalisations do along rows: sums by vectors, and large results written past the caches.
#pragma once

#include <array>

#include "loops.h"
#include "simd.h"

namespace baryon::BARYON_ISA {

// `other` in the lanes behind `count`.
template <class T>
inline Vector<T> only(Vector<T> value, Whole, T) {
  return value;
}
template <class T>
inline Vector<T> only(Vector<T> value, Index count, T other) {
  const Lanes<T> lane = lanes<T, [](int k) { return k; }>();
  return lane < decltype(lane[0] + 0)(count) ? value : broadcast(other);
}

// Sums over n elements of the vectors that term(position, count, terms) puts into an array.
template <class T, int sums, class Term>
inline std::array<T, sums> totals(Index n, const Term& term) {
  constexpr int kAtOnce = 4 / sums;  // so that additions need not wait for each other
  Vector<T> all[kAtOnce][sums] = {};
  const auto add = [&](int k, Index at, auto count) {
    Vector<T> terms[sums];
    term(at, count, terms);
    for (int s = 0; s < sums; ++s) all[k][s] += only<T>(terms[s], count, T(0));
  };
  Index i = 0;
  for (; i + kAtOnce * kLanes<T> <= n; i += kAtOnce * kLanes<T>)
    for (int k = 0; k < kAtOnce; ++k) add(k, i + k * kLanes<T>, Whole{});
  each_vector<T>(n - i, [&](Index k, auto count) { add(0, i + k, count); });
  std::array<T, sums> found;
  for (int s = 0; s < sums; ++s) {
    for (int k = 1; k < kAtOnce; ++k) all[0][s] += all[k][s];
    found[s] = fold<T>(all[0][s], [](Vector<T> a, Vector<T> b) { return a + b; });
  }
  return found;
}

// The sum of the vectors term(position, count).
template <class T, class Term>
inline T total(Index n, const Term& term) {
  return totals<T, 1>(n,
                      [&](Index i, auto count, Vector<T>* terms) { terms[0] = term(i, count); })[0];
}

// How far ahead of what is read now, in elements, data is fetched: a row where rows of all arrays
// that are read stay in the second cache until their turn.
template <class T>
inline Index ahead_of(Index n, Index arrays) {
  constexpr Index kSize = sizeof(T), kCached = 1 << 20;
  return n * kSize * arrays <= kCached ? n : kAheadBytes / kSize;
}

// y[i] = value(i) for i < n; where that is streamed, with each line from i on fetch_at(i) may fetch
// what will be needed next.
template <class T, class Value, class Fetch>
inline void write_elements(T* y, Index n, bool stream, const Value& value, const Fetch& fetch_at) {
  if (!stream) {
#pragma GCC ivdep
    for (Index i = 0; i < n; ++i) y[i] = value(i);
    return;
  }
  constexpr Index kSize = sizeof(T);
  alignas(kLineBytes) T buffer[kBlock];
  for (Index from = 0; from < n; from += kBlock) {
    const Index count = std::min(kBlock, n - from);
#pragma GCC ivdep
    for (Index i = 0; i < count; ++i) buffer[i] = value(from + i);
    stream_copy(y + from, buffer, count * kSize, [&](Index at) { fetch_at(from + at / kSize); });
  }
}

// Whether rows of n elements of a result are worth that.
inline bool streams_rows(const Tensor& result, Index n) {
  const Index item = item_size(result.dtype);
  return n * item >= kStreamRow && result.size() * item >= kStreamBytes;
}

}  // namespace baryon::BARYON_ISA
