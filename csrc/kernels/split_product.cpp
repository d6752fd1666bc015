// Products of floats by the matrix unit, which multiplies bfloat16: each number is split into three
// of them, and the six products of parts that matter are summed.
//
// What is left out is below 2^-24 of a product, as the rounding of a product of floats is. Henry,
// Tang and Heinecke 2019, Leveraging the bfloat16 artificial intelligence datatype for
// higher-precision computations.
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
    alignas(64) float room[kTileSize];
    const Int step = along ? kTileDepth : kTileWidth;
    if (there < wide || deep_there < kTileDepth) std::fill_n(room, kTileSize, 0.0f);
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
  Int pairs, height;  // of a panel

  explicit Rows(Int m) : pairs(parts(m, 2 * kTileWidth)), height(parts(m, 2 * pairs)) {}

  Int tile() const { return height * kTileDepth; }
  // Size of two packed panels.
  Int pair(Int depth) const { return 2 * kThirds * height * round_up(depth, kTileDepth); }
};
// The same of two groups of columns: at each depth, and in all.
constexpr Int kColumnPair = 2 * kThirds * kTileWidth;
Int packed_pair(Int depth) { return kColumnPair * round_up(depth, kTileDepth); }

// Two panels of rows, or two groups of columns: for each step of depth three parts, each of two
// tiles.
void pack_rows(const Factor& a, Int row, Int height, float alpha, Splitter& split, Third* to) {
  const Int tile = height * kTileDepth;
  for (Int from = 0; from < a.depth; from += kTileDepth, to += 2 * kThirds * tile)
    for (Int i = 0; i < 2; ++i)
      a.block<true>(row + i * height, height, from, alpha, [&](const float* x, Int stride) {
        split_rows(split, x, stride, height, to + i * tile, 2 * tile);
      });
}

void pack_columns(const Factor& b, Int column, Splitter& split, Third* to) {
  for (Int from = 0; from < b.depth; from += kTileDepth, to += 2 * kThirds * kTileSize)
    for (Int i = 0; i < 2; ++i)
      b.block<false>(column + i * kTileWidth, kTileWidth, from, 1, [&](const float* x, Int stride) {
        split_pairs(split, x, stride, to + i * kTileSize, 2 * kTileSize);
      });
}

// ---- two panels of rows by one or two groups of columns -----------------------------------------

template <int groups>
inline void multiply_loaded() {
  multiply_tiles<0, 4, 6>();
  multiply_tiles<2, 5, 6>();
  if constexpr (groups == 2) {
    multiply_tiles<1, 4, 7>();
    multiply_tiles<3, 5, 7>();
  }
}

// What pack_rows and pack_columns have packed, from some step on.
struct Packed {
  const Third *a, *b;
  Int tile, steps;  // tile: size of one of a

  template <int part>
  void load_a() const {
    load_tile<4>(a + 2 * part * tile, 64);
    load_tile<5>(a + (2 * part + 1) * tile, 64);
  }
  template <int part, int groups>
  void load_b() const {
    load_tile<6>(b + 2 * part * kTileSize, 64);
    if constexpr (groups == 2) load_tile<7>(b + (2 * part + 1) * kTileSize, 64);
  }
};

// What a block's sums begin with: rows at distance `ld`, or 0.
struct Start {
  const float* from;
  Int ld;
};

// c: 2 * height rows at distance ldc.
template <int groups>
void multiply(Packed p, const Start& start, float* c, Int ldc, Int height) {
  const Int stride = ldc * static_cast<Int>(sizeof(float));
  float* below = c + height * ldc;
  if (start.from != nullptr) {
    const Int step = start.ld * static_cast<Int>(sizeof(float));
    const float* next = start.from + height * start.ld;
    load_tile<0>(start.from, step);
    load_tile<2>(next, step);
    if constexpr (groups == 2) {
      load_tile<1>(start.from + kTileWidth, step);
      load_tile<3>(next + kTileWidth, step);
    }
  } else {
    clear_tile<0>();
    clear_tile<1>();
    clear_tile<2>();
    clear_tile<3>();
  }
  for (; p.steps > 0; --p.steps) {
    p.load_a<0>();
    p.load_b<2, groups>();
    multiply_loaded<groups>();
    p.load_b<1, groups>();
    multiply_loaded<groups>();
    p.load_b<0, groups>();
    multiply_loaded<groups>();
    p.load_a<2>();
    multiply_loaded<groups>();
    p.load_a<1>();
    multiply_loaded<groups>();
    p.load_b<1, groups>();
    multiply_loaded<groups>();
    p.a += 2 * kThirds * p.tile;
    p.b += 2 * kThirds * kTileSize;
  }
  store_tile<0>(c, stride);
  store_tile<2>(below, stride);
  if constexpr (groups == 2) {
    store_tile<1>(c + kTileWidth, stride);
    store_tile<3>(below + kTileWidth, stride);
  }
}

// A result's block: in place where it is whole, else by way of a whole one.
void multiply_into(const Packed& p, const Start& start, float* c, Int ldc, Int height, Int rows,
                   Int columns) {
  rows = std::min(rows, 2 * height);
  columns = std::min(columns, 2 * kTileWidth);
  const auto whole = columns > kTileWidth ? multiply<2> : multiply<1>;
  if (rows == 2 * height && columns % kTileWidth == 0) return whole(p, start, c, ldc, height);
  constexpr Int kWidth = 2 * kTileWidth;
  alignas(64) float room[2 * kTileWidth * kWidth];
  if (start.from != nullptr)
    for (Int i = 0; i < rows; ++i)
      std::copy_n(start.from + i * start.ld, columns, room + i * kWidth);
  whole(p, {start.from == nullptr ? nullptr : room, kWidth}, room, kWidth, height);
  for (Int i = 0; i < rows; ++i) std::copy_n(room + i * kWidth, columns, c + i * ldc);
}

// ---- a product ------------------------------------------------------------------------------

constexpr Int kDeepest = 1024;     // numbers summed before a block goes back to memory
constexpr Int kStrip = 8;          // pairs of groups of columns that are packed together at most
constexpr Int kKept = 512 * 1024;  // bytes of packed rows that the cache keeps beside them

struct Product {
  Factor a, b;
  float alpha;
  float* c;
  Int ldc;
  const float* bias;      // or null
  const Third* b_packed;  // or null: it is packed here
  Int b_pair;             // distance of pairs of groups in b_packed

  // Whether all numbers were finite; the result is void if not.
  bool run(bool adds) const {
    const Rows rows(a.count);
    const Int blocks = parts(a.depth, kDeepest);
    const Int deepest = round_up(parts(a.depth, blocks), kTileDepth);
    const Scratch<Third> packed(rows.pairs * rows.pair(deepest));
    const Scratch<Third> columns(b_packed == nullptr ? strip(rows) * packed_pair(deepest) : 0);
    Splitter split;
    for (Int from = 0; from < a.depth; from += deepest) {
      const Int to = std::min(a.depth, from + deepest);
      const Third* at = b_packed == nullptr ? nullptr : b_packed + from * kColumnPair;
      const Product part{a.part(from, to), b.part(from, to), alpha, c, ldc, bias, at, b_pair};
      part.multiply(rows, split, packed.get(), columns.get(), adds || from > 0);
      if (!split.all_finite()) return false;
    }
    return true;
  }

 private:
  Int steps() const { return parts(a.depth, kTileDepth); }
  Int pairs() const { return parts(b.count, 2 * kTileWidth); }  // of groups of columns
  Int strip(const Rows& rows) const {
    const Int bytes = rows.pairs * rows.pair(a.depth) * static_cast<Int>(sizeof(Third));
    return std::clamp<Int>(std::min(bytes / kKept, pairs()), 1, kStrip);
  }

  void multiply(const Rows& rows, Splitter& split, Third* packed, Third* columns, bool adds) const {
    for (Int i = 0; i < rows.pairs; ++i)
      pack_rows(a, 2 * i * rows.height, rows.height, alpha, split, packed + i * rows.pair(a.depth));
    const Tiles tiles(static_cast<int>(rows.height));
    const Int width = strip(rows);
    const Int distance = b_packed == nullptr ? packed_pair(b.depth) : b_pair;
    for (Int first = 0; first < pairs(); first += width) {
      const Int last = std::min(pairs(), first + width);
      if (b_packed == nullptr)
        for (Int j = first; j < last; ++j)
          pack_columns(b, 2 * j * kTileWidth, split, columns + (j - first) * distance);
      const Third* strip = b_packed == nullptr ? columns : b_packed + first * distance;
      for (Int i = 0; i < rows.pairs; ++i) {
        const Int row = 2 * i * rows.height;
        for (Int j = first; j < last; ++j) {
          const Packed p{packed + i * rows.pair(a.depth), strip + (j - first) * distance,
                         rows.tile(), steps()};
          const Int column = 2 * j * kTileWidth;
          float* to = c + row * ldc + column;
          const Start start =
              adds ? Start{to, ldc} : Start{bias == nullptr ? nullptr : bias + column, 0};
          multiply_into(p, start, to, ldc, rows.height, a.count - row, b.count - column);
        }
      }
    }
  }
};

// Whether all numbers of a factor are finite, rounded too.
bool all_finite(const Factor& f) {
  const Int lines = f.deep ? f.count : f.depth, length = f.deep ? f.depth : f.count;
  std::uint32_t largest = 0;
  for (Int i = 0; i < lines; ++i)
    for (Int j = 0; j < length; ++j)
      largest = std::max(largest, std::bit_cast<std::uint32_t>(f.data[i * f.stride + j]) << 1);
  return largest < 0xfeff0000u;
}

struct Arguments {
  Factor a, b;
  float alpha, beta;
  Int ldc;

  explicit Arguments(const Call& call) {
    const double* p = call.params;
    const auto number = [&](GemmParam i) { return static_cast<Int>(p[i]); };
    a = {call.in[0].as<float>(), number(kLda), p[kTa] == 0, number(kM), number(kK)};
    b = {call.in[1].as<float>(), number(kLdb), p[kTb] != 0, number(kN), number(kK)};
    alpha = static_cast<float>(p[kAlpha]);
    beta = static_cast<float>(p[kBeta]);
    ldc = number(kLdc);
  }
};

// The kernels are as gemm.h says.
void split_product(const Call& call) {
  const Arguments p(call);
  const Third* packed = call.in[2].as<Third>();
  bool& done = *call.out[1].as<bool>();
  // What is added to would be lost.
  done = p.beta == 0 || (all_finite(p.a) && (packed != nullptr || all_finite(p.b)));
  if (!done) return;
  const Product product{p.a,     p.b,
                        p.alpha, call.out[0].as<float>(),
                        p.ldc,   call.in[3].as<float>(),
                        packed,  packed_pair(p.b.depth)};
  done = product.run(p.beta != 0);
}

// While the unit works the processor's clock slows down, for what comes after it, too: it pays for
// products so large that they are most of what their network does, or little work beside them.
bool pays(const Call& call) {
  const double m = call.params[kM], n = call.params[kN], k = call.params[kK];
  const double beta = call.params[kBeta];
  return (beta == 0 || beta == 1) && std::min(m, n) >= 64 && k >= 256 && m * n * k >= 2.5e8;
}

// The same for a second factor packed once, which is half as long again as floats: where few rows
// read it, they wait for memory.
bool pays_packed(const Call& call) {
  const double m = call.params[kM], n = call.params[kN], k = call.params[kK];
  return m >= 48 && n >= 32 && k >= 32 && m * n * k >= 3e7;
}

void split_second(const Call& call) {
  const Arguments p(call);
  Splitter split;
  Third* to = call.out[0].as<Third>();
  for (Int column = 0; column < p.b.count; column += 2 * kTileWidth)
    pack_columns(p.b, column, split, to + column / (2 * kTileWidth) * packed_pair(p.b.depth));
  *call.out[1].as<bool>() = split.all_finite();
}

std::int64_t split_bytes(const Call& call) {
  const Arguments p(call);
  return parts(p.b.count, 2 * kTileWidth) * packed_pair(p.b.depth) *
         static_cast<Int>(sizeof(Third));
}

}  // namespace
}  // namespace baryon::BARYON_ISA

BARYON_REGISTER(split_product) {
  using namespace baryon::BARYON_ISA;
  if (!has_matrix_unit()) return;
  add("_gemm_split_f32", split_product, pays);
  add("_pack_split_f32", split_second, pays_packed, split_bytes);
}
