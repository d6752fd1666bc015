// Runs CUDA sources on the CPU, for tests: blocks one after another, each thread of a block a fiber
// that hands over at barriers and warp exchanges. A thread that waits where the others never arrive
// is an error, as it would be a hang or undefined behaviour on a GPU.
#pragma once
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#define BARYON_EMULATED
#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __restrict__ __restrict
#define __constant__ static const
#define __shared__ static
#define __launch_bounds__(...)

struct Dim {
  unsigned x, y, z;
};
static Dim threadIdx, blockIdx, blockDim, gridDim;
static const int warpSize = 32;

namespace emulated {

enum State { ready, at_barrier, in_exchange, finished };

struct Fiber {
  ucontext_t context;
  State state;
  Dim index;
  unsigned lane, warp, mask;
  unsigned exchanges = 0;  // how many it took part in: their slots alternate
};

struct Warp {
  uint64_t slots[2][32];
};

constexpr size_t kStack = 64 * 1024, kMost = 1024;

static Fiber fibers[kMost];
static Warp warps[kMost / 32];
static char* stacks;
static ucontext_t scheduler;
static Fiber* self;
static void (*body)(void* arguments);
static void* arguments;
static const char* failure = "";

inline void run() {
  body(arguments);
  self->state = finished;
  swapcontext(&self->context, &scheduler);
}

inline void hand_over(State state) {
  self->state = state;
  swapcontext(&self->context, &scheduler);
}

inline bool release(State state, size_t begin, size_t end) {
  for (size_t i = begin; i < end; ++i)
    if (fibers[i].state != state) return false;
  for (size_t i = begin; i < end; ++i) fibers[i].state = ready;
  return true;
}

inline bool run_block(size_t count) {
  for (;;) {
    bool ran = false, left = false;
    for (size_t i = 0; i < count; ++i) {
      if (fibers[i].state != ready) continue;
      ran = true;
      self = &fibers[i];
      threadIdx = self->index;
      swapcontext(&scheduler, &self->context);
    }
    for (size_t i = 0; i < count; ++i) left |= fibers[i].state != finished;
    if (!left) return true;
    bool released = release(at_barrier, 0, count);
    for (size_t w = 0; w < count; w += 32)
      released |= release(in_exchange, w, count < w + 32 ? count : w + 32);
    if (!ran && !released) {
      failure = "threads of a block wait for each other in different places";
      return false;
    }
  }
}

inline bool launch(Dim grid, Dim block, void (*kernel)(void*), void* given) {
  const size_t count = size_t{block.x} * block.y * block.z;
  failure = "";
  body = kernel;
  arguments = given;
  gridDim = grid;
  blockDim = block;
  if (!stacks) stacks = static_cast<char*>(malloc(kMost * kStack));
  for (blockIdx.z = 0; blockIdx.z < grid.z; ++blockIdx.z)
    for (blockIdx.y = 0; blockIdx.y < grid.y; ++blockIdx.y)
      for (blockIdx.x = 0; blockIdx.x < grid.x; ++blockIdx.x) {
        for (size_t i = 0; i < count; ++i) {
          Fiber& f = fibers[i];
          f.state = ready;
          f.exchanges = 0;
          f.index = {unsigned(i % block.x), unsigned(i / block.x % block.y),
                     unsigned(i / block.x / block.y)};
          f.lane = i % 32;
          f.warp = i / 32;
          getcontext(&f.context);
          f.context.uc_stack.ss_sp = &stacks[i * kStack];
          f.context.uc_stack.ss_size = kStack;
          f.context.uc_link = nullptr;
          makecontext(&f.context, run, 0);
        }
        if (!run_block(count)) return false;
      }
  return true;
}

template <class A>
inline A exchange(unsigned mask, A value, unsigned from) {
  static_assert(sizeof(A) <= 8, "values of at most 8 bytes");
  Fiber* me = self;
  uint64_t* slots = warps[me->warp].slots[me->exchanges++ % 2];
  slots[me->lane] = 0;
  memcpy(&slots[me->lane], &value, sizeof(A));
  if (mask != 0xffffffffu) failure = "only full warps exchange";
  hand_over(in_exchange);
  memcpy(&value, &slots[from % 32], sizeof(A));
  return value;
}

inline float half_to_float(uint16_t bits) {
  _Float16 half;
  memcpy(&half, &bits, 2);
  return float(half);
}
inline uint16_t float_to_half(float x) {
  const _Float16 half = static_cast<_Float16>(x);
  uint16_t bits;
  memcpy(&bits, &half, 2);
  return bits;
}

template <class To, class From>
inline To cast_bits(From from) {
  To to;
  memcpy(&to, &from, sizeof(To));
  return to;
}

}  // namespace emulated

inline void __syncthreads() { emulated::hand_over(emulated::at_barrier); }
inline void __syncwarp(unsigned mask = 0xffffffffu) { emulated::exchange(mask, 0, 0); }
inline void __threadfence() {}

template <class A>
inline A __shfl_sync(unsigned mask, A value, int lane, int width = 32) {
  const unsigned base = emulated::self->lane / width * width;
  return emulated::exchange(mask, value, base + lane % width);
}
template <class A>
inline A __shfl_xor_sync(unsigned mask, A value, int other, int width = 32) {
  return emulated::exchange(mask, value, emulated::self->lane ^ other);
}
template <class A>
inline A __shfl_down_sync(unsigned mask, A value, unsigned delta, int width = 32) {
  const unsigned lane = emulated::self->lane, to = lane + delta;
  return emulated::exchange(mask, value, to / width == lane / width ? to : lane);
}
template <class A>
inline A __shfl_up_sync(unsigned mask, A value, unsigned delta, int width = 32) {
  const unsigned lane = emulated::self->lane;
  return emulated::exchange(mask, value, lane % width >= delta ? lane - delta : lane);
}
inline unsigned __ballot_sync(unsigned mask, int predicate) {
  unsigned votes = 0;
  emulated::Fiber* me = emulated::self;
  uint64_t* slots = emulated::warps[me->warp].slots[me->exchanges % 2];
  emulated::exchange(mask, predicate ? 1 : 0, 0);
  for (int i = 0; i < 32; ++i) votes |= unsigned(slots[i] != 0) << i;
  return votes;
}
inline int __any_sync(unsigned mask, int predicate) { return __ballot_sync(mask, predicate) != 0; }
inline int __all_sync(unsigned mask, int predicate) { return __ballot_sync(mask, !predicate) == 0; }

template <class A>
inline A atomicAdd(A* to, A value) {
  const A old = *to;
  *to += value;
  return old;
}
template <class A>
inline A atomicMax(A* to, A value) {
  const A old = *to;
  *to = old < value ? value : old;
  return old;
}
template <class A>
inline A atomicOr(A* to, A value) {
  const A old = *to;
  *to |= value;
  return old;
}
template <class A>
inline A atomicExch(A* to, A value) {
  const A old = *to;
  *to = value;
  return old;
}

inline float __uint_as_float(unsigned x) { return emulated::cast_bits<float>(x); }
inline unsigned __float_as_uint(float x) { return emulated::cast_bits<unsigned>(x); }
inline float __int_as_float(int x) { return emulated::cast_bits<float>(x); }
inline int __float_as_int(float x) { return emulated::cast_bits<int>(x); }
inline double __longlong_as_double(long long x) { return emulated::cast_bits<double>(x); }
inline float rsqrtf(float x) { return 1 / sqrtf(x); }
inline double rsqrt(double x) { return 1 / sqrt(x); }
inline float rsqrt(float x) { return 1 / sqrtf(x); }
inline double erfinv(double x) {  // by Newton's steps, from beyond the root
  const double size = fabs(x);
  if (!(size < 1)) return size == 1 ? x * INFINITY : NAN;
  double y = size < 0.7 ? size * 0.88622692545275801 : sqrt(-log1p(-size));
  for (int i = 0; i < 30; ++i) {
    const double off = size < 0.5 ? erf(y) - size : (1 - size) - erfc(y);
    y -= off * 0.88622692545275801 * exp(y * y);
  }
  return copysign(y, x);
}
inline float erfinv(float x) { return float(erfinv(double(x))); }
inline unsigned __umulhi(unsigned a, unsigned b) { return uint64_t{a} * b >> 32; }
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __ffs(int x) { return __builtin_ffs(x); }
template <class A>
inline A __ldg(const A* from) {
  return *from;
}
template <class A>
inline A min(A a, A b) {
  return b < a ? b : a;
}
template <class A>
inline A max(A a, A b) {
  return a < b ? b : a;
}
