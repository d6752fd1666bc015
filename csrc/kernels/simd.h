// Vectors of the instruction set that a kernel file is compiled for, over GCC's vector extension.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

namespace baryon::BARYON_ISA {

using Int = std::int64_t;

#if defined(__AVX512F__)
constexpr int kVectorBytes = 64;
constexpr int kTileRows = 14, kTileVectors = 2;  // 28 of 32 registers hold a tile of products
constexpr int kDotRows = 4, kDotColumns = 6;
#elif defined(__AVX__)
constexpr int kVectorBytes = 32;
constexpr int kTileRows = 6, kTileVectors = 2;
constexpr int kDotRows = 3, kDotColumns = 4;
#elif defined(__aarch64__)
constexpr int kVectorBytes = 16;
constexpr int kTileRows = 8, kTileVectors = 3;
constexpr int kDotRows = 4, kDotColumns = 5;
#else
constexpr int kVectorBytes = 16;
constexpr int kTileRows = 4, kTileVectors = 2;
constexpr int kDotRows = 2, kDotColumns = 4;
#endif

template <class T>
constexpr int kLanes = kVectorBytes / static_cast<int>(sizeof(T));

template <class T>
struct VectorOf {
  typedef T Type __attribute__((vector_size(kVectorBytes), may_alias));
  typedef T Loose __attribute__((vector_size(kVectorBytes), aligned(alignof(T)), may_alias));
};
template <class T>
using Vector = typename VectorOf<T>::Type;

template <class T>
inline Vector<T> load(const T* from) {
  return *reinterpret_cast<const typename VectorOf<T>::Loose*>(from);
}
template <class T>
inline void store(T* to, Vector<T> value) {
  *reinterpret_cast<typename VectorOf<T>::Loose*>(to) = value;
}

// The first `count` lanes, at most all; the others are 0.
template <class T>
inline void store_part(T* to, Vector<T> value, Int count) {
  if (count >= kLanes<T>) return store(to, value);
#if defined(__AVX512F__)
  const auto mask = static_cast<std::uint16_t>((1u << count) - 1);
  if constexpr (std::is_same_v<T, float>) return _mm512_mask_storeu_ps(to, mask, value);
#endif
  std::memcpy(to, &value, static_cast<std::size_t>(count) * sizeof(T));
}
template <class T>
inline Vector<T> load_part(const T* from, Int count) {
  if (count >= kLanes<T>) return load(from);
#if defined(__AVX512F__)
  const auto mask = static_cast<std::uint16_t>((1u << count) - 1);
  if constexpr (std::is_same_v<T, float>) return _mm512_maskz_loadu_ps(mask, from);
#endif
  Vector<T> value{};
  std::memcpy(&value, from, static_cast<std::size_t>(count) * sizeof(T));
  return value;
}

// A count that is known to be all lanes.
struct Whole {};
template <class T>
inline void store_part(T* to, Vector<T> value, Whole) {
  store(to, value);
}
template <class T>
inline Vector<T> load_part(const T* from, Whole) {
  return load(from);
}

// Calls body(position, Whole or how many) for the vectors of n elements.
template <class T, class Body>
inline void each_vector(Int n, const Body& body) {
  Int i = 0;
  for (; i + kLanes<T> <= n; i += kLanes<T>) body(i, Whole{});
  if (i < n) body(i, n - i);
}

template <class T>
inline Vector<T> broadcast(T value) {
  return Vector<T>{} + value;
}
// Integers for a Vector<T>, of which lane k is pick(k).
template <class T>
using Lanes = decltype(Vector<T>{} > Vector<T>{});
template <class T, auto pick>
inline Lanes<T> lanes() {
  using I = std::remove_reference_t<decltype(std::declval<Lanes<T>&>()[0])>;
  struct Table {
    I values[kLanes<T>];
  };
  static constexpr Table table = [] {
    Table made{};
    for (int k = 0; k < kLanes<T>; ++k) made.values[k] = static_cast<I>(pick(k));
    return made;
  }();
  return (Lanes<T>)load(table.values);
}

// All lanes combined by op(vector, vector), which is commutative.
template <class T, int half = kLanes<T> / 2, class Op>
inline T fold(Vector<T> value, const Op& op) {
  if constexpr (half == 0) {
    return value[0];
  } else {
    const Lanes<T> turned = lanes<T, [](int k) { return (k + half) % kLanes<T>; }>();
    return fold<T, half / 2>(op(value, Vector<T>(__builtin_shuffle(value, turned))), op);
  }
}
template <class T>
inline T sum(Vector<T> value) {
  T total = 0;
  for (int i = 0; i < kLanes<T>; ++i) total += value[i];
  return total;
}

inline Int round_up(Int value, Int multiple) {
  return (value + multiple - 1) / multiple * multiple;
}
inline Int parts(Int value, Int size) { return (value + size - 1) / size; }

}  // namespace baryon::BARYON_ISA
