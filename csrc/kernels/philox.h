// Philox4x32-10 (Salmon et al., SC 2011), many blocks at a time; see ops/philox.py for the mapping
// of elements to words.
#pragma once

#include <cstdint>
#include <cstring>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

#include "loops.h"
#include "simd.h"

namespace baryon::BARYON_ISA {

struct Philox {
  std::uint32_t key[2], stream[2];

  // The last three parameters of a random kernel: seed's high and low word, stream number.
  explicit Philox(const Call& call) {
    const double* p = call.params + call.n_params - 3;
    const std::uint64_t number = static_cast<std::uint64_t>(p[2]);
    key[0] = static_cast<std::uint32_t>(p[1]);
    key[1] = static_cast<std::uint32_t>(p[0]);
    stream[0] = static_cast<std::uint32_t>(number);
    stream[1] = static_cast<std::uint32_t>(number >> 32);
  }

  static constexpr Index kBlocks = 64, kWords = 4 * kBlocks;

  // Words 4 * first ... of blocks first, first + 1, ...: kWords of them.
  void fill(std::uint64_t first, std::uint32_t* words) const {
    for (Index i = 0; i < kBlocks; i += kAtOnce * kWide)
      several(first + static_cast<std::uint64_t>(i), words + 4 * i);
  }

 private:
  // Words in the lower halves of lanes of 64 bits, as multiplication takes them; what stands in the
  // upper halves does not matter.
  typedef std::uint64_t Wide __attribute__((vector_size(kVectorBytes)));
  static constexpr int kWide = kVectorBytes / 8, kAtOnce = 4;  // vectors, which need not wait

  static Wide times(Wide words, std::uint32_t factor) {
#if defined(__AVX512F__)
    return (Wide)_mm512_maskz_mul_epu32(0xFF, (__m512i)words, _mm512_set1_epi64(factor));
#elif defined(__AVX2__)
    return (Wide)_mm256_mul_epu32((__m256i)words, _mm256_set1_epi64x(factor));
#elif defined(__SSE2__)
    return (Wide)_mm_mul_epu32((__m128i)words, _mm_set1_epi64x(factor));
#else
    return (words & 0xFFFFFFFFu) * factor;
#endif
  }

  void several(std::uint64_t first, std::uint32_t* words) const {
    Wide c[kAtOnce][4];
    for (int v = 0; v < kAtOnce; ++v) {
      for (int i = 0; i < kWide; ++i)
        c[v][0][i] = first + static_cast<std::uint64_t>(v * kWide + i);
      c[v][1] = c[v][0] >> 32;
      c[v][2] = Wide{} + stream[0];
      c[v][3] = Wide{} + stream[1];
    }
    std::uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; ++round, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u)
#pragma GCC unroll 4
      for (int v = 0; v < kAtOnce; ++v) {
        const Wide p0 = times(c[v][0], 0xD2511F53u), p1 = times(c[v][2], 0xCD9E8D57u);
        c[v][0] = (p1 >> 32) ^ c[v][1] ^ k0;
        c[v][1] = p1;
        c[v][2] = (p0 >> 32) ^ c[v][3] ^ k1;
        c[v][3] = p0;
      }
    for (int v = 0; v < kAtOnce; ++v, words += 4 * kWide) put(c[v], words);
  }

  // The four words of each block, one after the other.
  static void put(const Wide* c, std::uint32_t* words) {
    const Wide front = (c[0] & 0xFFFFFFFFu) | c[1] << 32, back = (c[2] & 0xFFFFFFFFu) | c[3] << 32;
    const auto pairs = [](int k, int half) { return (k + half * kWide) / 2 + k % 2 * kWide; };
    Wide low, high;
    for (int k = 0; k < kWide; ++k) {
      low[k] = static_cast<std::uint64_t>(pairs(k, 0));
      high[k] = static_cast<std::uint64_t>(pairs(k, 1));
    }
    const Wide joined[2] = {__builtin_shuffle(front, back, low),
                            __builtin_shuffle(front, back, high)};
    std::memcpy(words, joined, sizeof joined);
  }
};

inline float unit_float(std::uint32_t word) {
  return static_cast<float>(static_cast<std::int32_t>(word >> 8)) * 0x1p-24f;
}
inline double unit_double(std::uint32_t high, std::uint32_t low) {
  return (static_cast<double>(high >> 5) * 67108864.0 + static_cast<double>(low >> 6)) * 0x1p-53;
}

// use(first element, uniforms, how many) over [0, count), in runs of at most Philox::kWords, each
// from an even element on.
template <class T, class Use>
void each_uniform(const Philox& philox, Index count, const Use& use) {
  constexpr Index run = sizeof(T) == 4 ? Philox::kWords : Philox::kWords / 2;
  const Index runs = (count + run - 1) / run;
  parallel_for(runs, std::max<Index>(1, kGrain / 8 / run), [&](Index begin, Index end) {
    alignas(64) std::uint32_t words[Philox::kWords];
    alignas(64) T uniforms[run];
    for (Index r = begin; r < end; ++r) {
      philox.fill(static_cast<std::uint64_t>(r) * Philox::kBlocks, words);
      for (Index i = 0; i < run; ++i) {
        if constexpr (sizeof(T) == 4)
          uniforms[i] = unit_float(words[i]);
        else
          uniforms[i] = unit_double(words[2 * i], words[2 * i + 1]);
      }
      use(r * run, uniforms, std::min(run, count - r * run));
    }
  });
}

}  // namespace baryon::BARYON_ISA
