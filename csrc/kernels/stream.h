// Stores that bypass the caches, for results larger than these: the lines need not be read first.
#pragma once

#include <cstdint>
#include <cstring>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace baryon::BARYON_ISA {

constexpr std::int64_t kLineBytes = 64;
constexpr std::int64_t kStreamBytes = 1 << 22;  // results from this size on are worth it

// Writes one whole cache line; both pointers are aligned to it.
inline void stream_line(void* to, const void* from) {
#ifdef __SSE2__
  const __m128i* source = static_cast<const __m128i*>(from);
  __m128i* target = static_cast<__m128i*>(to);
  for (int i = 0; i < 4; ++i) _mm_stream_si128(target + i, _mm_load_si128(source + i));
#else
  std::memcpy(to, from, kLineBytes);
#endif
}

// Orders streamed stores before all that follow; each thread calls it after its last one.
inline void stream_end() {
#ifdef __SSE2__
  _mm_sfence();
#endif
}

}  // namespace baryon::BARYON_ISA
