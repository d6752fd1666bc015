// Philox4x32-10 (Salmon et al., SC 2011), many blocks at a time; see ops/philox.py for the mapping
// of elements to words.
#pragma once

#include <cstdint>

#include "loops.h"

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
    alignas(64) std::uint32_t c0[kBlocks], c1[kBlocks], c2[kBlocks], c3[kBlocks];
    for (Index i = 0; i < kBlocks; ++i) {
      const std::uint64_t block = first + static_cast<std::uint64_t>(i);
      c0[i] = static_cast<std::uint32_t>(block);
      c1[i] = static_cast<std::uint32_t>(block >> 32);
      c2[i] = stream[0];
      c3[i] = stream[1];
    }
    std::uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; ++round, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u)
#pragma GCC ivdep
      for (Index i = 0; i < kBlocks; ++i) {
        const std::uint64_t p0 = std::uint64_t{0xD2511F53u} * c0[i];
        const std::uint64_t p1 = std::uint64_t{0xCD9E8D57u} * c2[i];
        c0[i] = static_cast<std::uint32_t>(p1 >> 32) ^ c1[i] ^ k0;
        c1[i] = static_cast<std::uint32_t>(p1);
        c2[i] = static_cast<std::uint32_t>(p0 >> 32) ^ c3[i] ^ k1;
        c3[i] = static_cast<std::uint32_t>(p0);
      }
    for (Index i = 0; i < kBlocks; ++i) {
      words[4 * i] = c0[i];
      words[4 * i + 1] = c1[i];
      words[4 * i + 2] = c2[i];
      words[4 * i + 3] = c3[i];
    }
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
