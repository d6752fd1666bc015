// Vectors of the instruction set that a kernel file is compiled for, over GCC's vector extension.
#pragma once

#include <cstdint>

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
template <class T>
inline Vector<T> broadcast(T value) {
  return Vector<T>{} + value;
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
