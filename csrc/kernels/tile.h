// The register tile of a matrix product: up to kTileRows rows by kTileVectors vectors of columns.
#pragma once

#include <array>
#include <utility>

#include "simd.h"
#include "transpose.h"

namespace baryon::BARYON_ISA {

template <class T>
constexpr int kTileColumns = kTileVectors * kLanes<T>;

// c = start + a b: `a` is packed [k][rows], `b` has rows of kTileColumns at distance ldb. The sums
// start from `bias` (one a row), else from the tile `from`, else from 0.
template <class T>
struct Tile {
  Int k;
  const T* a;
  const T* b;
  Int ldb;
  const T* bias;
  const T* from;
  Int ld_from;
  T* c;
  Int ldc;
};

constexpr Int kAheadRows = 32;  // of b, fetched before they are used

// `fetches`: b comes from beyond the first cache, and what lies behind it is read next.
template <class T, int rows, bool fetches>
void run_tile(const Tile<T>& tile) {
  Vector<T> sums[rows][kTileVectors];
#pragma GCC unroll 16
  for (int r = 0; r < rows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < kTileVectors; ++v) {
      sums[r][v] = tile.bias != nullptr   ? broadcast(tile.bias[r])
                   : tile.from != nullptr ? load(tile.from + r * tile.ld_from + v * kLanes<T>)
                                          : Vector<T>{};
    }
  }
  const T* a = tile.a;
  const T* b = tile.b;
  for (Int k = 0; k < tile.k; ++k, a += rows, b += tile.ldb) {
    Vector<T> columns[kTileVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kTileVectors; ++v) {
      columns[v] = load(b + v * kLanes<T>);
      if (fetches) __builtin_prefetch(b + kAheadRows * tile.ldb + v * kLanes<T>);
    }
#pragma GCC unroll 16
    for (int r = 0; r < rows; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v < kTileVectors; ++v) sums[r][v] += a[r] * columns[v];
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < kTileVectors; ++v) store(tile.c + r * tile.ldc + v * kLanes<T>, sums[r][v]);
}

template <class T>
using TileFn = void (*)(const Tile<T>&);

// The tile of `rows` rows, 1 to kTileRows.
template <class T, bool fetches = false>
TileFn<T> tile_of(Int rows) {
  constexpr auto table = []<int... i>(std::integer_sequence<int, i...>) {
    return std::array<TileFn<T>, sizeof...(i)>{run_tile<T, i + 1, fetches>...};
  }(std::make_integer_sequence<int, kTileRows>());
  return table[rows - 1];
}

// `rows` rows at distance `stride` of a first factor, packed [depth][rows].
template <class T>
void pack_panel(T* packed, Int rows, const T* from, Int stride, Int depth) {
  if (rows < 8) return transpose_block<T>(packed, rows, from, stride, depth, rows);
  for (Int r = 0; r < rows; r += 8) {  // by 8 rows, the last of which may be packed twice
    const Int first = std::min(r, rows - 8);
    transpose_block<T>(packed + first, rows, from + first * stride, stride, depth, 8);
  }
}

// How the rows of a matrix are shared out to tiles: as evenly as possible.
struct Panels {
  Int rows, count, height;

  explicit Panels(Int rows)
      : rows(rows), count(parts(rows, kTileRows)), height(count > 0 ? parts(rows, count) : 1) {
    count = parts(rows, height);
  }
  Int begin(Int panel) const { return panel * height; }
  Int size(Int panel) const {
    const Int left = rows - begin(panel);
    return left < height ? left : height;
  }
};

}  // namespace baryon::BARYON_ISA
