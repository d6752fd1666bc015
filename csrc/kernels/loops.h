// Drivers of element-wise kernels: threads, 16-bit floats, broadcasting and streaming stores. The
// operators give them plain loops over contiguous runs.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "../kernel.h"
#include "../parallel.h"
#include "half.h"
#include "stream.h"

namespace baryon::BARYON_ISA {

using Index = std::int64_t;

constexpr Index kGrain = 32768;  // elements below which another thread does not pay
constexpr Index kBlock = 1024;   // elements that pass through a buffer at a time

// The position of a dtype in a table of loops.
inline int slot(DType dtype) { return dtype == DType::bf16 ? 8 : static_cast<int>(dtype); }
constexpr int kSlots = 9;

template <class T>
constexpr DType dtype_of();
template <>
constexpr DType dtype_of<float>() {
  return DType::f32;
}
template <>
constexpr DType dtype_of<double>() {
  return DType::f64;
}
template <>
constexpr DType dtype_of<std::int32_t>() {
  return DType::i32;
}
template <>
constexpr DType dtype_of<std::int64_t>() {
  return DType::i64;
}
template <>
constexpr DType dtype_of<std::int8_t>() {
  return DType::i8;
}
template <>
constexpr DType dtype_of<std::uint8_t>() {
  return DType::u8;
}
template <>
constexpr DType dtype_of<bool>() {
  return DType::b8;
}

inline char* at(void* base, Index bytes) { return static_cast<char*>(base) + bytes; }
inline const char* at(const void* base, Index bytes) {
  return static_cast<const char*>(base) + bytes;
}

// ---- one input ----------------------------------------------------------------------------------

using UnaryLoop = void (*)(const void* in, void* out, Index n, const double* params);

// Loops by dtype; null where the reference body serves. 16-bit floats use the float loop.
struct UnaryLoops {
  UnaryLoop loop[kSlots] = {};

  UnaryLoop of(DType dtype) const { return loop[slot(is_half(dtype) ? DType::f32 : dtype)]; }
};

void run_unary(const UnaryLoops& loops, const Call& call);

inline bool accepts_unary(const UnaryLoops& loops, const Call& call) {
  return loops.of(call.in[0].dtype) != nullptr && call.out[0].dtype == call.in[0].dtype;
}

// `Op::apply(x)`, or `Op(params).apply(x)` for one with parameters.
template <class Op, class T>
void unary_loop(const void* in, void* out, Index n, [[maybe_unused]] const double* params) {
  const T* x = static_cast<const T*>(in);
  T* y = static_cast<T*>(out);
  if constexpr (requires { Op(params); }) {
    const Op op(params);
#pragma GCC ivdep
    for (Index i = 0; i < n; ++i) y[i] = static_cast<T>(op.apply(x[i]));
  } else {
#pragma GCC ivdep
    for (Index i = 0; i < n; ++i) y[i] = static_cast<T>(Op::apply(x[i]));
  }
}

template <class Op, class... T>
constexpr UnaryLoops unary_loops() {
  UnaryLoops loops;
  ((loops.loop[static_cast<int>(dtype_of<T>())] = unary_loop<Op, T>), ...);
  return loops;
}

// ---- two inputs ---------------------------------------------------------------------------------

using BinaryLoop = void (*)(const void* a, const void* b, void* out, Index n);

// Loops for two vectors, a vector and one number, one number and a vector.
struct BinaryRuns {
  BinaryLoop vv = nullptr, vs = nullptr, sv = nullptr;
};
struct BinaryLoops {
  BinaryRuns runs[kSlots] = {};

  const BinaryRuns& of(DType dtype) const {
    return runs[slot(is_half(dtype) ? DType::f32 : dtype)];
  }
};

void run_binary(const BinaryLoops& loops, const Call& call);
// One tensor and the number params[0], on the right or (`reversed`) on the left.
void run_scalar(const BinaryLoops& loops, const Call& call, bool reversed);

template <class Op, class T, bool a_varies, bool b_varies>
void binary_loop(const void* a, const void* b, void* out, Index n) {
  const T* x = static_cast<const T*>(a);
  const T* w = static_cast<const T*>(b);
  T* y = static_cast<T*>(out);
  if constexpr (a_varies && b_varies) {
#pragma GCC ivdep
    for (Index i = 0; i < n; ++i) y[i] = static_cast<T>(Op::apply(x[i], w[i]));
  } else if constexpr (a_varies) {
    const T right = *w;
#pragma GCC ivdep
    for (Index i = 0; i < n; ++i) y[i] = static_cast<T>(Op::apply(x[i], right));
  } else {
    const T left = *x;
#pragma GCC ivdep
    for (Index i = 0; i < n; ++i) y[i] = static_cast<T>(Op::apply(left, w[i]));
  }
}

// `vv` for a vector and a number, which fills a block: where loops over a number do not vectorise.
template <BinaryLoop vv, class T, bool number_is_left>
void filled_loop(const void* a, const void* b, void* out, Index n) {
  alignas(64) T same[kBlock];
  std::fill_n(same, std::min(n, kBlock), *static_cast<const T*>(number_is_left ? a : b));
  const T* varying = static_cast<const T*>(number_is_left ? b : a);
  for (Index i = 0; i < n; i += kBlock) {
    const T *x = number_is_left ? same : varying + i, *w = number_is_left ? varying + i : same;
    vv(x, w, static_cast<T*>(out) + i, std::min(kBlock, n - i));
  }
}
template <BinaryLoop vv, class T>
constexpr BinaryRuns filled_runs() {
  return {vv, filled_loop<vv, T, false>, filled_loop<vv, T, true>};
}

template <class Op, class... T>
constexpr BinaryLoops binary_loops() {
  BinaryLoops loops;
  ((loops.runs[static_cast<int>(dtype_of<T>())] = {binary_loop<Op, T, true, true>,
                                                   binary_loop<Op, T, true, false>,
                                                   binary_loop<Op, T, false, true>}),
   ...);
  return loops;
}

}  // namespace baryon::BARYON_ISA
