// Products of matrices and of stacks of them, and the small products of every kernel family.
#include "../gemm.h"

#include <algorithm>

#include "../kernel.h"
#include "../parallel.h"
#include "tile.h"

namespace baryon::BARYON_ISA {
namespace {

// ---- dot, batch_dot, linalg gemm: params count, rows, columns, inner, ta, tb, alpha -------------

template <class T>
void stack_of_products(const Call& call) {
  const double* p = call.params;
  const Int count = static_cast<Int>(p[0]), m = static_cast<Int>(p[1]), n = static_cast<Int>(p[2]);
  const Int k = static_cast<Int>(p[3]);
  const bool ta = p[4] != 0, tb = p[5] != 0;
  const T alpha = static_cast<T>(p[6]);
  const T* a = call.in[0].as<T>();
  const T* b = call.in[1].as<T>();
  T* c = call.out[0].as<T>();
  const auto one = [&](Int i) {
    gemm(ta, tb, m, n, k, alpha, a + i * m * k, ta ? m : k, b + i * k * n, tb ? k : n, T(0),
         c + i * m * n, n);
  };
  if (count >= 2 * num_threads() || static_cast<double>(m) * n * k < 1e5) {
    const Int grain =
        std::max<Int>(1, static_cast<Int>(1e5 / (1.0 + static_cast<double>(m) * n * k)));
    parallel_for(count, grain, [&](Int begin, Int end) {
      for (Int i = begin; i < end; ++i) one(i);
    });
  } else {
    for (Int i = 0; i < count; ++i) one(i);
  }
}

void gemm_kernel(const Call& call) {
  if (call.in[0].dtype == DType::f32) {
    stack_of_products<float>(call);
  } else {
    stack_of_products<double>(call);
  }
}

// ---- small products on one thread ---------------------------------------------------------------

constexpr Int kDepth = 256;  // products summed in registers before a tile goes back to memory

template <class T>
struct Operands {
  bool ta, tb;
  Int m, n, k;
  T alpha;
  const T* a;
  Int lda;
  const T* b;
  Int ldb;
  T beta;
  T* c;
  Int ldc;

  explicit Operands(const Call& call)
      : ta(call.params[kTa] != 0),
        tb(call.params[kTb] != 0),
        m(static_cast<Int>(call.params[kM])),
        n(static_cast<Int>(call.params[kN])),
        k(static_cast<Int>(call.params[kK])),
        alpha(static_cast<T>(call.params[kAlpha])),
        a(call.in[0].as<T>()),
        lda(static_cast<Int>(call.params[kLda])),
        b(call.in[1].as<T>()),
        ldb(static_cast<Int>(call.params[kLdb])),
        beta(static_cast<T>(call.params[kBeta])),
        c(call.out[0].as<T>()),
        ldc(static_cast<Int>(call.params[kLdc])) {}
};

// Rows [row, row + rows) of alpha op(A) at depths [from, to), packed [k][rows].
template <class T>
void pack_rows(const Operands<T>& p, Int row, Int rows, Int from, Int to, T* packed) {
  for (Int l = from; l < to; ++l)
    for (Int r = 0; r < rows; ++r)
      *packed++ = p.alpha * (p.ta ? p.a[l * p.lda + row + r] : p.a[(row + r) * p.lda + l]);
}

// Columns of op(B) from `column` at depths [from, to), packed [k][kTileColumns] with zeros behind.
template <class T>
void pack_columns(const Operands<T>& p, Int column, Int from, Int to, T* packed) {
  const Int width = std::min<Int>(kTileColumns<T>, p.n - column);
  for (Int l = from; l < to; ++l, packed += kTileColumns<T>) {
    for (Int j = 0; j < width; ++j)
      packed[j] = p.tb ? p.b[(column + j) * p.ldb + l] : p.b[l * p.ldb + column + j];
    for (Int j = width; j < kTileColumns<T>; ++j) packed[j] = 0;
  }
}

template <class T>
void add_tile(const Operands<T>& p, const T* tile, Int row, Int rows, Int column, bool first) {
  const Int width = std::min<Int>(kTileColumns<T>, p.n - column);
  for (Int r = 0; r < rows; ++r, tile += kTileColumns<T>) {
    T* to = p.c + (row + r) * p.ldc + column;
    if (!first) {
      for (Int j = 0; j < width; ++j) to[j] += tile[j];
    } else if (p.beta == 0) {
      for (Int j = 0; j < width; ++j) to[j] = tile[j];
    } else {
      for (Int j = 0; j < width; ++j) to[j] = p.beta * to[j] + tile[j];
    }
  }
}

template <class T>
void small_product(const Call& call) {
  const Operands<T> p(call);
  const Panels panels(p.m);
  const Int deepest = std::min(p.k, kDepth);
  const Scratch<T> rows(panels.count * panels.height * deepest);
  const Scratch<T> columns(kTileColumns<T> * deepest);
  alignas(kVectorBytes) T tile[kTileRows * kTileColumns<T>];
  for (Int from = 0; from < p.k; from += kDepth) {
    const Int to = std::min(p.k, from + kDepth), depth = to - from;
    for (Int i = 0; i < panels.count; ++i)
      pack_rows(p, panels.begin(i), panels.size(i), from, to,
                rows.get() + i * panels.height * depth);
    for (Int column = 0; column < p.n; column += kTileColumns<T>) {
      const bool direct = !p.tb && column + kTileColumns<T> <= p.n;
      if (!direct) pack_columns(p, column, from, to, columns.get());
      const T* b = direct ? p.b + from * p.ldb + column : columns.get();
      for (Int i = 0; i < panels.count; ++i) {
        const T* a = rows.get() + i * panels.height * depth;
        tile_of<T>(panels.size(i))({depth, a, b, direct ? p.ldb : kTileColumns<T>, nullptr, nullptr,
                                    0, tile, kTileColumns<T>});
        add_tile(p, tile, panels.begin(i), panels.size(i), column, from == 0);
      }
    }
  }
}

// Products for which a BLAS library's set-up and packing cost more than they gain.
bool small(const Call& call) {
  const double work = call.params[kM] * call.params[kN] * call.params[kK];
  return work <= 32.0 * 32 * 32;
}

}  // namespace

}  // namespace baryon::BARYON_ISA

BARYON_REGISTER(gemm) {
  using namespace baryon::BARYON_ISA;
  using baryon::DType;
  add("gemm", gemm_kernel, baryon::same_dtype<DType::f32, DType::f64>);
  add("_gemm_f32", small_product<float>, small);
  add("_gemm_f64", small_product<double>, small);
}
