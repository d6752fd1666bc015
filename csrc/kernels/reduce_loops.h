// What reductions do to elements: their operations, and loops over contiguous runs by dtype.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "loops.h"

namespace baryon::BARYON_ISA {

template <class T>
using Accumulator = std::conditional_t<std::is_floating_point_v<T>, double, std::int64_t>;

template <class A>
inline A wrapping_add(A a, A b) {
  if constexpr (std::is_integral_v<A>) {
    return static_cast<A>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
  } else {
    return a + b;
  }
}
template <class A>
inline A wrapping_mul(A a, A b) {
  if constexpr (std::is_integral_v<A>) {
    return static_cast<A>(static_cast<std::uint64_t>(a) * static_cast<std::uint64_t>(b));
  } else {
    return a * b;
  }
}

// Each gives a start, a map of one element, and the combination of two partial results. `additive`
// ones may add short runs of floats as floats; `exact` ones round nothing, so floats stay floats.
struct Sum {
  static constexpr bool additive = true, exact = false;
  template <class A>
  static A start() {
    return 0;
  }
  template <class A>
  static A map(A x) {
    return x;
  }
  template <class A>
  static A combine(A a, A b) {
    return wrapping_add(a, b);
  }
};
struct NanSum : Sum {
  template <class A>
  static A map(A x) {
    return x != x ? A(0) : x;
  }
};
struct SumAbs : Sum {
  template <class A>
  static A map(A x) {
    return x < A(0) ? -x : x;
  }
};
struct SumSquares : Sum {
  static constexpr bool additive = false, exact = false;  // float squares may overflow
  template <class A>
  static A map(A x) {
    return x * x;
  }
};
struct Prod {
  static constexpr bool additive = false, exact = false;
  template <class A>
  static A start() {
    return 1;
  }
  template <class A>
  static A map(A x) {
    return x;
  }
  template <class A>
  static A combine(A a, A b) {
    return wrapping_mul(a, b);
  }
};
struct NanProd : Prod {
  template <class A>
  static A map(A x) {
    return x != x ? A(1) : x;
  }
};
struct Max {
  static constexpr bool additive = false, exact = true;
  template <class A>
  static A start() {
    return std::is_integral_v<A> ? std::numeric_limits<A>::min()
                                 : -std::numeric_limits<A>::infinity();
  }
  template <class A>
  static A map(A x) {
    return x;
  }
  template <class A>
  static A combine(A a, A b) {  // a NaN on either side stays
    return b > a || b != b ? b : a;
  }
};
struct Min {
  static constexpr bool additive = false, exact = true;
  template <class A>
  static A start() {
    return std::is_integral_v<A> ? std::numeric_limits<A>::max()
                                 : std::numeric_limits<A>::infinity();
  }
  template <class A>
  static A map(A x) {
    return x;
  }
  template <class A>
  static A combine(A a, A b) {
    return b < a || b != b ? b : a;
  }
};

// ---- loops over contiguous elements -------------------------------------------------------------

constexpr int kPartials = 64;  // independent partial results, which the compiler keeps in registers
constexpr Index kFlush = 4096;  // elements that float lanes add before they go to double

// Whole groups of kPartials elements into `total`, by lanes of type L; the number of elements
// taken.
template <class Op, class L, class T, class A>
Index full_lanes(const T* x, Index n, A& total) {
  L lane[kPartials];
  for (int k = 0; k < kPartials; ++k) lane[k] = Op::template start<L>();
  Index i = 0;
  for (; i + kPartials <= n; i += kPartials)
    for (int k = 0; k < kPartials; ++k)
      lane[k] = Op::combine(lane[k], Op::map(static_cast<L>(x[i + k])));
  A wide[kPartials];
  for (int k = 0; k < kPartials; ++k) wide[k] = static_cast<A>(lane[k]);
#pragma GCC unroll 8
  for (int half = kPartials / 2; half > 0; half /= 2)
    for (int k = 0; k < half; ++k) wide[k] = Op::combine(wide[k], wide[k + half]);
  total = Op::combine(total, wide[0]);
  return i;
}

// All of x, into one result.
template <class Op, class L, class T, class A>
A lanes(const T* x, Index n) {
  A total = Op::template start<A>();
  Index i = 0;
  if constexpr (std::is_floating_point_v<T>) {
    if (n >= kPartials) i = full_lanes<Op, L>(x, n, total);
  }
  for (; i < n; ++i) total = Op::combine(total, Op::map(static_cast<A>(x[i])));
  return total;
}

template <class Op, class T>
void along(const void* from, Index n, void* into) {
  using A = Accumulator<T>;
  const T* x = static_cast<const T*>(from);
  A& result = *static_cast<A*>(into);
  if constexpr (Op::additive && std::is_same_v<T, float>) {
    for (Index i = 0; i < n; i += kFlush)
      result = Op::combine(result, lanes<Op, float, T, A>(x + i, std::min(kFlush, n - i)));
  } else {
    using L = std::conditional_t<Op::exact && std::is_floating_point_v<T>, T, A>;
    result = Op::combine(result, lanes<Op, L, T, A>(x, n));
  }
}

// Each of n runs of `length` elements into its own result; for runs too short for `along`.
template <class Op, class T>
void short_runs(const void* from, Index n, Index length, void* into) {
  using A = Accumulator<T>;
  const T* x = static_cast<const T*>(from);
  A* result = static_cast<A*>(into);
  for (Index i = 0; i < n; ++i, x += length) {
    A total = Op::template start<A>();
    for (Index k = 0; k < length; ++k) total = Op::combine(total, Op::map(static_cast<A>(x[k])));
    result[i] = total;
  }
}

// Element k of x into result k.
template <class Op, class T>
void across(const void* from, Index n, void* into) {
  using A = Accumulator<T>;
  const T* x = static_cast<const T*>(from);
  A* result = static_cast<A*>(into);
#pragma GCC ivdep
  for (Index i = 0; i < n; ++i) result[i] = Op::combine(result[i], Op::map(static_cast<A>(x[i])));
}

// The same of four rows, each in its turn: results are loaded and stored once for them.
template <class Op, class T>
void across_four(const void* const* from, Index n, void* into) {
  using A = Accumulator<T>;
  const T *a = static_cast<const T*>(from[0]), *b = static_cast<const T*>(from[1]);
  const T *c = static_cast<const T*>(from[2]), *d = static_cast<const T*>(from[3]);
  A* result = static_cast<A*>(into);
#pragma GCC ivdep
  for (Index i = 0; i < n; ++i) {
    A all = Op::combine(result[i], Op::map(static_cast<A>(a[i])));
    all = Op::combine(all, Op::map(static_cast<A>(b[i])));
    all = Op::combine(all, Op::map(static_cast<A>(c[i])));
    result[i] = Op::combine(all, Op::map(static_cast<A>(d[i])));
  }
}

// Partial results b into a.
template <class Op, class A>
void merge(void* a, const void* b, Index n) {
  A* x = static_cast<A*>(a);
  const A* y = static_cast<const A*>(b);
  for (Index i = 0; i < n; ++i) x[i] = Op::combine(x[i], y[i]);
}

template <class Op, class A>
void begin(void* into, Index n) {
  A* x = static_cast<A*>(into);
  for (Index i = 0; i < n; ++i) x[i] = Op::template start<A>();
}

using ElementsFn = void (*)(const void* from, Index n, void* into);

struct Loops {
  ElementsFn along = nullptr, across = nullptr;
  void (*across_four)(const void* const*, Index, void*) = nullptr;
  void (*short_runs)(const void*, Index, Index, void*) = nullptr;
  void (*merge)(void*, const void*, Index) = nullptr;
  void (*begin)(void*, Index) = nullptr;
};
struct Table {
  Loops loops[kSlots] = {};
  const Loops& of(DType dtype) const { return loops[slot(is_half(dtype) ? DType::f32 : dtype)]; }
};

template <class Op, class... T>
constexpr Table table() {
  Table made;
  ((made.loops[static_cast<int>(dtype_of<T>())] = {along<Op, T>, across<Op, T>, across_four<Op, T>,
                                                   short_runs<Op, T>, merge<Op, Accumulator<T>>,
                                                   begin<Op, Accumulator<T>>}),
   ...);
  return made;
}

}  // namespace baryon::BARYON_ISA
