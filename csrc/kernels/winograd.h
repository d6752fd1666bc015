// Convolution with windows of 3 x 3 and stride 1 by Winograd's minimal filtering: a quarter or 4/9
// of the multiplications, each of 36 or 16 places of a tile a matrix product of its own.
//
// A task transforms some rows of tiles, multiplies them by some or all filters, and transforms the
// products back, so that what lies between stays in its caches.
#pragma once

#include <algorithm>
#include <vector>

#include "../parallel.h"
#include "blocked_moments.h"
#include "conv_shape.h"
#include "on_load.h"
#include "transpose.h"
#include "winograd_space.h"

namespace baryon::BARYON_ISA {

// Sides of the tiles of results, 4 or 2, with which minimal filtering takes least time, or 0: it
// does not pay. Counted are vector operations. `kept`: weights are transformed once for many calls,
// and only read.
inline int winograd_step(const ConvShape& s, bool kept) {
  constexpr double kMove = 12, kPrepare = 64;  // for each vector of images and of weights
  constexpr double kRead = 20;                 // for each vector of weights from memory, at least
  constexpr Int kMostWeights = 1 << 21;        // pairs of channels and filters, 144 bytes each
  const Int3 one = {1, 1, 1};
  if (s.channels * s.filters > kMostWeights) return 0;
  if (s.kernel != Int3{1, 3, 3} || s.stride != one || s.dilate != one || s.pad[1] > 2 ||
      s.pad[2] > 2)
    return 0;
  const auto pairs = static_cast<double>(s.channels * s.filters) / kBlock;
  const auto cost = [&](int step, int places) {
    const auto tiles = static_cast<double>(s.batch * parts(s.out[1], step) * parts(s.out[2], step));
    const double moved = tiles * static_cast<double>(s.channels + s.filters) / kBlock;
    const double weights = pairs * (kept ? std::max(tiles, kRead) : tiles + kPrepare);
    return places * (kMove * moved + weights);
  };
  const double direct = static_cast<double>(9 * s.batch * s.out[1] * s.out[2]) * pairs;
  const double large = cost(LargeTiles::kStep, LargeTiles::kPlaces);
  const double small = cost(SmallTiles::kStep, SmallTiles::kPlaces);
  if (std::min(large, small) >= 0.8 * direct) return 0;
  // (Of two that take about as long, the one whose weights take less memory.)
  return large <= 0.85 * small ? LargeTiles::kStep : SmallTiles::kStep;
}

// Transformed weights, pair of blocks of rows (or a last single one) by pair: [place][column][row].
// Rows are filters and columns channels, or for the gradient by data (`turned`) rows are channels
// and windows run backwards.
template <class Tiles>
class SpreadWeights {
 public:
  SpreadWeights(const ConvShape& s, const float* weight, bool turned)
      : weight_(weight),
        turned_(turned),
        columns_(turned ? s.filters : s.channels),
        blocks_((turned ? s.channels : s.filters) / kBlock),
        row_(turned ? kTaps : s.channels * kTaps),
        column_(turned ? s.channels * kTaps : kTaps) {}

  Int pairs() const { return parts(blocks_, 2); }
  // Floats of a pair, and of all.
  Int size() const { return Tiles::kPlaces * place(2); }
  Int all() const { return pairs() * size(); }
  // Where a place of a pair begins among its weights.
  Int at(Int place_index, Int pair) const { return place_index * place(vectors_of(pair)); }

  // Columns [begin, end) of a pair.
  void spread(Int pair, Int begin, Int end, float* to) const {
    const Int vectors = vectors_of(pair);
    for (Int c = begin; c < end; ++c)
      for (Int v = 0; v < vectors; ++v)
        spread_window(weight_ + (2 * pair + v) * kBlock * row_ + c * column_,
                      to + (c * vectors + v) * kBlock, place(vectors));
  }
  void spread_all(float* to) const {
    constexpr Int kPart = 32;  // columns
    const Int cuts = parts(columns_, kPart);
    parallel_for(pairs() * cuts, 1, [&](Int begin, Int end) {
      for (Int i = begin; i < end; ++i) {
        const Int pair = i / cuts, first = i % cuts * kPart;
        spread(pair, first, std::min(columns_, first + kPart), to + pair * size());
      }
    });
  }
  Int columns() const { return columns_; }

 private:
  static constexpr Int kTaps = 9;

  Int vectors_of(Int pair) const { return std::min<Int>(2, blocks_ - 2 * pair); }
  // (One vector more: places fall on different cache lines.)
  Int place(Int vectors) const { return (columns_ * vectors + 1) * kBlock; }

  void spread_window(const float* weight, float* to, Int next) const {
    float values[kTaps * kBlock];
    Lane window[kTaps], spread[Tiles::kPlaces];
    transpose_block<float>(values, kBlock, weight, row_, kTaps, kBlock);
    for (int t = 0; t < kTaps; ++t)
      window[t] = load(values + (turned_ ? kTaps - 1 - t : t) * kBlock);
    transform<typename Tiles::Weights>(window, spread);
    for (int p = 0; p < Tiles::kPlaces; ++p) store(to + p * next, spread[p]);
  }

  const float* weight_;
  bool turned_;
  Int columns_, blocks_, row_, column_;
};

struct WinogradProduct {
  TiledImages data, results;
  const float* spread;        // transformed weights, or null: to be transformed here
  const float *bias, *scale;  // or null
  float* out;                 // of the results
  Finish finish;
  const PartMoments* parts = nullptr;  // of each row of tiles, to be set; or null
};

template <class Tiles>
class WinogradRunner {
 public:
  WinogradRunner(const WinogradProduct& product, const TileGrid& grid,
                 const SpreadWeights<Tiles>& weights)
      : p_(product), grid_(grid), weights_(weights), group_(weights.pairs()) {
    share_out();
    tiles_ = parts(grid_.all(), chunks_) * grid_.columns;
    // What is read again for each pair should fit into a cache.
    if (splits_ > 1 && room(p_.data.blocks) <= kReread) group_ = 1;
    for (Int b = 0; b < p_.data.blocks; ++b) terms_.push_back(b * tiles_ * kBlock);
  }

  void run() const {
    const bool here = p_.spread == nullptr && chunks_ > 1;
    const Scratch<float> made(here ? weights_.all() : 0);
    if (here) weights_.spread_all(made.get());
    const float* spread = here ? made.get() : p_.spread;
    // A slot's memory stays with the thread that takes it in every call.
    const Int tasks = chunks_ * splits_;
    const Int slots = together_ ? 1 : std::min<Int>(tasks, 2 * num_threads());
    const Int size = room(p_.data.blocks) + room(2 * group_);
    const Scratch<float> rooms(slots * size);
    const auto work = [&](Int begin, Int end) {
      for (Int slot = begin; slot < end; ++slot)
        for (Int i = tasks * slot / slots; i < tasks * (slot + 1) / slots; ++i)
          task(i / splits_, i % splits_, spread, rooms.get() + slot * size);
    };
    together_ ? work(0, slots) : parallel_for(slots, 1, work);
  }

 private:
  static constexpr Int kReread = 320 * 1024;  // floats

  Int room(Int blocks) const { return Tiles::kPlaces * TileSpace::place(blocks, tiles_); }
  Int row_of(Int chunk) const { return grid_.all() * chunk / chunks_; }

  // Threads share out rows of tiles where data is more than weights. Else they share out filters,
  // and each transforms all tiles for itself; or, if these fit into no cache, all work on one task.
  void share_out() {
    constexpr Int kShared = 768 * 1024, kMost = 2560 * 1024;  // floats
    const Int threads = num_threads(), all = weights_.all();
    const Int place = grid_.columns * kBlock * Tiles::kPlaces;
    const Int data = grid_.all() * place * p_.data.blocks;
    const Int row = place * (p_.data.blocks + p_.results.blocks);
    if (2 * all < data) {
      local_ = all <= kLocalWeights;
      const Int rows = local_ ? 2 * kPairRows / grid_.columns : std::min(all, kMost) / row;
      const Int chunks = parts(grid_.all(), std::max<Int>(1, rows));
      chunks_ = std::min(grid_.all(), round_up(chunks, 2 * threads));
    } else if (data <= kReread) {
      splits_ = std::min<Int>(threads, weights_.pairs());
    } else {
      together_ = true;
      chunks_ = grid_.chunks(row, std::clamp(all, kShared, kMost));
    }
  }

  // Some rows of tiles by some pairs.
  void task(Int chunk, Int split, const float* spread, float* room) const {
    const Int first = row_of(chunk), rows = row_of(chunk + 1) - first;
    const Int last = weights_.pairs() * (split + 1) / splits_;
    const TileSpace data(p_.data.blocks, tiles_, room);
    const TileSpace sums(2 * group_, tiles_, room + this->room(p_.data.blocks));
    spread_tiles<typename Tiles::Data>(grid_, p_.data, first, rows, data);
    for (Int pair = weights_.pairs() * split / splits_; pair < last; pair += group_) {
      const Int count = std::min(group_, last - pair);
      if (spread == nullptr) {
        multiply_once(data, sums, rows * grid_.columns, pair, count);
      } else {
        multiply(data, sums, first, rows, pair, count, spread, pair + count < last);
      }
      gather(sums, first, rows, 2 * pair, std::min(p_.results.blocks, 2 * (pair + count)));
    }
  }

  // `count` pairs from `pair` on, whose weights others follow or not (`more`).
  void multiply(const TileSpace& data, const TileSpace& sums, Int first, Int rows, Int pair,
                Int count, const float* spread, bool more) const {
    const auto weights = [&](Int i) {  // of the i-th product
      const Int place = i / count, at = pair + i % count;
      if (place == Tiles::kPlaces) return spread + (pair + count) * weights_.size();
      return spread + at * weights_.size() + weights_.at(place, at);
    };
    const Int all = Tiles::kPlaces * count, tiles = rows * grid_.columns;
    if (local_) {
      Ahead ahead({grid_, p_.data, first + rows, rows}, {grid_, p_.results, first, rows},
                  p_.data.data);
      for (Int i = 0; i < all; ++i)
        product(data, sums, tiles, i / count, i % count, pair, weights(i), nullptr, &ahead);
      return;
    }
    parallel_for(all, 1, [&](Int begin, Int end) {
      const Int known = end < all || more ? end : end - 1;  // the last whose weights others follow
      for (Int i = begin; i < end; ++i)
        product(data, sums, tiles, i / count, i % count, pair, weights(i),
                i < known ? weights(i + 1) : nullptr);
    });
  }

  // Weights that are read once are transformed by who reads them, and stay in its cache.
  void multiply_once(const TileSpace& data, const TileSpace& sums, Int tiles, Int first,
                     Int count) const {
    parallel_for(count, 1, [&](Int begin, Int end) {
      const Scratch<float> made(weights_.size());
      for (Int pair = begin; pair < end; ++pair) {
        weights_.spread(first + pair, 0, weights_.columns(), made.get());
        for (Int place = 0; place < Tiles::kPlaces; ++place)
          product(data, sums, tiles, place, pair, first,
                  made.get() + weights_.at(place, first + pair), nullptr);
      }
    });
  }

  // One place of pair `first + pair`. Meanwhile the weights that are `next` are fetched, or lines
  // of `images`.
  void product(const TileSpace& data, const TileSpace& sums, Int tiles, Int place, Int pair,
               Int first, const float* weights, const float* next, Ahead* images = nullptr) const {
    const Int vectors = std::min<Int>(2, p_.results.blocks - 2 * (first + pair));
    const Int pieces = parts(tiles, vectors == 2 ? kPairRows : kSingleRows);
    const Int values = p_.data.blocks * kBlock, step = parts(vectors * kBlock, pieces);
    PixelTile tile{};
    tile.terms = terms_.data();
    tile.count = p_.data.blocks;
    tile.weights = weights;
    tile.to_pixel = kBlock;
    tile.to_block = sums.block();
    tile.ahead_step = images != nullptr ? kBlock : next != nullptr ? step : 0;
    for (Int k = 0; k < pieces; ++k) {
      const Int from = tiles * k / pieces, to = tiles * (k + 1) / pieces;
      tile.from = data.at(place, 0, from);
      tile.to = sums.at(place, 2 * pair, from);
      if (images != nullptr) tile.ahead = images->next(values);
      if (next != nullptr) tile.ahead = next + k * step * values;
      pixels_of(to - from, vectors, true)(tile);
    }
  }

  // Rows of tiles [first, first + rows) of blocks of filters [low, high) back to images.
  void gather(const TileSpace& sums, Int first, Int rows, Int low, Int high) const {
    const Int blocks = high - low;
    parallel_for(rows * blocks, 1, [&](Int begin, Int end) {
      for (Int i = begin; i < end; ++i) {
        const float* from = sums.at(0, i % blocks, i / blocks * grid_.columns);
        const Int row = first + i / blocks, block = low + i % blocks;
        p_.parts == nullptr ? gather_row<false>(from, sums.place(), row, block)
                            : gather_row<true>(from, sums.place(), row, block);
      }
    });
  }

  // A row of tiles of a block; `measured`, together with the sums of its moments.
  template <bool measured>
  void gather_row(const float* from, Int next, Int row, Int block) const {
    constexpr int kStep = Tiles::kStep;
    const Int width = p_.results.width, line = p_.results.line();
    const Int y = row % grid_.rows * kStep, bottom = std::min<Int>(kStep, p_.results.height - y);
    const Lane start = p_.bias == nullptr ? Lane{} : load(p_.bias + block * kBlock);
    const Lane factor = p_.scale == nullptr ? broadcast(1.0f) : load(p_.scale + block * kBlock);
    float* to = p_.out + (p_.results.plane(row / grid_.rows, block) - p_.results.data) + y * line;
    Lane tile[kStep * kStep], shift{}, one{}, two{};
    for (Int c = 0; c < grid_.columns; ++c, from += kBlock, to += kStep * kBlock) {
      transform<typename Tiles::Results>(from, next, tile);
      if (measured && c == 0) shift = tile[0] * factor + start;
      const Int right = std::min<Int>(kStep, width - c * kStep);
      for (Int r = 0; r < bottom; ++r) {
        Lane near{}, squares{};
        for (Int x = 0; x < right; ++x) {
          float* at = to + r * line + x * kBlock;
          const Lane value = p_.finish(tile[r * kStep + x] * factor + start, at);
          store(at, value);
          if constexpr (measured) {
            near += value - shift;
            squares += (value - shift) * (value - shift);
          }
        }
        one += near;
        two += squares;
      }
    }
    if constexpr (measured) p_.parts->set(row, block, bottom * width, shift, one, two);
  }

  const WinogradProduct p_;
  const TileGrid grid_;
  const SpreadWeights<Tiles>& weights_;
  bool local_ = false;     // whether all weights stay in a core's cache beside a task's tiles
  bool together_ = false;  // whether threads work on one task at a time, and not each on its own
  Int chunks_ = 1, splits_ = 1;
  Int tiles_;  // of a task, at most
  Int group_;  // pairs whose products a task holds before they are transformed back
  std::vector<Int> terms_;
};

}  // namespace baryon::BARYON_ISA
