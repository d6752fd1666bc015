// Transposition of a block between two row-strided arrays.
#pragma once

#include "move.h"
#include "stream.h"

namespace baryon::BARYON_ISA {

// to[i * to_step + j] = from[j * from_step + i] for i < m, j < n.
template <class T>
inline void transpose_loop(T* to, std::int64_t to_step, const T* from, std::int64_t from_step,
                           std::int64_t m, std::int64_t n) {
  if (n >= m) {
    for (std::int64_t i = 0; i < m; ++i)
      for (std::int64_t j = 0; j < n; ++j) to[i * to_step + j] = from[j * from_step + i];
  } else {
    for (std::int64_t j = 0; j < n; ++j)
      for (std::int64_t i = 0; i < m; ++i) to[i * to_step + j] = from[j * from_step + i];
  }
}

// An 8 x 8 block in registers: three rounds of interleaving rows that lie half the block apart.
template <class T>
inline void transpose_8x8(T* to, std::int64_t to_step, const T* from, std::int64_t from_step) {
  typedef T Row __attribute__((vector_size(8 * sizeof(T))));
  Row row[8], next[8];
  for (int j = 0; j < 8; ++j) std::memcpy(&row[j], from + j * from_step, sizeof(Row));
  for (int round = 0; round < 3; ++round) {
    for (int j = 0; j < 4; ++j) {
      next[2 * j] = __builtin_shufflevector(row[j], row[j + 4], 0, 8, 1, 9, 2, 10, 3, 11);
      next[2 * j + 1] = __builtin_shufflevector(row[j], row[j + 4], 4, 12, 5, 13, 6, 14, 7, 15);
    }
    for (int j = 0; j < 8; ++j) row[j] = next[j];
  }
  for (int i = 0; i < 8; ++i) std::memcpy(to + i * to_step, &row[i], sizeof(Row));
}

template <class T>
inline void transpose_block(T* to, std::int64_t to_step, const T* from, std::int64_t from_step,
                            std::int64_t m, std::int64_t n) {
  const std::int64_t m8 = m & ~std::int64_t{7}, n8 = n & ~std::int64_t{7};
  for (std::int64_t i = 0; i < m8; i += 8)
    for (std::int64_t j = 0; j < n8; j += 8)
      transpose_8x8(to + i * to_step + j, to_step, from + j * from_step + i, from_step);
  if (n8 < n) transpose_loop(to + n8, to_step, from + n8 * from_step, from_step, m8, n - n8);
  if (m8 < m) transpose_loop(to + m8 * to_step, to_step, from + m8, from_step, m - m8, n);
}

// Whether whole lines of the result may be streamed: its rows start at multiples of a line.
template <class T>
inline bool lines_align(const T* to, std::int64_t to_step) {
  return reinterpret_cast<std::uintptr_t>(to) % kLineBytes == 0 &&
         to_step * static_cast<std::int64_t>(sizeof(T)) % kLineBytes == 0;
}

// The same for aligned lines of a large result, a strip of lines at a time.
template <class T>
inline void transpose_streamed(T* to, std::int64_t to_step, const T* from, std::int64_t from_step,
                               std::int64_t m, std::int64_t n) {
  constexpr std::int64_t kWidth = kLineBytes / static_cast<std::int64_t>(sizeof(T));
  const std::int64_t m8 = m & ~std::int64_t{7}, whole = n / kWidth * kWidth;
  alignas(kLineBytes) T lines[8 * kWidth];
  for (std::int64_t j = 0; j < whole; j += kWidth) {
    for (std::int64_t i = 0; i < m8; i += 8) {
      for (std::int64_t k = 0; k < kWidth; k += 8)
        transpose_8x8(lines + k, kWidth, from + (j + k) * from_step + i, from_step);
      for (std::int64_t k = 0; k < 8; ++k)
        stream_line(to + (i + k) * to_step + j, lines + k * kWidth);
    }
  }
  stream_end();
  if (whole < n)
    transpose_block(to + whole, to_step, from + whole * from_step, from_step, m8, n - whole);
  if (m8 < m) transpose_block(to + m8 * to_step, to_step, from + m8, from_step, m - m8, n);
}

}  // namespace baryon::BARYON_ISA
