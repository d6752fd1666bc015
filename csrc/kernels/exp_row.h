// What softmax and cross entropy do along a row: its greatest number, and the sum of powers of e.
#pragma once

#include "rows.h"
#include "vexp.h"

namespace baryon::BARYON_ISA {

template <class T>
inline Vector<T> row_max(const T* x, Index n, T scale) {
  constexpr Index kAtOnce = 4;
  Vector<T> top[kAtOnce];
  for (Vector<T>& t : top) t = broadcast(-vm::kInf<T>);
  Index i = 0;
  for (; i + kAtOnce * kLanes<T> <= n; i += kAtOnce * kLanes<T>)
    for (Index k = 0; k < kAtOnce; ++k)
      top[k] = larger<T>(load(x + i + k * kLanes<T>) * scale, top[k]);
  each_vector<T>(n - i, [&](Index k, auto count) {
    const Vector<T> value = load_part(x + i + k, count) * scale;
    top[0] = larger<T>(only<T>(value, count, -vm::kInf<T>), top[0]);
  });
  for (const Vector<T>& t : top) top[0] = larger<T>(t, top[0]);
  return broadcast(fold<T>(top[0], larger<T>));
}

// The sum of e^(x scale - top), each of which may be kept.
template <bool keep, class T>
inline T exp_row(const T* x, Vector<T> top, T* e, Index n, T scale, const T* next) {
  return total<T>(n, [&](Index i, auto count) {
    fetch(next + i);
    const Vector<T> power = exp_below<T>(load_part(x + i, count) * scale - top);
    if (keep) store_part(e + i, power, count);
    return power;
  });
}

}  // namespace baryon::BARYON_ISA
