// Products of floats by the matrix unit, which multiplies bfloat16: each number is split into three
// of them, and the six products of parts that matter are summed.
//
// What is left out is below 2^-24 of a product, as the rounding of a product of floats is. Henry,
// Tang and Heinecke 2019, Leveraging the bfloat16 artificial intelligence datatype for
// higher-precision computations.
#include <atomic>

#include "../gemm.h"
#include "../kernel.h"
#include "../parallel.h"
#include "matrix_unit.h"
#include "thirds.h"

namespace baryon::BARYON_ISA {
namespace {

// A factor as it lies in memory: `count` rows (of the first) or columns (of the second), each of
// `depth` numbers, which follow each other in memory if `deep`.
struct Factor {
  const float* data;
  Int stride;
  bool deep;
  Int count, depth;

  Factor part(Int from, Int to) const {  // of the depth
    return {data + (deep ? from : from * stride), stride, deep, count, to - from};
  }
  Factor some(Int from, Int to) const {  // of the rows or columns
    return {data + (deep ? from * stride : from), stride, deep, to - from, depth};
  }

  // Calls use(pointer, stride) with `wide` rows or columns from `first` on at kTileDepth depths
  // from `deepest` on: with depth along the vectors or across them, and zeros where nothing is.
  template <bool along, class Use>
  void block(Int first, Int wide, Int from, float alpha, const Use& use) const {
    const Int there = std::clamp<Int>(count - first, 0, wide);
    const Int deep_there = std::min(kTileDepth, depth - from);
    const float* source = data + (deep ? first * stride + from : from * stride + first);
    if (along == deep && alpha == 1 && there == wide && deep_there == kTileDepth)
      return use(source, stride);
    alignas(64) float room[kTileBits];
    const Int step = along ? kTileDepth : kTileWidth;
    if (there < wide || deep_there < kTileDepth) std::fill_n(room, kTileBits, 0.0f);
    const Int rows = along ? there : deep_there, columns = along ? deep_there : there;
    if (along == deep) {
      for (Int r = 0; r < rows; ++r)
        for (Int c = 0; c < columns; ++c) room[r * step + c] = source[r * stride + c];
    } else {
      transpose_block(room, step, source, stride, rows, columns);
    }
    if (alpha != 1)
      for (float& x : room) x *= alpha;
    use(room, step);
  }
};

// The rows of a product shared out to pairs of panels as evenly as possible.
struct Rows {
  Int panels, height;

  explicit Rows(Int m) : panels(round_up(parts(m, kTileWidth), 2)), height(parts(m, panels)) {}
};

void pack_panel(const Factor& a, const Rows& rows, Int panel, float alpha, Splitter& split,
                Third* to) {
  for (Int from = 0; from < a.depth; from += kTileDepth, to += kThirds * rows.height * kTileDepth)
    a.block<true>(panel * rows.height, rows.height, from, alpha, [&](const float* x, Int stride) {
      split_rows(split, x, stride, rows.height, to);
    });
}

void pack_group(const Factor& b, Int group, Splitter& split, Third* to) {
  for (Int from = 0; from < b.depth; from += kTileDepth, to += kThirds * kTileBits)
    b.block<false>(group * kTileWidth, kTileWidth, from, 1,
                   [&](const float* x, Int stride) { split_pairs(split, x, stride, to); });
}

// ---- two panels of rows by one or two groups of columns -----------------------------------------

template <int groups, int a, int b>
inline void multiply_all() {
  multiply_tiles<0, 4, 6>();
  if constexpr (groups == 2) multiply_tiles<1, 4, 7>();
  multiply_tiles<2, 5, 6>();
  if constexpr (groups == 2) multiply_tiles<3, 5, 7>();
}

struct Packed {
  const Third *a, *b;
  Int a_panel, b_group;  // distances to the second panel and group
  Int a_part, steps;

  template <int part>
  void load_a(Int step) const {
    const Third* from = a + (step * kThirds + part) * a_part;
    load_tile<4>(from, 64);
    load_tile<5>(from + a_panel, 64);
  }
  template <int part, int groups>
  void load_b(Int step) const {
    const Third* from = b + (step * kThirds + part) * kTileBits;
    load_tile<6>(from, 64);
    if constexpr (groups == 2) load_tile<7>(from + b_group, 64);
  }
};

// c: 2 * height rows at distance ldc.
template <int groups>
void multiply(const Packed& p, bool adds, float* c, Int ldc, Int height) {
  const Int stride = ldc * static_cast<Int>(sizeof(float));
  float* below = c + height * ldc;
  if (adds) {
    load_tile<0>(c, stride);
    load_tile<2>(below, stride);
    if constexpr (groups == 2) {
      load_tile<1>(c + kTileWidth, stride);
      load_tile<3>(below + kTileWidth, stride);
    }
  } else {
    clear_tile<0>();
    clear_tile<1>();
    clear_tile<2>();
    clear_tile<3>();
  }
  for (Int step = 0; step < p.steps; ++step) {
    p.load_a<0>(step);
    p.load_b<0, groups>(step);
    multiply_all<groups, 0, 0>();
    p.load_b<2, groups>(step);
    multiply_all<groups, 0, 2>();
    p.load_b<1, groups>(step);
    multiply_all<groups, 0, 1>();
    p.load_a<1>(step);
    multiply_all<groups, 1, 1>();
    p.load_b<0, groups>(step);
    multiply_all<groups, 1, 0>();
    p.load_a<2>(step);
    multiply_all<groups, 2, 0>();
  }
  store_tile<0>(c, stride);
  store_tile<2>(below, stride);
  if constexpr (groups == 2) {
    store_tile<1>(c + kTileWidth, stride);
    store_tile<3>(below + kTileWidth, stride);
  }
}

// A result's block: in place where it is whole, else by way of a whole one.
template <int groups>
void multiply_into(const Packed& p, bool adds, float* c, Int ldc, Int height, Int rows,
                   Int columns) {
  constexpr Int kWidth = groups * kTileWidth;
  if (rows >= 2 * height && columns >= kWidth) return multiply<groups>(p, adds, c, ldc, height);
  alignas(64) float room[2 * kTileWidth * kWidth];
  rows = std::min(rows, 2 * height);
  columns = std::min(columns, kWidth);
  if (adds)
    for (Int i = 0; i < rows; ++i) std::copy_n(c + i * ldc, columns, room + i * kWidth);
  multiply<groups>(p, adds, room, kWidth, height);
  for (Int i = 0; i < rows; ++i) std::copy_n(room + i * kWidth, columns, c + i * ldc);
}

// ---- a product ------------------------------------------------------------------------------

constexpr Int kDeepest = 1024;             // numbers summed before a block goes back to memory
constexpr Int kWidest = 4096;              // columns packed together
constexpr Int kRowBytes = 1024 * 1024;     // of packed rows, which the second cache keeps
constexpr double kTaskWork = 1024 * 1024;  // multiplications that are worth another thread

struct Product {
  Factor a, b;
  float alpha;
  float* c;
  Int ldc;

  Int m() const { return a.count; }
  Int n() const { return b.count; }

  // Whether all numbers were finite; the result is void if not.
  bool run(bool adds) const {
    const Rows rows(m());
    const Int blocks = parts(a.depth, kDeepest);
    const Int deepest = round_up(parts(a.depth, blocks), kTileDepth);
    const Int widest = std::min(n(), kWidest);
    const Int a_panel = kThirds * deepest * rows.height, b_group = kThirds * deepest * kTileWidth;
    const Scratch<Third> a_packed(rows.panels * a_panel);
    const Scratch<Third> b_packed(parts(widest, kTileWidth) * b_group);
    for (Int from = 0; from < a.depth; from += deepest) {
      const Int to = std::min(a.depth, from + deepest);
      for (Int column = 0; column < n(); column += widest) {
        const Product part{a.part(from, to),
                           b.part(from, to).some(column, std::min(n(), column + widest)), alpha,
                           c + column, ldc};
        if (!part.pack(rows, column == 0, a_packed.get(), a_panel, b_packed.get(), b_group))
          return false;
        part.multiply_packed(rows, adds || from > 0, a_packed.get(), a_panel, b_packed.get(),
                             b_group);
      }
    }
    return true;
  }

  bool pack(const Rows& rows, bool first, Third* a_packed, Int a_panel, Third* b_packed,
            Int b_group) const {
    const Int panels = first ? rows.panels : 0, groups = parts(n(), kTileWidth);
    std::atomic<bool> finite{true};
    const Int grain = parts(16384, kTileWidth * a.depth);
    parallel_for(panels + groups, grain, [&](Int begin, Int end) {
      Splitter split;
      for (Int i = begin; i < end; ++i) {
        if (i < groups) {
          pack_group(b, i, split, b_packed + i * b_group);
        } else {
          pack_panel(a, rows, i - groups, alpha, split, a_packed + (i - groups) * a_panel);
        }
      }
      if (!split.all_finite()) finite = false;
    });
    return finite;
  }

  void multiply_packed(const Rows& rows, bool adds, const Third* a_packed, Int a_panel,
                       const Third* b_packed, Int b_group) const {
    const Int across = parts(n(), 2 * kTileWidth), down = rows.panels / 2;
    const Int by_cache = parts(rows.panels * a_panel * Int{sizeof(Third)}, kRowBytes);
    const Int by_threads = in_parallel() ? 1 : parts(4 * num_threads(), across);
    const Int blocks = std::min(down, std::max(by_cache, by_threads));
    const double work = static_cast<double>(m()) * n() * a.depth / (across * blocks);
    parallel_for(across * blocks, static_cast<Int>(kTaskWork / work) + 1, [&](Int begin, Int end) {
      const Tiles tiles(static_cast<int>(rows.height));
      for (Int task = begin; task < end; ++task) {
        const Int column = task % across * 2 * kTileWidth, block = task / across;
        Packed p{nullptr,
                 b_packed + column / kTileWidth * b_group,
                 a_panel,
                 b_group,
                 rows.height * kTileDepth,
                 parts(a.depth, kTileDepth)};
        for (Int i = down * block / blocks; i < down * (block + 1) / blocks; ++i) {
          const Int row = 2 * i * rows.height;
          p.a = a_packed + 2 * i * a_panel;
          if (n() - column > kTileWidth) {
            multiply_into<2>(p, adds, c + row * ldc + column, ldc, rows.height, m() - row,
                             n() - column);
          } else {
            multiply_into<1>(p, adds, c + row * ldc + column, ldc, rows.height, m() - row,
                             n() - column);
          }
        }
      }
    });
  }
};

// The kernel "_gemm_split_f32": out[1] is whether it is done.
void split_product(const Call& call) {
  const double* p = call.params;
  const auto number = [&](GemmParam i) { return static_cast<Int>(p[i]); };
  const Int m = number(kM), n = number(kN), k = number(kK);
  const Factor a{call.in[0].as<float>(), number(kLda), p[kTa] == 0, m, k};
  const Factor b{call.in[1].as<float>(), number(kLdb), p[kTb] != 0, n, k};
  const Product product{a, b, static_cast<float>(p[kAlpha]), call.out[0].as<float>(), number(kLdc)};
  *call.out[1].as<bool>() = product.run(p[kBeta] == 1);
}

bool pays(const Call& call) {
  const double m = call.params[kM], n = call.params[kN], k = call.params[kK];
  return call.params[kBeta] == 0 && std::min(m, n) >= 32 && k >= 32 && m * n * k >= 64.0 * 64 * 64;
}

}  // namespace
}  // namespace baryon::BARYON_ISA

BARYON_REGISTER(split_product) {
  using namespace baryon::BARYON_ISA;
  if (has_matrix_unit()) add("_gemm_split_f32", split_product, pays);
}
