// Convolution with windows of 3 x 3 and stride 1 by Winograd's minimal filtering: a quarter of the
// multiplications, each of 36 places of a tile a matrix product of its own.
//
// Rows of tiles are transformed, multiplied and transformed back some at a time, so that what lies
// between stays in the caches.
#pragma once

#include <algorithm>
#include <vector>

#include "../parallel.h"
#include "blocked_moments.h"
#include "conv_shape.h"
#include "on_load.h"
#include "transpose.h"
#include "winograd_tile.h"

namespace baryon::BARYON_ISA {

// Whether the multiplications saved pay for the transforms, in vector operations. `kept`: weights
// are transformed once for many calls, and only read.
inline bool winograd_pays(const ConvShape& s, bool kept) {
  constexpr double kMove = 12, kPrepare = 64;  // for each vector of images and of weights
  constexpr double kRead = 24;                 // for each vector of weights from memory, at least
  constexpr Int kMostWeights = 1 << 21;        // pairs of channels and filters, 144 bytes each
  const Int3 one = {1, 1, 1};
  if (s.channels * s.filters > kMostWeights) return false;
  if (s.kernel != Int3{1, 3, 3} || s.stride != one || s.dilate != one || s.pad[1] > 2 ||
      s.pad[2] > 2)
    return false;
  const Int tiles = s.batch * parts(s.out[1], kTileStep) * parts(s.out[2], kTileStep);
  const auto moved = static_cast<double>(tiles * (s.channels + s.filters)) / kBlock;
  const auto pairs = static_cast<double>(s.channels * s.filters) / kBlock;
  const double direct = static_cast<double>(9 * s.batch * s.out[1] * s.out[2]) * pairs;
  const auto steps = static_cast<double>(tiles);
  const double weights = pairs * (kept ? std::max(steps, kRead) : steps + kPrepare);
  return kTilePlaces * (kMove * moved + weights) < 0.8 * direct;
}

// Tiles of images in transformed space: [place][block of channels][tile][channel].
class TileSpace {
 public:
  TileSpace(Int blocks, Int tiles)
      : blocks_(blocks),
        tiles_(tiles),
        place_((blocks * tiles + 1) * kBlock),
        values_(kTilePlaces * place_) {}  // (one vector more: places fall on different cache lines)

  float* at(Int place, Int block, Int tile) const {
    return values_.get() + place * place_ + (block * tiles_ + tile) * kBlock;
  }
  Int block() const { return tiles_ * kBlock; }
  Int place() const { return place_; }
  void set(Int block, Int tile, const Lane* values) const {
    float* to = at(0, block, tile);
    for (int p = 0; p < kTilePlaces; ++p) store(to + p * place_, values[p]);
  }
  void get(Int block, Int tile, Lane* values) const {
    const float* from = at(0, block, tile);
    for (int p = 0; p < kTilePlaces; ++p) values[p] = load(from + p * place_);
  }

 private:
  Int blocks_, tiles_, place_;
  Scratch<float> values_;
};

// How the results of a batch are cut into tiles, and rows of tiles into chunks.
struct TileGrid {
  Int batch, rows, columns;  // rows and columns of tiles of an image
  Int chunk;                 // rows of tiles, of any image, that are worked on together

  // `blocks` of channels are kept in transformed space beside `weights` floats; where there are
  // many of these, more rows are worked on together, so that they are read once.
  TileGrid(const ConvShape& s, Int blocks, Int weights = 0)
      : batch(s.batch), rows(parts(s.out[1], kTileStep)), columns(parts(s.out[2], kTileStep)) {
    constexpr Int kKept = 768 * 1024, kMostKept = 2560 * 1024;  // floats
    const Int row = columns * blocks * kBlock * kTilePlaces;
    const Int kept = std::clamp<Int>(weights, kKept, kMostKept);
    const Int chunks = parts(batch * rows, std::max<Int>(1, kept / row));
    chunk = parts(batch * rows, chunks);
  }
  Int all() const { return batch * rows; }
  Int tiles() const { return all() * columns; }

  // Calls body(image, row of tiles, column, tile in the chunk) for a row of tiles.
  template <class Body>
  void each_tile(Int first, Int row, const Body& body) const {
    const Int image = (first + row) / rows, y = (first + row) % rows;
    for (Int x = 0; x < columns; ++x) body(image, y * kTileStep, x * kTileStep, row * columns + x);
  }
};

// Blocked images to transformed space: tiles that begin `pad` before the places of the results.
template <class Axis>
void spread_tiles(const TileGrid& grid, Int first, Int rows, const float* images, Int blocks,
                  Int height, Int width, Int pad_y, Int pad_x, const TileSpace& to) {
  parallel_for(rows * blocks, 1, [&](Int begin, Int end) {
    Lane tile[Axis::kIn * Axis::kIn], spread[kTilePlaces];
    for (Int i = begin; i < end; ++i) {
      const Int block = i % blocks;
      grid.each_tile(first, i / blocks, [&](Int image, Int y, Int x, Int index) {
        load_tile<Axis::kIn>(images + (image * blocks + block) * height * width * kBlock, height,
                             width, y - pad_y, x - pad_x, tile);
        transform<Axis>(tile, spread);
        to.set(block, index, spread);
      });
    }
  });
}

// Transformed weights, pair of blocks of rows by pair: [place][column][row]. Rows are filters and
// columns channels, or for the gradient by data (`turned`) rows are channels and windows run
// backwards. Where the tiles of all `results` fit into registers only with single blocks, these
// take the place of pairs, so that weights are read once.
class SpreadWeights {
 public:
  SpreadWeights(const ConvShape& s, const float* weight, bool turned, const ConvShape& results)
      : weight_(weight),
        turned_(turned),
        width_(width_for(TileGrid(results, 1).tiles())),
        columns_(turned ? s.filters : s.channels),
        blocks_((turned ? s.channels : s.filters) / kBlock),
        row_(turned ? kTaps : s.channels * kTaps),
        column_(turned ? s.channels * kTaps : kTaps) {}

  Int width() const { return width_; }  // blocks of a pair
  Int pairs() const { return parts(blocks_, width_); }
  // Floats of a pair, and of all.
  Int size() const { return kTilePlaces * place(width_); }
  Int all() const { return pairs() * size(); }
  // Where a place of a pair, which begins at `block`, begins among its weights.
  Int at(Int place_index, Int block) const {
    return place_index * place(std::min<Int>(width_, blocks_ - block));
  }

  // Columns [begin, end) of a pair.
  void spread(Int pair, Int begin, Int end, float* to) const {
    const Int vectors = std::min<Int>(width_, blocks_ - width_ * pair);
    for (Int c = begin; c < end; ++c)
      for (Int v = 0; v < vectors; ++v)
        spread_window(weight_ + (width_ * pair + v) * kBlock * row_ + c * column_,
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
  static constexpr Int kTaps = kTileTaps * kTileTaps;

  // (One vector more: places fall on different cache lines.)
  Int place(Int vectors) const { return (columns_ * vectors + 1) * kBlock; }

  void spread_window(const float* weight, float* to, Int next) const {
    float values[kTaps * kBlock];
    Lane window[kTaps], spread[kTilePlaces];
    transpose_block<float>(values, kBlock, weight, row_, kTaps, kBlock);
    for (int t = 0; t < kTaps; ++t)
      window[t] = load(values + (turned_ ? kTaps - 1 - t : t) * kBlock);
    transform<OfWeights>(window, spread);
    for (int p = 0; p < kTilePlaces; ++p) store(to + p * next, spread[p]);
  }

  static Int width_for(Int tiles) { return tiles > kPairRows && tiles <= kSingleRows ? 1 : 2; }

  const float* weight_;
  bool turned_;
  Int width_, columns_, blocks_, row_, column_;
};

struct WinogradProduct {
  Int channel_blocks, filter_blocks;
  Int pad[2], size[2], out_size[2];
  const float* data;
  const SpreadWeights* weights;
  const float* spread;        // all of them, or null: to be transformed here
  const float *bias, *scale;  // or null
  float* out;
  Finish finish;
  const PartMoments* parts = nullptr;  // of each row of tiles, to be set; or null
  const OnLoad* norm = nullptr;        // of the data, or null
};

class WinogradRunner {
 public:
  WinogradRunner(const WinogradProduct& product, const TileGrid& grid)
      : p_(product),
        grid_(grid),
        tiles_(grid.chunk * grid.columns),
        data_(p_.channel_blocks, tiles_),
        sums_(p_.filter_blocks, tiles_) {
    for (Int b = 0; b < p_.channel_blocks; ++b) terms_.push_back(b * data_.block());
  }

  void run() const {
    // Where the weights are read once, too, their transforms stay in the caches.
    const bool once = p_.spread == nullptr && grid_.chunk >= grid_.all();
    const bool here = p_.spread == nullptr && !once;
    const Scratch<float> made(here ? p_.weights->all() : 0);
    if (here) p_.weights->spread_all(made.get());
    const float* spread = here ? made.get() : p_.spread;
    for (Int first = 0; first < grid_.all(); first += grid_.chunk) {
      const Int rows = std::min(grid_.chunk, grid_.all() - first), tiles = rows * grid_.columns;
      spread_tiles<OfData>(grid_, first, rows, p_.data, p_.channel_blocks, p_.size[0], p_.size[1],
                           p_.pad[0], p_.pad[1], data_);
      once ? multiply_once(tiles) : multiply(tiles, spread);
      gather(first, rows);
    }
  }

 private:
  void multiply(Int tiles, const float* weights) const {
    const Int pairs = p_.weights->pairs();
    parallel_for(kTilePlaces * pairs, 1, [&](Int begin, Int end) {
      for (Int i = begin; i < end; ++i) {
        const float* next = i + 1 < end ? weights_of(i + 1, weights) : nullptr;
        product(tiles, i / pairs, i % pairs, weights_of(i, weights), next);
      }
    });
  }

  // Each pair's weights are transformed by who multiplies with them, and stay in its cache.
  void multiply_once(Int tiles) const {
    parallel_for(p_.weights->pairs(), 1, [&](Int begin, Int end) {
      const Scratch<float> weights(p_.weights->size());
      for (Int pair = begin; pair < end; ++pair) {
        p_.weights->spread(pair, 0, p_.weights->columns(), weights.get());
        for (Int place = 0; place < kTilePlaces; ++place)
          product(tiles, place, pair,
                  weights.get() + p_.weights->at(place, pair * p_.weights->width()), nullptr);
      }
    });
  }

  // Those of product `i`, places of all pairs in turn.
  const float* weights_of(Int i, const float* all) const {
    const Int pairs = p_.weights->pairs(), pair = i % pairs;
    return all + pair * p_.weights->size() + p_.weights->at(i / pairs, pair * p_.weights->width());
  }

  // One place of the filters of a pair; meanwhile the weights that are `next` are fetched.
  void product(Int tiles, Int place, Int pair, const float* weights, const float* next) const {
    const Int width = p_.weights->width(), block = pair * width;
    const Int vectors = std::min<Int>(width, p_.filter_blocks - block);
    const Int pieces = parts(tiles, vectors == 2 ? kPairRows : kSingleRows);
    PixelTile tile{};
    tile.terms = terms_.data();
    tile.count = p_.channel_blocks;
    tile.weights = weights;
    tile.to_pixel = kBlock;
    tile.to_block = sums_.block();
    for (Int k = 0; k < pieces; ++k) {
      const Int from = tiles * k / pieces, to = tiles * (k + 1) / pieces;
      tile.from = data_.at(place, 0, from);
      tile.to = sums_.at(place, block, from);
      tile.ahead = k < vectors ? next : nullptr;
      pixels_of(to - from, vectors, true)(tile);
      if (next != nullptr) next += p_.channel_blocks * kBlock * kBlock;
    }
  }

  void gather(Int first, Int rows) const {
    const Int height = p_.out_size[0], width = p_.out_size[1];
    parallel_for(rows * p_.filter_blocks, 1, [&](Int begin, Int end) {
      Lane spread[kTilePlaces], tile[kTileStep * kTileStep];
      for (Int i = begin; i < end; ++i) {
        const Int block = i % p_.filter_blocks;
        const Lane start = p_.bias == nullptr ? Lane{} : load(p_.bias + block * kBlock);
        const Lane factor = p_.scale == nullptr ? broadcast(1.0f) : load(p_.scale + block * kBlock);
        grid_.each_tile(first, i / p_.filter_blocks, [&](Int image, Int y, Int x, Int index) {
          sums_.get(block, index, spread);
          transform<ToResults>(spread, tile);
          float* to = p_.out + ((image * p_.filter_blocks + block) * height * width) * kBlock;
          for (Int r = 0; r < std::min<Int>(kTileStep, height - y); ++r)
            for (Int c = 0; c < std::min<Int>(kTileStep, width - x); ++c) {
              float* at = to + ((y + r) * width + x + c) * kBlock;
              store(at, p_.finish(tile[r * kTileStep + c] * factor + start, at));
            }
        });
      }
    });
  }

  const WinogradProduct p_;
  const TileGrid grid_;
  Int tiles_;
  TileSpace data_, sums_;
  std::vector<Int> terms_;
};

}  // namespace baryon::BARYON_ISA
