// What every kernel here begins with: storage types, vectors, and sums over warps and blocks.
// Includes nothing, so that NVRTC compiles it anywhere; tests compile it as C++ for the CPU.

typedef long long Index;
typedef unsigned int Word;

// ---- 16-bit storage, computed in float -----------------------------------------------------------

struct Half {
  unsigned short bits;
};
struct BFloat16 {
  unsigned short bits;
};

__device__ inline float widened(float x) { return x; }
__device__ inline double widened(double x) { return x; }
__device__ inline int widened(int x) { return x; }
__device__ inline Index widened(Index x) { return x; }
__device__ inline int widened(unsigned char x) { return x; }
__device__ inline int widened(signed char x) { return x; }
__device__ inline float widened(BFloat16 x) {
  return __uint_as_float(static_cast<Word>(x.bits) << 16);
}
__device__ inline float widened(Half x) {
#ifdef BARYON_EMULATED
  return emulated::half_to_float(x.bits);
#else
  float wide;
  asm("cvt.f32.f16 %0, %1;" : "=f"(wide) : "h"(x.bits));
  return wide;
#endif
}

template <class T>
struct Narrow {
  template <class A>
  __device__ static T from(A x) {
    return static_cast<T>(x);
  }
};
template <>
struct Narrow<Half> {
  __device__ static Half from(float x) {
    Half narrow;
#ifdef BARYON_EMULATED
    narrow.bits = emulated::float_to_half(x);
#else
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(narrow.bits) : "f"(x));
#endif
    return narrow;
  }
};
template <>
struct Narrow<BFloat16> {
  __device__ static BFloat16 from(float x) {  // to nearest even; NaN stays NaN
    const Word bits = __float_as_uint(x);
    BFloat16 narrow;
    narrow.bits = static_cast<unsigned short>(
        x != x ? (bits >> 16) | 0x40u : (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
    return narrow;
  }
};
template <class T, class A>
__device__ inline T narrowed(A x) {
  return Narrow<T>::from(x);
}

// What sums of a storage type are computed in.
template <class T>
struct Wide {
  typedef float type;
};
template <>
struct Wide<double> {
  typedef double type;
};

// ---- vectors of one memory access ----------------------------------------------------------------

template <class T, int N>
struct alignas(sizeof(T) * N) Pack {
  T at[N];
};

template <int N, class T>
__device__ inline Pack<T, N> load(const T* from) {
  return *reinterpret_cast<const Pack<T, N>*>(from);
}
template <int N, class T>
__device__ inline void store(T* to, const Pack<T, N>& values) {
  *reinterpret_cast<Pack<T, N>*>(to) = values;
}

// ---- limits --------------------------------------------------------------------------------------

template <class A>
__device__ inline A lowest();  // less than every finite number
template <>
__device__ inline float lowest<float>() {
  return __int_as_float(0xff800000);
}
template <>
__device__ inline double lowest<double>() {
  return __longlong_as_double(0xfff0000000000000ll);
}

template <class A>
__device__ inline A larger(A a, A b) {
  return a > b || a != a ? a : b;  // NaN wins
}

// ---- sums over threads ---------------------------------------------------------------------------

struct Add {
  template <class A>
  __device__ static A join(A a, A b) {
    return a + b;
  }
};
struct Most {
  template <class A>
  __device__ static A join(A a, A b) {
    return larger(a, b);
  }
};
struct Least {
  template <class A>
  __device__ static A join(A a, A b) {
    return a < b ? a : b;
  }
};

template <class Join, class A>
__device__ inline A over_warp(A value) {
#pragma unroll
  for (int step = 16; step > 0; step /= 2)
    value = Join::join(value, __shfl_xor_sync(0xffffffffu, value, step));
  return value;
}

// Over the threads that share threadIdx.y: blockDim.x is 32, or a larger multiple of it with
// blockDim.y 1. Every thread of the block must call it, and gets the result.
template <class Join, class A>
__device__ inline A over_row(A value) {
  value = over_warp<Join>(value);
  if (blockDim.x == 32) return value;
  __shared__ A parts[32];
  const int warps = blockDim.x / 32;
  __syncthreads();  // the last call's parts have been read
  if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = value;
  __syncthreads();
  value = parts[0];
  for (int i = 1; i < warps; ++i) value = Join::join(value, parts[i]);
  return value;
}

// The row that the threads of one threadIdx.y work on together.
struct Row {
  Index row;
  bool valid;
  __device__ explicit Row(Index rows) {
    row = static_cast<Index>(blockIdx.x) * blockDim.y + threadIdx.y;
    valid = row < rows;
    if (!valid) row = rows - 1;  // takes part in the exchanges, writes nothing
  }
};

// The place of this thread among all of the grid, and their number, for loops over elements.
__device__ inline Index first_element() {
  return static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
}
__device__ inline Index all_threads() { return static_cast<Index>(gridDim.x) * blockDim.x; }

// ---- sums that meet in one place, the same in any order ------------------------------------------

// Numbers are added as whole multiples of a unit that is so small that 64 bits just hold the sum:
// such sums do not depend on their order. Neighbouring places, `group` of them, share a unit, which
// the largest number decides; so kernels run twice, first to note bounds, then to add.
struct Meeting {
  int* tops;  // exponents of powers of two above all numbers of a group, + kBias; 0: only zeros
  Index* totals;
  Index group, room;  // room: bits of the largest number

  static constexpr int kBias = 2000, kEndless = 8000;

  __device__ void note(Index place, double bound) const {
    if (bound == 0) return;
    int exponent = kEndless - kBias;
    if (bound - bound == 0) frexp(bound, &exponent);
    int* top = tops + place / group;
    if (*top < exponent + kBias) atomicMax(top, exponent + kBias);
  }
  template <class A>
  __device__ void add(Index place, A value) const {
    if (value == 0) return;
    const int top = tops[place / group];
    Index* total = totals + place;
    if (top == kEndless) {  // infinity and NaN have no unit
      atomicAdd(reinterpret_cast<A*>(total), value);
      return;
    }
    const double units = ldexp(static_cast<double>(value), static_cast<int>(room) - top + kBias);
    atomicAdd(reinterpret_cast<unsigned long long*>(total),
              static_cast<unsigned long long>(llrint(units)));
  }
  template <class A>
  __device__ A sum(Index place) const {
    const int top = tops[place / group];
    if (top == kEndless) return *reinterpret_cast<const A*>(totals + place);
    return static_cast<A>(
        ldexp(static_cast<double>(totals[place]), top - kBias - static_cast<int>(room)));
  }
};
