// Products of matrices and of stacks of them, and the small products of every kernel family.
#include "../gemm.h"

#include <algorithm>

#include "../kernel.h"
#include "../parallel.h"
#include "tile.h"
#include "transpose.h"

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

// ---- products on one thread ---------------------------------------------------------------

constexpr Int kDepth = 256;  // products summed in registers before a tile goes back to memory

constexpr Int kDirectPanels = 3;  // of rows; for more of them, columns are worth packing
constexpr Int kFetchPanels = 3;   // of rows; more of them find packed columns in the first cache

template <class T>
struct Operands {
  bool ta = false, tb = false;
  Int m = 0, n = 0, k = 0;
  T alpha = 1;
  const T* a = nullptr;
  Int lda = 0;
  const T* b = nullptr;
  Int ldb = 0;
  T beta = 0;
  T* c = nullptr;
  Int ldc = 0;
  const T* packed = nullptr;  // B as pack_columns packs it, panel by panel
  const T* bias = nullptr;    // what the rows of C begin with, where beta is 0

  Operands() = default;
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
        ldc(static_cast<Int>(call.params[kLdc])),
        packed(call.in[2].as<T>()),
        bias(call.in[3].as<T>()) {}
};

// All panels of a turned A, which is read row by row. Whole vectors are written where what stands
// behind them is written later.
template <class T>
void pack_across(const Operands<T>& p, const Panels& panels, Int first_row, Int from, Int to,
                 T* packed) {
  constexpr Int kRows = 8;  // read together
  const Int depth = to - from;
  for (Int begin = 0; begin < depth; begin += kRows)
    for (Int i = 0; i < panels.count; ++i) {
      const Int rows = panels.size(i), column = first_row + panels.begin(i);
      for (Int l = begin; l < std::min(depth, begin + kRows); ++l) {
        const T* a = p.a + (from + l) * p.lda + column;
        T* next = packed + i * panels.height * depth + l * rows;
        const bool room = from + l + 1 < p.k || column + round_up(rows, kLanes<T>) <= p.m;
        if (l + 1 < depth && room) {
          for (Int r = 0; r < rows; r += kLanes<T>) store(next + r, load(a + r));
        } else {
          std::copy_n(a, rows, next);
        }
      }
    }
}

// Rows of op(A), times alpha, panel by panel.
template <class T>
void pack_panels(const Operands<T>& p, const Panels& panels, Int first_row, Int from, Int to,
                 T* packed) {
  const Int depth = to - from;
  if (p.ta) {
    pack_across(p, panels, first_row, from, to, packed);
  } else {
    for (Int i = 0; i < panels.count; ++i)
      pack_panel(packed + i * panels.height * depth, panels.size(i),
                 p.a + (first_row + panels.begin(i)) * p.lda + from, p.lda, depth);
  }
  if (p.alpha != T(1))
    for (Int i = 0; i < panels.rows * depth; ++i) packed[i] *= p.alpha;
}

// Columns of op(B) from `column` at depths [from, to), packed [k][kTileColumns] with zeros behind.
template <class T>
void pack_columns(const Operands<T>& p, Int column, Int from, Int to, T* packed) {
  const Int width = std::min<Int>(kTileColumns<T>, p.n - column);
  if (width < kTileColumns<T>) std::fill_n(packed, (to - from) * kTileColumns<T>, T(0));
  if (p.tb) {
    transpose_block(packed, kTileColumns<T>, p.b + column * p.ldb + from, p.ldb, to - from, width);
  } else if (width < kTileColumns<T>) {
    for (Int l = from; l < to; ++l, packed += kTileColumns<T>)
      std::copy_n(p.b + l * p.ldb + column, width, packed);
  } else {
    for (Int l = from; l < to; ++l, packed += kTileColumns<T>)
      for (int v = 0; v < kTileColumns<T>; v += kLanes<T>)
        store(packed + v, load(p.b + l * p.ldb + column + v));
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
      for (Int j = 0; j < width; ++j)
        to[j] = tile[j] + (p.bias == nullptr ? T(0) : p.bias[column + j]);
    } else {
      for (Int j = 0; j < width; ++j) to[j] = p.beta * to[j] + tile[j];
    }
  }
}

// Rows [first, last) of the product: A packed whole for one depth after the other, then B panel by
// panel.
template <class T>
void product_of_rows(const Operands<T>& p, Int first_row, Int last_row) {
  const Panels panels(last_row - first_row);
  const Int depths = parts(p.k, kDepth);
  const Int deepest = round_up(parts(p.k, std::max<Int>(depths, 1)), 8);  // turned by eights
  const Scratch<T> rows(panels.count * panels.height * deepest + kLanes<T>);
  const Scratch<T> columns(kTileColumns<T> * deepest);
  alignas(kVectorBytes) T tile[kTileRows * kTileColumns<T>];
  for (Int from = 0; from < p.k; from += deepest) {
    const Int to = std::min(p.k, from + deepest), depth = to - from;
    pack_panels(p, panels, first_row, from, to, rows.get());
    for (Int column = 0; column < p.n; column += kTileColumns<T>) {
      const bool whole = column + kTileColumns<T> <= p.n;
      const bool direct = p.packed == nullptr && !p.tb && whole && panels.count <= kDirectPanels;
      const T* b = columns.get();
      if (p.packed != nullptr) {
        b = p.packed + column * p.k + from * kTileColumns<T>;
      } else if (direct) {
        b = p.b + from * p.ldb + column;
      } else {
        pack_columns(p, column, from, to, columns.get());
      }
      const bool adds = from > 0 || p.beta == T(1);
      const bool fetches = p.packed != nullptr && panels.count <= kFetchPanels;
      for (Int i = 0; i < panels.count; ++i) {
        const T* a = rows.get() + i * panels.height * depth;
        const Int row = first_row + panels.begin(i);
        T* c = p.c + row * p.ldc + column;
        const Int ldb = direct ? p.ldb : kTileColumns<T>;
        if (whole && (adds || p.beta == T(0))) {
          const T* bias = p.bias == nullptr ? nullptr : p.bias + column;  // the same for each row
          const TileFn<T> run =
              fetches ? tile_of<T, true>(panels.size(i)) : tile_of<T>(panels.size(i));
          run({depth, a, b, ldb, nullptr, adds ? c : bias, adds ? p.ldc : 0, c, p.ldc});
          continue;
        }
        tile_of<T>(panels.size(i))({depth, a, b, ldb, nullptr, nullptr, 0, tile, kTileColumns<T>});
        add_tile(p, tile, row, panels.size(i), column, from == 0);
      }
    }
  }
}

// By blocks of rows that the cache keeps for one depth.
template <class T>
void product_by_blocks(const Operands<T>& p) {
  constexpr Int kRows = 1024 * 1024 / (kDepth * Int{sizeof(T)});
  const Int blocks = parts(p.m, kRows);
  for (Int i = 0; i < blocks; ++i) product_of_rows(p, p.m * i / blocks, p.m * (i + 1) / blocks);
}

// A few rows by a turned B, whose rows are read once, as they lie: sums of products, lane by lane.
template <class T, int rows>
void product_of_few_rows(const Operands<T>& p) {
  constexpr int kColumns = 4;
  const Int whole = p.k - p.k % kLanes<T>;
  for (Int j = 0; j < p.n; j += kColumns) {
    const int columns = static_cast<int>(std::min<Int>(kColumns, p.n - j));
    const T* b[kColumns];  // (a last column stands in for those that are missing)
    for (int c = 0; c < kColumns; ++c) b[c] = p.b + (j + std::min(c, columns - 1)) * p.ldb;
    Vector<T> sums[rows][kColumns] = {};
    for (Int l = 0; l < whole; l += kLanes<T>) {
#pragma GCC unroll 4
      for (int c = 0; c < kColumns; ++c) {
        const Vector<T> column = load(b[c] + l);
#pragma GCC unroll 4
        for (int r = 0; r < rows; ++r) sums[r][c] += load(p.a + r * p.lda + l) * column;
      }
    }
    for (int r = 0; r < rows; ++r)
      for (int c = 0; c < columns; ++c) {
        T total = sum<T>(sums[r][c]);
        for (Int l = whole; l < p.k; ++l) total += p.a[r * p.lda + l] * b[c][l];
        T* to = p.c + r * p.ldc + j + c;
        const T start = p.bias != nullptr ? p.bias[j + c] : T(0);
        *to = p.alpha * total + (p.beta == T(0) ? start : p.beta * *to);
      }
  }
}

template <class T>
void product_alone(const Call& call) {
  const Operands<T> p(call);
  *call.out[1].as<bool>() = true;
  if (p.packed != nullptr) return product_by_blocks(p);
  if (!p.ta && p.tb && p.m == 1) return product_of_few_rows<T, 1>(p);
  if (!p.ta && p.tb && p.m == 2) return product_of_few_rows<T, 2>(p);
  product_by_blocks(p);
}

// Products for which this is faster than a BLAS library, which packs its operands too. With vectors
// of 64 bytes these are all but products of large operands; with others only those whose packing
// costs the library more than it gains.
bool fits_caches(const Call& call) {
  const double m = call.params[kM], n = call.params[kN], k = call.params[kK];
  if (kVectorBytes < 64) return m * n * k <= 32.0 * 32 * 32;
  return m * n * k <= 6e8;
}

// ---- the second factor packed for many products ---------------------------------------------

template <class T>
std::int64_t packed_bytes(const Call& call) {
  const Int n = static_cast<Int>(call.params[kN]), k = static_cast<Int>(call.params[kK]);
  return round_up(n, kTileColumns<T>) * k * static_cast<Int>(sizeof(T));
}

template <class T>
void pack_all(const Call& call) {
  const Operands<T> p(call);
  for (Int column = 0; column < p.n; column += kTileColumns<T>)
    pack_columns(p, column, 0, p.k, p.c + column * p.k);
  *call.out[1].as<bool>() = true;
}

bool accepts_all(const Call&) { return true; }

}  // namespace
}  // namespace baryon::BARYON_ISA

BARYON_REGISTER(gemm) {
  using namespace baryon::BARYON_ISA;
  using baryon::DType;
  add("gemm", gemm_kernel, baryon::same_dtype<DType::f32, DType::f64>);
  add("_gemm_f32", product_alone<float>, fits_caches);
  add("_gemm_f64", product_alone<double>, fits_caches);
  add("_pack_f32", pack_all<float>, accepts_all, packed_bytes<float>);
  add("_pack_f64", pack_all<double>, accepts_all, packed_bytes<double>);
}
