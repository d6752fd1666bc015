// Transposition of a block between two row-strided arrays.
#pragma once

#include "move.h"
#include "stream.h"

#if defined(__AVX__)
#include <immintrin.h>
#endif

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

#if defined(__AVX__)
// An 8 x 8 block of floats: four columns of two rows at a time in a register, put together by
// loads, and turned in either half for itself, for which there are twice as many units as for
// exchanging lanes.
inline void transpose_8x8_halves(float* to, std::int64_t to_step, const float* from,
                                 std::int64_t from_step) {
  for (int half = 0; half < 2; ++half, from += 4, to += 4 * to_step) {
    __m256 row[4];
    for (int j = 0; j < 4; ++j) {
      const float *low = from + j * from_step, *high = low + 4 * from_step;
      row[j] =
          _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(low)), _mm_loadu_ps(high), 1);
    }
    const __m256 a = _mm256_unpacklo_ps(row[0], row[1]), b = _mm256_unpacklo_ps(row[2], row[3]);
    const __m256 c = _mm256_unpackhi_ps(row[0], row[1]), d = _mm256_unpackhi_ps(row[2], row[3]);
    _mm256_storeu_ps(to, _mm256_shuffle_ps(a, b, 0x44));
    _mm256_storeu_ps(to + to_step, _mm256_shuffle_ps(a, b, 0xEE));
    _mm256_storeu_ps(to + 2 * to_step, _mm256_shuffle_ps(c, d, 0x44));
    _mm256_storeu_ps(to + 3 * to_step, _mm256_shuffle_ps(c, d, 0xEE));
  }
}
#endif

// An 8 x 8 block in registers: three rounds of interleaving rows that lie half the block apart.
template <class T>
inline void transpose_8x8(T* to, std::int64_t to_step, const T* from, std::int64_t from_step) {
#if defined(__AVX__)
  if constexpr (sizeof(T) == sizeof(float)) {
    return transpose_8x8_halves(reinterpret_cast<float*>(to), to_step,
                                reinterpret_cast<const float*>(from), from_step);
  }
#endif
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

// Colours and the like: a few values a point, side by side in one array and apart in the other. The
// count is a constant, so that compilers turn the loops into shuffles.
template <int count, class T>
inline void part(T* __restrict to, std::int64_t to_step, const T* __restrict from, std::int64_t n) {
  for (std::int64_t j = 0; j < n; ++j)
    for (int i = 0; i < count; ++i) to[i * to_step + j] = from[j * count + i];
}

template <int count, class T>
inline void merge(T* __restrict to, const T* __restrict from, std::int64_t from_step,
                  std::int64_t m) {
  for (std::int64_t i = 0; i < m; ++i)
    for (int j = 0; j < count; ++j) to[i * count + j] = from[j * from_step + i];
}

template <class T>
inline void transpose_block(T* to, std::int64_t to_step, const T* from, std::int64_t from_step,
                            std::int64_t m, std::int64_t n) {
  if (m == from_step) {
    if (m == 2) return part<2>(to, to_step, from, n);
    if (m == 3) return part<3>(to, to_step, from, n);
    if (m == 4) return part<4>(to, to_step, from, n);
  }
  if (n == to_step) {
    if (n == 2) return merge<2>(to, from, from_step, m);
    if (n == 3) return merge<3>(to, from, from_step, m);
    if (n == 4) return merge<4>(to, from, from_step, m);
  }
  const std::int64_t m8 = m & ~std::int64_t{7}, n8 = n & ~std::int64_t{7};
  const auto one = [&](std::int64_t i, std::int64_t j) {
    transpose_8x8(to + i * to_step + j, to_step, from + j * from_step + i, from_step);
  };
  if (n <= 64) {  // eight streams are read ahead, more are not
    for (std::int64_t j = 0; j < n8; j += 8)
      for (std::int64_t i = 0; i < m8; i += 8) one(i, j);
  } else {
    for (std::int64_t i = 0; i < m8; i += 8)
      for (std::int64_t j = 0; j < n8; j += 8) one(i, j);
  }
  if (n8 < n) transpose_loop(to + n8, to_step, from + n8 * from_step, from_step, m8, n - n8);
  if (m8 < m) transpose_loop(to + m8 * to_step, to_step, from + m8, from_step, m - m8, n);
}

// Whether whole lines of the result may be streamed: its rows start at multiples of a line.
template <class T>
inline bool lines_align(const T* to, std::int64_t to_step) {
  return on_line(to) && to_step * static_cast<std::int64_t>(sizeof(T)) % kLineBytes == 0;
}

template <class T>
constexpr int kLine = static_cast<int>(kLineBytes / sizeof(T));  // elements

// A square of whole lines in registers, as above, streamed.
template <class T>
inline void stream_square(T* to, std::int64_t to_step, const T* from, std::int64_t from_step) {
  constexpr int side = kLanes<T>;
  const auto low = lanes<T, [](int k) { return k / 2 + k % 2 * side; }>();
  const auto high = lanes<T, [](int k) { return k / 2 + k % 2 * side + side / 2; }>();
  Vector<T> row[side], next[side];
  for (int j = 0; j < side; ++j) row[j] = load(from + j * from_step);
  for (int round = 1; round < side; round *= 2) {
    for (int j = 0; j < side / 2; ++j) {
      next[2 * j] = __builtin_shuffle(row[j], row[j + side / 2], low);
      next[2 * j + 1] = __builtin_shuffle(row[j], row[j + side / 2], high);
    }
    for (int j = 0; j < side; ++j) row[j] = next[j];
  }
  for (int i = 0; i < side; ++i) stream_vector(to + i * to_step, row[i]);
}

// The same through memory, for elements or vectors too small for that.
template <class T>
inline void stream_square_by_blocks(T* to, std::int64_t to_step, const T* from,
                                    std::int64_t from_step) {
  alignas(kLineBytes) T lines[kLine<T> * kLine<T>];
  for (int y = 0; y < kLine<T>; y += 8)
    for (int x = 0; x < kLine<T>; x += 8)
      transpose_8x8(lines + x * kLine<T> + y, kLine<T>, from + y * from_step + x, from_step);
  for (int k = 0; k < kLine<T>; ++k) stream_line(to + k * to_step, lines + k * kLine<T>);
}

// The same for aligned lines of a large result. Squares of a line's length read whole lines too:
// rows far apart may share so few cache sets that a line would be gone before its second half. Two
// lines of a row of the result are written together, as memory takes them: 83 % of the rate of a
// copy rather than 70.
template <class T>
inline void transpose_streamed(T* to, std::int64_t to_step, const T* from, std::int64_t from_step,
                               std::int64_t m, std::int64_t n) {
  constexpr std::int64_t kSide = kLine<T>, kPair = 2 * kSide;
  const std::int64_t down = m / kSide * kSide, across = n / kSide * kSide;
  for (std::int64_t pair = 0; pair < across; pair += kPair)
    for (std::int64_t i = 0; i < down; i += kSide)
      for (std::int64_t j = pair; j < std::min(across, pair + kPair); j += kSide) {
        const T* square = from + j * from_step + i;
        const T* later = square + kSide + (i + kSide < down ? 0 : kPair * from_step - down);
        for (std::int64_t y = 0; y < kSide; ++y) fetch(later + y * from_step);
        T* target = to + i * to_step + j;
        if constexpr (kVectorBytes == kLineBytes && sizeof(T) >= 4) {
          stream_square(target, to_step, square, from_step);
        } else {
          stream_square_by_blocks(target, to_step, square, from_step);
        }
      }
  stream_end();
  if (across < n)
    transpose_block(to + across, to_step, from + across * from_step, from_step, down, n - across);
  if (down < m) transpose_block(to + down * to_step, to_step, from + down, from_step, m - down, n);
}

// The same where n makes a row of the result: a large contiguous run of short rows.
template <class T>
inline void merge_streamed(T* to, const T* from, std::int64_t from_step, std::int64_t m,
                           std::int64_t n) {
  constexpr std::int64_t kPiece = kAheadBytes / static_cast<std::int64_t>(sizeof(T));
  alignas(kLineBytes) T piece[kPiece];
  const std::int64_t high = kPiece / n;
  for (std::int64_t i = 0; i < m; i += high) {
    const std::int64_t rows = std::min(high, m - i);
    transpose_block(piece, n, from + i, from_step, rows, n);
    const char* later = reinterpret_cast<const char*>(from + i + high);
    stream_copy(to + i * n, piece, rows * n * static_cast<std::int64_t>(sizeof(T)),
                [=](std::int64_t at) { fetch(later + at); });
  }
  stream_end();
}

}  // namespace baryon::BARYON_ISA
