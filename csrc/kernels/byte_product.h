// Products of bytes summed in 32-bit integers: filters (int8) by columns of data (int8 or uint8).
//
// Both operands are packed in words of 32 bits that hold what one lane multiplies at once: pairs of
// 16-bit numbers, or four bytes where the processor has VNNI. A tile of the result is a few vectors
// of filters by a few columns; every word of a column is spread over a vector.
#pragma once

#include <algorithm>
#include <cstring>
#include <vector>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

#include "../parallel.h"
#include "quantized_range.h"
#include "simd.h"

namespace baryon::BARYON_ISA {

using Words = Vector<Word>;

constexpr int kByteFilters = 2 * kLanes<Word>;  // of a tile
constexpr int kByteColumns = kVectorBytes == 64 ? 12 : 4;
constexpr Int kColumnTile = 96;  // columns packed together: a multiple of kByteColumns

// Two 16-bit numbers in each lane.
struct Pairs {
  static constexpr int kDepth = 2;

  static void add(Words& sum, Words a, Words b) {
#if defined(__AVX512BW__)
    sum += reinterpret_cast<Words>(
        _mm512_madd_epi16(reinterpret_cast<__m512i>(a), reinterpret_cast<__m512i>(b)));
#elif defined(__AVX2__)
    sum += reinterpret_cast<Words>(
        _mm256_madd_epi16(reinterpret_cast<__m256i>(a), reinterpret_cast<__m256i>(b)));
#elif defined(__SSE2__)
    sum += reinterpret_cast<Words>(
        _mm_madd_epi16(reinterpret_cast<__m128i>(a), reinterpret_cast<__m128i>(b)));
#else
    sum += ((a << 16) >> 16) * ((b << 16) >> 16) + (a >> 16) * (b >> 16);
#endif
  }
  // What the sums have too much because data were shifted to be positive.
  static constexpr int kShift = 0;

  static Word weights(const std::int8_t* at) {
    return static_cast<std::uint16_t>(at[0]) | static_cast<std::int16_t>(at[1]) * 65536;
  }
  // One word of data, from a byte of each row.
  template <class T>
  static Word data(const T* const* rows, Int i) {
    return static_cast<std::uint16_t>(rows[0][i]) | static_cast<std::int16_t>(rows[1][i]) * 65536;
  }
};

#if defined(__AVX512BW__)
// Four bytes in each lane, the first operand's positive: VNNI, which only some processors have.
struct Quads {
  static constexpr int kDepth = 4;
  static bool here() { return __builtin_cpu_supports("avx512vnni"); }

  static void add(Words& sum, Words a, Words b) {
    asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
  }
  static constexpr int kShift = 128;

  static Word weights(const std::int8_t* at) {
    Word word;
    std::memcpy(&word, at, sizeof word);
    return word;
  }

  template <class T>
  static Word data(const T* const* rows, Int i) {
    Word word = 0;
    for (int k = 0; k < 4; ++k)
      word |= static_cast<Word>(static_cast<std::uint8_t>(rows[k][i])) << 8 * k;
    return word;
  }
};
#endif

// One tile: filters of packed words b by columns [0, P) of packed words a.
template <class Unit, int P>
inline void byte_tile(Int depth, const Word* a, const Word* b, Word* to) {
  Words sum[P][2] = {};
  for (Int k = 0; k < depth; ++k, a += kColumnTile, b += kByteFilters) {
    const Words low = load(b), high = load(b + kLanes<Word>);
    for (int p = 0; p < P; ++p) {
      const Words word = broadcast(a[p]);
      Unit::add(sum[p][0], word, low);
      Unit::add(sum[p][1], word, high);
    }
  }
  for (int p = 0; p < P; ++p)
    for (int v = 0; v < 2; ++v) store(to + p * kByteFilters + v * kLanes<Word>, sum[p][v]);
}

// Filters (count, depth) as words, kByteFilters of them together, and what to add to their sums.
template <class Unit>
class ByteFilters {
 public:
  // start: what the sums begin with, or null.    shifted: whether data are.
  ByteFilters(Int count, Int depth, const std::int8_t* weights, const Word* start, bool shifted)
      : count_(count),
        words_(parts(depth, Unit::kDepth)),
        data_(parts(count, kByteFilters) * words_ * kByteFilters),
        start_(round_up(count, kByteFilters)) {
    parallel_for(blocks(), 1, [&](Int begin, Int end) {
      for (Int f = begin * kByteFilters; f < end * kByteFilters; ++f) {
        Word* to = data_.get() + f / kByteFilters * words_ * kByteFilters + f % kByteFilters;
        Word total = 0;
        if (f < count)
          total = pack(weights + f * depth, depth, to);
        else
          for (Int k = 0; k < words_; ++k) to[k * kByteFilters] = 0;
        start_.get()[f] =
            (start != nullptr && f < count ? start[f] : 0) - (shifted ? Unit::kShift * total : 0);
      }
    });
  }

  Int count() const { return count_; }
  Int words() const { return words_; }
  Int blocks() const { return parts(count_, kByteFilters); }
  const Word* block(Int i) const { return data_.get() + i * words_ * kByteFilters; }
  const Word* start(Int i) const { return start_.get() + i * kByteFilters; }

 private:
  // One filter's weights as words, kByteFilters apart; their sum.
  Word pack(const std::int8_t* weights, Int depth, Word* to) const {
    Word total = 0;
    for (Int k = 0; k < depth; ++k) total += weights[k];
    const Int whole = depth / Unit::kDepth;
    for (Int k = 0; k < whole; ++k)
      to[k * kByteFilters] = Unit::weights(weights + k * Unit::kDepth);
    if (whole * Unit::kDepth < depth) {
      std::int8_t last[Unit::kDepth] = {};
      std::copy(weights + whole * Unit::kDepth, weights + depth, last);
      to[whole * kByteFilters] = Unit::weights(last);
    }
    return total;
  }

  Int count_, words_;
  Scratch<Word> data_, start_;
};

// Computes columns [0, columns) by all filters.
//
// pack(first, count, words): columns as words, kColumnTile apart.   place(column): where its
// results begin in `out`, those of filters `step` apart.
template <class Unit, class Pack, class Place>
void byte_product(const ByteFilters<Unit>& filters, Int columns, const Pack& pack,
                  const Place& place, Word* out, Int step) {
  const Int tiles = parts(columns, kColumnTile);
  const Int shares = std::min(filters.blocks(), std::max<Int>(1, parts(num_threads(), tiles)));
  parallel_for(tiles * shares, 1, [&](Int begin, Int end) {
    Scratch<Word> words(filters.words() * kColumnTile);
    Word tile[kByteColumns * kByteFilters];
    for (Int item = begin; item < end; ++item) {
      const Int first = item / shares * kColumnTile, share = item % shares;
      const Int count = std::min(kColumnTile, columns - first);
      pack(first, count, words.get());
      const Int from = filters.blocks() * share / shares;
      const Int to = filters.blocks() * (share + 1) / shares;
      for (Int block = from; block < to; ++block) {
        const Int height = std::min<Int>(kByteFilters, filters.count() - block * kByteFilters);
        const Word* start = filters.start(block);
        for (Int p = 0; p < count; p += kByteColumns) {
          byte_tile<Unit, kByteColumns>(filters.words(), words.get() + p, filters.block(block),
                                        tile);
          const Int width = std::min<Int>(kByteColumns, count - p);
          Word* at[kByteColumns];
          for (Int i = 0; i < width; ++i)
            at[i] = out + place(first + p + i) + block * kByteFilters * step;
          for (Int f = 0; f < height; ++f)
            for (Int i = 0; i < width; ++i) at[i][f * step] = tile[i * kByteFilters + f] + start[f];
        }
      }
    }
  });
}

}  // namespace baryon::BARYON_ISA
