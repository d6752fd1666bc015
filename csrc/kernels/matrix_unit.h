// The matrix unit of newer x86-64 processors (AMX): eight tile registers of 16 rows of 64 bytes.
//
// Written as assembly, so that neither compilers' options nor their headers matter; included only
// by files that the "amx" instruction set compiles.
#pragma once

#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

namespace baryon::BARYON_ISA {

// Whether the processor has the unit, with bfloat16, and the system lets this process use it.
inline bool has_matrix_unit() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  constexpr unsigned kTiles = 1u << 24, kBfloat16 = 1u << 22, kSaved = 1u << 27;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return false;
  if ((d & kTiles) == 0 || (d & kBfloat16) == 0) return false;
  if (!__get_cpuid(1, &a, &b, &c, &d) || (c & kSaved) == 0) return false;
  unsigned low = 0, high = 0;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  constexpr unsigned kTileState = 3u << 17;
  if ((low & kTileState) != kTileState) return false;
#ifdef __linux__
  constexpr int kAsk = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM, and what for
  return syscall(SYS_arch_prctl, kAsk, kTileData) == 0;
#else
  return false;
#endif
}

// Registers 4 and 5 have `rows` rows, as have 0 to 3, the sums; 6 and 7 have 16. The thread holds
// no tiles once this is gone: they would cost time whenever the system changes threads.
class Tiles {
 public:
  explicit Tiles(int rows) {
    struct alignas(64) {
      std::uint8_t palette = 1, start = 0, reserved[14] = {};
      std::uint16_t bytes[16] = {};
      std::uint8_t rows[16] = {};
    } shape;
    for (int i = 0; i < 8; ++i) {
      shape.bytes[i] = 64;
      shape.rows[i] = static_cast<std::uint8_t>(i < 6 ? rows : 16);
    }
    asm volatile("ldtilecfg %0" : : "m"(shape));
  }
  ~Tiles() { asm volatile("tilerelease"); }
  Tiles(const Tiles&) = delete;
  Tiles& operator=(const Tiles&) = delete;
};

// `stride`: bytes from one row to the next.
template <int tile>
inline void load_tile(const void* from, std::int64_t stride) {
  asm volatile("tileloadd (%0,%1,1), %%tmm%c2" : : "r"(from), "r"(stride), "i"(tile) : "memory");
}
template <int tile>
inline void store_tile(void* to, std::int64_t stride) {
  asm volatile("tilestored %%tmm%c2, (%0,%1,1)" : : "r"(to), "r"(stride), "i"(tile) : "memory");
}
template <int tile>
inline void clear_tile() {
  asm volatile("tilezero %%tmm%c0" : : "i"(tile));
}
// to[i][j] += the sum over k of a[i][k] b[k / 2][j][k % 2]: floats, of bfloat16.
template <int to, int a, int b>
inline void multiply_tiles() {
  asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(to), "i"(a), "i"(b));
}

}  // namespace baryon::BARYON_ISA
