// e^x of whole vectors for x <= 0, which needs no care for overflow: what softmax and its kin spend
// their time in.
#pragma once

#include <iterator>

#include "simd.h"
#include "vmath.h"

namespace baryon::BARYON_ISA {

template <class T>
inline Vector<T> larger(Vector<T> a, Vector<T> b) {  // b where one is NaN
  return a > b ? a : b;
}

// y 2^n, or 0 where x is at most `bottom`; -1100 < n <= 0 elsewhere. Processors are slow to find
// that a product is 0 or denormal, so it is not left to them.
template <class T>
inline Vector<T> times_power(Vector<T> y, Vector<T> n, Vector<T> x, T bottom) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4) {
    const auto more = _mm512_cmp_ps_mask(x, broadcast(bottom), _CMP_NLE_UQ);
    return _mm512_maskz_scalef_ps(more, y, n);
  } else {
    const auto more = _mm512_cmp_pd_mask(x, broadcast(bottom), _CMP_NLE_UQ);
    return _mm512_maskz_scalef_pd(more, y, n);
  }
#else
  using Int = typename vm::Bits<T>::Int;
  using Ints = Lanes<T>;
  constexpr int mantissa = vm::Bits<T>::mantissa;
  constexpr Int bias = vm::Bits<T>::bias;
  const Ints whole = __builtin_convertvector(x > bottom ? n : Vector<T>{}, Ints);
  const Ints half = whole >> 1, rest = whole - half;  // two factors, since 2^n may be denormal
  y = x <= bottom ? Vector<T>{} : y;
  return y * std::bit_cast<Vector<T> >((half + bias) << mantissa) *
         std::bit_cast<Vector<T> >((rest + bias) << mantissa);
#endif
}

// Within 2 ulp; NaN stays. A small positive x, as rounding may give, is as good.
template <class T>
inline Vector<T> exp_below(Vector<T> x) {
  constexpr bool single = sizeof(T) == 4;
  constexpr T bottom = single ? T(-104.5) : T(-746);  // e^x rounds to 0 from here on
  constexpr T high = single ? T(0x1.62e4p-1) : T(0x1.62e42fefa38p-1);
  constexpr T low = single ? T(0x1.7f7d1cf79abcap-20) : T(0x1.ef35793c7673p-45);
  constexpr T magic = T(1.5) * T(typename vm::Bits<T>::Int{1} << vm::Bits<T>::mantissa);
  const Vector<T> n = (x * T(1.4426950408889634) + magic) - magic;
  const Vector<T> r = (x - n * high) - n * low;
  const auto horner = [&r](const auto& c) {
    Vector<T> sum = broadcast(c[std::size(c) - 1]);
    for (int i = static_cast<int>(std::size(c)) - 2; i >= 0; --i) sum = sum * r + c[i];
    return sum;
  };
  Vector<T> series;
  if constexpr (single) {
    series = horner(vm::kExp32);
  } else {
    series = horner(vm::kExp64);
  }
  return times_power<T>((series * r + T(1)) * r + T(1), n, x, bottom);
}

}  // namespace baryon::BARYON_ISA
