// 16-bit floats: conversions that compilers vectorise, computing always in float.
#pragma once

#include <bit>
#include <cstdint>

#ifdef __F16C__
#include <immintrin.h>
#endif

#include "../tensor.h"

namespace baryon::BARYON_ISA {

struct Half {
  std::uint16_t bits;
};
struct BFloat {
  std::uint16_t bits;
};

inline float to_float(Half h) {
  // Exponent and mantissa moved into place; the product by 2^112 corrects the exponent's bias,
  // denormals included.
  const std::uint32_t magnitude = (h.bits & 0x7fffu) << 13;
  const float scaled = std::bit_cast<float>(magnitude) * 0x1p112f;
  const std::uint32_t special = magnitude >= 0x0f800000u ? 0x7f800000u : 0u;
  const std::uint32_t sign = (h.bits & 0x8000u) << 16;
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(scaled) | special | sign);
}

inline void from_float(float x, Half& h) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(x);
  const std::uint32_t magnitude = bits & 0x7fffffffu;
  // Round to nearest even: half an ulp less one, and the last bit that stays.
  const std::uint32_t rounded =
      (magnitude + 0x0fffu + ((magnitude >> 13) & 1u) - (112u << 23)) >> 13;
  // Below 2^-14 the sum with 0.5 has the denormal's ulp.
  const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
  const std::uint32_t denormal =
      std::bit_cast<std::uint32_t>(shifted) - std::bit_cast<std::uint32_t>(0.5f);
  std::uint32_t result = magnitude < (113u << 23) ? denormal : rounded;
  result = magnitude >= 0x477ff000u ? 0x7c00u : result;  // 65520 and above
  result = magnitude > 0x7f800000u ? 0x7e00u : result;   // NaN
  h.bits = static_cast<std::uint16_t>(result | ((bits >> 16) & 0x8000u));
}

inline float to_float(BFloat h) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(h.bits) << 16);
}

inline void from_float(float x, BFloat& h) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(x);
  const std::uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  const bool nan = (bits & 0x7fffffffu) > 0x7f800000u;
  h.bits = static_cast<std::uint16_t>(nan ? (bits >> 16) | 0x40u : rounded);
}

template <class H>
inline void widen(const void* from, float* to, std::int64_t n) {
  const H* x = static_cast<const H*>(from);
  for (std::int64_t i = 0; i < n; ++i) to[i] = to_float(x[i]);
}

template <class H>
inline void narrow(const float* from, void* to, std::int64_t n) {
  H* y = static_cast<H*>(to);
  for (std::int64_t i = 0; i < n; ++i) from_float(from[i], y[i]);
}

#ifdef __F16C__
template <>
inline void widen<Half>(const void* from, float* to, std::int64_t n) {
  const Half* x = static_cast<const Half*>(from);
  std::int64_t i = 0;
  for (; i + 8 <= n; i += 8)
    _mm256_storeu_ps(to + i,
                     _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(x + i))));
  for (; i < n; ++i) to[i] = to_float(x[i]);
}

template <>
inline void narrow<Half>(const float* from, void* to, std::int64_t n) {
  Half* y = static_cast<Half*>(to);
  std::int64_t i = 0;
  for (; i + 8 <= n; i += 8)
    _mm_storeu_si128(reinterpret_cast<__m128i*>(y + i),
                     _mm256_cvtps_ph(_mm256_loadu_ps(from + i), _MM_FROUND_TO_NEAREST_INT));
  for (; i < n; ++i) from_float(from[i], y[i]);
}
#endif

inline bool is_half(DType dtype) { return dtype == DType::f16 || dtype == DType::bf16; }

// Bytes of an element.
inline std::int64_t item_size(DType dtype) {
  switch (dtype) {
    case DType::f64:
    case DType::i64:
      return 8;
    case DType::f32:
    case DType::i32:
      return 4;
    case DType::f16:
    case DType::bf16:
      return 2;
    default:
      return 1;
  }
}

// Converts n elements of a 16-bit type.
inline void widen(DType dtype, const void* from, float* to, std::int64_t n) {
  dtype == DType::f16 ? widen<Half>(from, to, n) : widen<BFloat>(from, to, n);
}
inline void narrow(DType dtype, const float* from, void* to, std::int64_t n) {
  dtype == DType::f16 ? narrow<Half>(from, to, n) : narrow<BFloat>(from, to, n);
}

}  // namespace baryon::BARYON_ISA
