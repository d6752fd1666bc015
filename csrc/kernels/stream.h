// Memory traffic of arrays larger than the caches: results written past them, so that their lines
// need not be read first, and data fetched before its turn.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#if defined(__SSE2__)
#include <immintrin.h>
#endif

#include "simd.h"

namespace baryon::BARYON_ISA {

constexpr std::int64_t kLineBytes = 64;
constexpr std::int64_t kStreamBytes = 8 << 20;  // results from this size on are worth it
constexpr std::int64_t kStreamRow = 256;        // bytes of their contiguous runs, at least
constexpr std::int64_t kAheadBytes = 2048;      // how far ahead a copy fetches

// Brings the line at an address, which need not exist, into the first cache.
inline void fetch(const void* address) { __builtin_prefetch(address); }

inline bool on_line(const void* address) {
  return reinterpret_cast<std::uintptr_t>(address) % kLineBytes == 0;
}

// Writes one vector past the caches, to an address that is a multiple of its size.
template <class V>
inline void stream_vector(void* to, V value) {
  static_assert(sizeof(V) == kVectorBytes);
  const Vector<float> bits = std::bit_cast<Vector<float>>(value);
#if defined(__AVX512F__)
  _mm512_stream_ps(static_cast<float*>(to), bits);
#elif defined(__AVX__)
  _mm256_stream_ps(static_cast<float*>(to), bits);
#elif defined(__SSE2__)
  _mm_stream_ps(static_cast<float*>(to), bits);
#else
  std::memcpy(to, &bits, sizeof(bits));
#endif
}

// Writes one whole cache line to an address on a line.
inline void stream_line(void* to, const void* from) {
  for (int i = 0; i < kLineBytes; i += kVectorBytes)
    stream_vector(static_cast<char*>(to) + i,
                  load(reinterpret_cast<const float*>(static_cast<const char*>(from) + i)));
}

// Copies past the caches; what does not fill a line of the result is copied plainly. With each line
// that begins i bytes after `from`, later(i) may fetch what will be needed next.
template <class Later>
inline void stream_copy(void* to, const void* from, std::int64_t bytes, const Later& later) {
  char* y = static_cast<char*>(to);
  const char* x = static_cast<const char*>(from);
  const std::int64_t lead =
      std::min<std::int64_t>(bytes, -reinterpret_cast<std::intptr_t>(y) & (kLineBytes - 1));
  std::memcpy(y, x, static_cast<std::size_t>(lead));
  std::int64_t i = lead;
  for (; i + kLineBytes <= bytes; i += kLineBytes) {
    later(i);
    stream_line(y + i, x + i);
  }
  std::memcpy(y + i, x + i, static_cast<std::size_t>(bytes - i));
}

inline void stream_copy(void* to, const void* from, std::int64_t bytes) {
  stream_copy(to, from, bytes, [](std::int64_t) {});
}

// The same of one run after another: `next` is what will be read kAheadBytes after the end of this
// run, or after all of it where that is shorter.
inline void stream_run(void* to, const void* from, std::int64_t bytes, const void* next) {
  const std::int64_t turn = std::max<std::int64_t>(0, bytes - kAheadBytes);
  const char *x = static_cast<const char*>(from) + kAheadBytes,
             *z = static_cast<const char*>(next) - turn;
  stream_copy(to, from, bytes, [=](std::int64_t i) { fetch((i < turn ? x : z) + i); });
}
inline void stream_run(void* to, const void* from, std::int64_t bytes) {
  stream_run(to, from, bytes, static_cast<const char*>(from) + bytes);
}

// Orders streamed stores before all that follow; each thread calls it after its last one.
inline void stream_end() {
#if defined(__SSE2__)
  _mm_sfence();
#endif
}

}  // namespace baryon::BARYON_ISA
