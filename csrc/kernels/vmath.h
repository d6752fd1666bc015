// Elementary functions without branches or calls, so that loops over them vectorise.
//
// float versions of the functions that training spends its time in (exp, log, tanh, sigmoid, erf)
// are within 2 ulp; the other float functions are computed in double and rounded. double versions
// are within about 2 ulp. Infinities, NaN, signed zeros and denormals are as in the C library.
//
// Series are plain Taylor series on the reduced range, except those of exp in float and of erf,
// which are fitted.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

namespace baryon::BARYON_ISA::vm {

template <class T>
struct Bits;
template <>
struct Bits<float> {
  using Int = std::int32_t;
  using Unsigned = std::uint32_t;
  static constexpr int mantissa = 23, bias = 127;
};
template <>
struct Bits<double> {
  using Int = std::int64_t;
  using Unsigned = std::uint64_t;
  static constexpr int mantissa = 52, bias = 1023;
};

template <class T>
constexpr T kInf = std::numeric_limits<T>::infinity();
template <class T>
constexpr T kNan = std::numeric_limits<T>::quiet_NaN();

template <class T>
inline T absolute(T x) {
  using U = typename Bits<T>::Unsigned;
  return std::bit_cast<T>(std::bit_cast<U>(x) & (~U{0} >> 1));
}

template <class T>
inline T with_sign_of(T magnitude, T sign) {
  using U = typename Bits<T>::Unsigned;
  constexpr U top = ~(~U{0} >> 1);
  return std::bit_cast<T>((std::bit_cast<U>(magnitude) & ~top) | (std::bit_cast<U>(sign) & top));
}

// 2^n for n within the normal exponents.
template <class T>
inline T power_of_two(typename Bits<T>::Int n) {
  return std::bit_cast<T>((n + Bits<T>::bias) << Bits<T>::mantissa);
}

// n / 2 rounded down, for |n| below 2048 (AVX2 cannot shift negative int64).
template <class T>
inline typename Bits<T>::Int halved(typename Bits<T>::Int n) {
  using U = typename Bits<T>::Unsigned;
  return static_cast<typename Bits<T>::Int>(static_cast<U>(n + 2048) >> 1) - 1024;
}

// x rounded to an integer, as a number and as an integer; |x| below 2^22 (float), 2^51 (double).
template <class T>
struct Rounded {
  T value;
  typename Bits<T>::Int integer;
};
template <class T>
inline Rounded<T> nearest(T x) {
  constexpr T magic = T(1.5) * T(typename Bits<T>::Int{1} << Bits<T>::mantissa);
  const T shifted = x + magic;
  using Int = typename Bits<T>::Int;
  return {shifted - magic, std::bit_cast<Int>(shifted) - std::bit_cast<Int>(magic)};
}

// c[0] + c[1] x + ... by Horner's rule.
template <class T, int n>
inline T polynomial(T x, const T (&c)[n]) {
  T sum = c[n - 1];
  for (int i = n - 2; i >= 0; --i) sum = sum * x + c[i];
  return sum;
}

// Coefficients of (e^r - 1 - r) / r^2: within 4e-9 of e^r for |r| <= ln 2 / 2, and 1/2!, 1/3!, ...
inline constexpr float kExp32[] = {0.49999994f, 0.1666652f, 0.0416684f, 0.008368856f,
                                   0.0013814309f};
inline constexpr double kExp64[] = {1. / 2,       1. / 6,        1. / 24,         1. / 120,
                                    1. / 720,     1. / 5040,     1. / 40320,      1. / 362880,
                                    1. / 3628800, 1. / 39916800, 1. / 479001600., 1. / 6227020800.};

// e^x = 2^n (1 + p).
template <class T>
struct Split {
  T p;
  typename Bits<T>::Int n;
};
template <class T>
inline Split<T> split_exp(T x) {
  constexpr bool single = sizeof(T) == 4;
  // ln 2 in two parts, the first short enough for exact products with n.
  constexpr T high = single ? T(0x1.62e4p-1) : T(0x1.62e42fefa38p-1);
  constexpr T low = single ? T(0x1.7f7d1cf79abcap-20) : T(0x1.ef35793c7673p-45);
  const Rounded<T> n = nearest(x * T(1.4426950408889634));
  const T r = (x - n.value * high) - n.value * low;
  T series;
  if constexpr (single) {
    series = polynomial(r, kExp32);
  } else {
    series = polynomial(r, kExp64);
  }
  return {r + r * r * series, n.integer};
}

template <class T>
inline T exp(T x) {
  constexpr bool single = sizeof(T) == 4;
  constexpr T top = single ? T(89) : T(710), bottom = single ? T(-104.5) : T(-746);
  const T limited = x > top ? top : (x < bottom ? bottom : x);
  const Split<T> e = split_exp(limited);
  // Two factors reach both the denormals and infinity.
  const auto half = halved<T>(e.n);
  return (T(1) + e.p) * power_of_two<T>(half) * power_of_two<T>(e.n - half);
}

// For x <= 0: a constant factor reaches the denormals.
template <class T>
inline T exp_of_negative(T x) {
  constexpr bool single = sizeof(T) == 4;
  constexpr T bottom = single ? T(-104.5) : T(-746), lowered = single ? T(0x1p-24) : T(0x1p-54);
  const Split<T> e = split_exp(x < bottom ? bottom : x);
  return (T(1) + e.p) * power_of_two<T>(e.n + (single ? 24 : 54)) * lowered;
}

// For |x| <= 40, where neither range nor precision ends.
template <class T>
inline T exp_moderate(T x) {
  const Split<T> e = split_exp(x);
  return (T(1) + e.p) * power_of_two<T>(e.n);
}
template <class T>
inline T expm1_moderate(T x) {
  const Split<T> e = split_exp(x);
  const T scale = power_of_two<T>(e.n);
  return scale * e.p + (scale - T(1));
}

template <class T>
inline T expm1(T x) {
  constexpr bool single = sizeof(T) == 4;
  constexpr T top = single ? T(60) : T(500), bottom = single ? T(-30) : T(-60);
  const T limited = x > top ? top : (x < bottom ? bottom : x);
  const Split<T> e = split_exp(limited);
  const T scale = power_of_two<T>(e.n);
  const T near = scale * e.p + (scale - T(1));
  const T value = x > top ? exp(x) : near;
  return absolute(x) < T(1e-30) ? x : value;
}

// m in [sqrt(1/2), sqrt(2)) and e with x = m 2^e, for positive finite x.
template <class T>
struct Parts {
  T m, e;
};
template <class T>
inline Parts<T> parts(T x) {
  using Int = typename Bits<T>::Int;
  constexpr bool single = sizeof(T) == 4;
  constexpr T smallest = std::numeric_limits<T>::min();
  constexpr T lift = single ? T(0x1p24) : T(0x1p54);
  const bool tiny = x < smallest;
  const Int bits = std::bit_cast<Int>(tiny ? x * lift : x);
  constexpr Int root = single ? Int(0x3f3504f3) : static_cast<Int>(0x3fe6a09e667f3bcdLL);
  using U = typename Bits<T>::Unsigned;
  constexpr U bias = Bits<T>::bias + 1;  // keeps the shifted number positive
  const U above = static_cast<U>(bits) + (bias << Bits<T>::mantissa) - static_cast<U>(root);
  const Int exponent = static_cast<Int>(above >> Bits<T>::mantissa) - static_cast<Int>(bias);
  const Int mantissa = bits - (exponent << Bits<T>::mantissa);
  // The exponent as a number by the magic sum, since AVX2 has no conversion from int64.
  constexpr T magic = T(1.5) * T(Int{1} << Bits<T>::mantissa);
  const T e = std::bit_cast<T>(std::bit_cast<Int>(magic) + exponent) - magic;
  return {std::bit_cast<T>(mantissa), e - (tiny ? (single ? T(24) : T(54)) : T(0))};
}

inline constexpr float kLog32[] = {2.f / 3, 2.f / 5, 2.f / 7, 2.f / 9};
inline constexpr double kLog64[] = {2. / 3,  2. / 5,  2. / 7,  2. / 9,  2. / 11,
                                    2. / 13, 2. / 15, 2. / 17, 2. / 19, 2. / 21};

// log(m) for m near 1, from 2 atanh((m - 1) / (m + 1)), as f - correction with f = m - 1 exact.
template <class T>
inline T log_near_one(T m) {
  const T f = m - T(1);
  const T s = f / (m + T(1));
  const T z = s * s;
  T series;
  if constexpr (sizeof(T) == 4) {
    series = z * polynomial(z, kLog32);
  } else {
    series = z * polynomial(z, kLog64);
  }
  const T half_square = T(0.5) * f * f;
  return f - (half_square - s * (half_square + series));
}

template <class T>
inline T log_specials(T x, T value) {
  value = x == kInf<T> ? x : value;
  value = x == T(0) ? -kInf<T> : value;
  return (x < T(0)) | (x != x) ? kNan<T> : value;
}

template <class T>
inline T log(T x) {
  constexpr bool single = sizeof(T) == 4;
  constexpr T high = single ? T(0x1.62e4p-1) : T(0x1.62e42fefa38p-1);
  constexpr T low = single ? T(0x1.7f7d1cf79abcap-20) : T(0x1.ef35793c7673p-45);
  const Parts<T> p = parts(x);
  return log_specials(x, p.e * high + (log_near_one(p.m) + p.e * low));
}

template <class T>
inline T log2(T x) {
  const Parts<T> p = parts(x);
  return log_specials(x, p.e + log_near_one(p.m) * T(1.4426950408889634));
}

template <class T>
inline T log1p(T x) {
  const T u = T(1) + x;
  const T log_u = log(u);
  const T value = log_u * (x / (u - T(1)));  // Kahan: the rounding of u cancels
  const bool edge = (u == T(0)) | (u == kInf<T>);
  return u == T(1) ? x : (edge ? log_u : value);
}

// log(1 + z) for z in [0, 1], from 2 atanh(z / (2 + z)).
template <class T>
inline T log1p_of_unit(T z) {
  constexpr int terms = sizeof(T) == 4 ? 9 : 18;
  const T s = z / (T(2) + z), square = s * s;
  T sum = T(2) / T(2 * terms - 1);
  for (int k = terms - 2; k >= 0; --k) sum = sum * square + T(2) / T(2 * k + 1);
  return s * sum;
}

template <class T>
inline T tanh(T x) {
  constexpr T saturated = sizeof(T) == 4 ? T(10) : T(20);
  const T a = absolute(x);
  const T limited = a > saturated ? saturated : a;
  const T e = expm1_moderate(T(2) * limited);
  return with_sign_of(e / (e + T(2)), x);
}

template <class T>
inline T sigmoid(T x) {
  const T e = exp_of_negative(-absolute(x));
  return (x < T(0) ? e : T(1)) / (T(1) + e);
}

template <class T>
inline T sinh(T x) {
  const T a = absolute(x);
  const T e = expm1(a);
  const T half = exp(T(0.5) * a);  // its square reaches further than exp(a) / 2
  const T value = a > T(40) ? (T(0.5) * half) * half : T(0.5) * (e + e / (e + T(1)));
  return with_sign_of(value, x);
}

template <class T>
inline T cosh(T x) {
  const T a = absolute(x);
  const T e = exp(a), half = exp(T(0.5) * a);
  return a > T(40) ? (T(0.5) * half) * half : T(0.5) * e + T(0.5) / e;
}

// Fitted to a relative error of 1e-9: (erf(x) - x) / x in x^2 on [0, 1], and -log(erfc(x)) / x in x
// on [1, 4].
inline constexpr float kErfNear[] = {0.12837917f,  -0.37612626f,   0.112836f,    -0.026854444f,
                                     0.005189535f, -0.0008020841f, 7.889119e-05f};
inline constexpr float kErfFar[] = {1.1284755f,    0.6358464f,    0.105096705f,
                                    -0.022786113f, 0.0031831255f, -0.00021018313f};

inline float erf(float x) {
  const float a = absolute(x);
  const float near = x + x * polynomial(x * x, kErfNear);
  const float limited = a > 4.f ? 4.f : a;
  const float far = 1.f - exp_moderate(-limited * polynomial(limited, kErfFar));
  return a < 1.f ? near : with_sign_of(a != a ? a : far, x);
}

// ---- trigonometry: |x| below kTrigLimit ---------------------------------------------------------

constexpr double kTrigLimit = 1e5;

inline constexpr double kSin[] = {
    -1. / 6,        1. / 120,         -1. / 5040,           1. / 362880,
    -1. / 39916800, 1. / 6227020800., -1. / 1307674368000., 1. / 355687428096000.};
inline constexpr double kCos[] = {
    1. / 24,         -1. / 720,          1. / 40320,          -1. / 3628800,
    1. / 479001600., -1. / 87178291200., 1. / 20922789888000.};

struct Angle {
  double sine, cosine;
  std::int64_t quadrant;
};

// Sine and cosine of x - quadrant pi/2.
inline Angle reduce(double x) {
  const Rounded<double> n = nearest(x * 0.63661977236758134308);
  double r = x - n.value * 0x1.921fb544p0;
  r = r - n.value * 0x1.0b4611a6p-34;
  r = r - n.value * 0x1.3198a2e037073p-69;
  const double z = r * r;
  const double sine = r + r * z * polynomial(z, kSin);
  const double cosine = 1.0 - 0.5 * z + z * z * polynomial(z, kCos);
  return {sine, cosine, n.integer};
}

// x with its sign flipped when bit 1 of the quadrant is set.
inline double flip(double x, std::int64_t quadrant) {
  return std::bit_cast<double>(std::bit_cast<std::uint64_t>(x) ^
                               (static_cast<std::uint64_t>(quadrant & 2) << 62));
}

inline double sin(double x) {
  const Angle a = reduce(x);
  return flip(a.quadrant & 1 ? a.cosine : a.sine, a.quadrant);
}
inline double cos(double x) {
  const Angle a = reduce(x);
  return flip(a.quadrant & 1 ? a.sine : a.cosine, a.quadrant + 1);
}
inline double tan(double x) {
  const Angle a = reduce(x);
  return a.quadrant & 1 ? -a.cosine / a.sine : a.sine / a.cosine;
}

}  // namespace baryon::BARYON_ISA::vm
