// A driver for kernels that map tensors of one shape and dtype element by element.
#pragma once

#include <algorithm>

#include "loops.h"

namespace baryon::BARYON_ISA {

template <class T, class F>
inline void map_span(const T* const (&in)[1], T* out, Index n, const F& f) {
  const T* a = in[0];
  const F local = f;  // its numbers in registers: the loop then vectorises
#pragma GCC ivdep
  for (Index i = 0; i < n; ++i) out[i] = local(a[i]);
}
template <class T, class F>
inline void map_span(const T* const (&in)[2], T* out, Index n, const F& f) {
  const T *a = in[0], *b = in[1];
  const F local = f;
#pragma GCC ivdep
  for (Index i = 0; i < n; ++i) out[i] = local(a[i], b[i]);
}

template <int count, class T, class F>
inline void map_all(const Call& call, Index n, const F& f) {
  parallel_for(n, kGrain, [&](Index begin, Index end) {
    const T* in[count];
    for (int k = 0; k < count; ++k) in[k] = call.in[k].as<T>() + begin;
    map_span(in, call.out[0].as<T>() + begin, end - begin, f);
  });
}

// 16-bit floats pass through blocks of float.
template <int count, class F>
inline void map_halves(const Call& call, Index n, const F& f) {
  parallel_for(n, kGrain, [&](Index begin, Index end) {
    alignas(64) float wide[count][kBlock], result[kBlock];
    const float* in[count];
    for (int k = 0; k < count; ++k) in[k] = wide[k];
    for (Index i = begin; i < end; i += kBlock) {
      const Index m = std::min<Index>(kBlock, end - i);
      for (int k = 0; k < count; ++k)
        widen(call.in[k].dtype, at(call.in[k].data, 2 * i), wide[k], m);
      map_span(in, result, m, f);
      narrow(call.out[0].dtype, result, at(call.out[0].data, 2 * i), m);
    }
  });
}

// out[0][i] = f(in[0][i], ...) over `count` inputs, computing in float or double.
template <int count, class F>
inline void map_inputs(const Call& call, const F& f) {
  const Index n = call.out[0].size();
  switch (call.out[0].dtype) {
    case DType::f64:
      return map_all<count, double>(call, n, f);
    case DType::f32:
      return map_all<count, float>(call, n, f);
    default:
      return map_halves<count>(call, n, f);
  }
}

inline bool any_float(const Call& call) {
  return same_dtype<DType::f32, DType::f64, DType::f16, DType::bf16>(call);
}

}  // namespace baryon::BARYON_ISA
