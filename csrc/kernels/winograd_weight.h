// The gradient by weights in transformed space: a sum over tiles at each of 36 places.
#pragma once

#include <algorithm>

#include "transpose.h"
#include "winograd_space.h"

namespace baryon::BARYON_ISA {

// Sums at a place, [pair of filter blocks][channel][vector of filters], and a line of padding.
inline Int weight_place(const ConvShape& s) {
  return (s.channels * (s.filters / kBlock) + 1) * kBlock;
}

// One place: the products of tiles of heads and of data are added to sums.
inline void add_tiles(const TileSpace& heads, const TileSpace& data, Int place, Int filter_block,
                      Int vectors, Int channel_blocks, Int tiles, float* sums,
                      Ahead* ahead = nullptr) {
  WeightTile tile{};
  tile.head = heads.at(place, filter_block, 0);
  tile.head_block = heads.block();
  tile.data_pixel = kBlock;
  tile.rows = 1;
  tile.columns = tiles;
  tile.sums = sums;
  for (Int c = 0; c < channel_blocks; ++c, tile.sums += vectors * kBlock * kBlock) {
    tile.data = data.at(place, c, 0);
    if (ahead != nullptr) tile.ahead = ahead->next(tiles);
    add_block(vectors, tile);
  }
}

// Gradients by weights from some parts of the sums at all places.
inline void write_weights(const ConvShape& s, const float* sums, Int cuts, float* weight) {
  const Int filters = s.filters / kBlock, place = weight_place(s);
  parallel_for(filters * s.channels, 64, [&](Int begin, Int end) {
    Lane spread[LargeTiles::kPlaces], window[9];
    float values[9 * kBlock];
    for (Int i = begin; i < end; ++i) {
      const Int block = i / s.channels, channel = i % s.channels;
      const Int pair = block / 2 * 2, vectors = std::min<Int>(2, filters - pair);
      const float* from = sums + (pair * s.channels + channel * vectors + block % 2) * kBlock;
      for (int p = 0; p < LargeTiles::kPlaces; ++p, from += place) {
        spread[p] = load(from);
        for (Int cut = 1; cut < cuts; ++cut)
          spread[p] += load(from + cut * LargeTiles::kPlaces * place);
      }
      transform<ToWeights>(spread, window);
      for (int t = 0; t < 9; ++t) store(values + t * kBlock, window[t]);
      transpose_block<float>(weight + (block * kBlock * s.channels + channel) * 9, s.channels * 9,
                             values, kBlock, kBlock, 9);
    }
  });
}

// The same where sums fit a core's cache: each task has its own, of a part of the rows of tiles.
class LocalWeights {
 public:
  LocalWeights(const ConvShape& s, const float* head, const float* data,
               const OnLoad* norm = nullptr)
      : s_(s),
        grid_(s, LargeTiles::kStep),
        head_{head, s.filters / kBlock, s.out[1], s.out[2]},
        data_{data, s.channels / kBlock, s.in[1], s.in[2], s.pad[1], s.pad[2], norm},
        cuts_(std::clamp<Int>(grid_.tiles() / kFewest, 1, std::min(kMost, grid_.all()))),
        rows_(std::clamp<Int>(kTiles / (head_.blocks + data_.blocks) / grid_.columns, 1,
                              parts(grid_.all(), cuts_))) {}

  static bool fits(const ConvShape& s) { return kPlaces * weight_place(s) <= kLocalWeights; }

  void run(float* weight) const {
    const Int size = LargeTiles::kPlaces * weight_place(s_);
    const Scratch<float> sums(cuts_ * size);
    parallel_for(cuts_, 1, [&](Int begin, Int end) {
      const Int tiles = rows_ * grid_.columns,
                spread = kPlaces * TileSpace::place(data_.blocks, tiles);
      const Scratch<float> rooms(spread + kPlaces * TileSpace::place(head_.blocks, tiles));
      const TileSpace data(data_.blocks, tiles, rooms.get());
      const TileSpace heads(head_.blocks, tiles, rooms.get() + spread);
      for (Int cut = begin; cut < end; ++cut) {
        std::fill_n(sums.get() + cut * size, size, 0.0f);
        const Int last = grid_.all() * (cut + 1) / cuts_;
        for (Int first = grid_.all() * cut / cuts_; first < last; first += rows_)
          add(first, std::min(rows_, last - first), data, heads, sums.get() + cut * size);
      }
    });
    write_weights(s_, sums.get(), cuts_, weight);
  }

 private:
  static constexpr int kPlaces = LargeTiles::kPlaces;
  static constexpr Int kFewest = 64, kMost = 16;  // tiles of a part, and parts
  static constexpr Int kTiles = 192;              // blocks of tiles that a task works on together

  void add(Int first, Int rows, const TileSpace& data, const TileSpace& heads, float* sums) const {
    spread_tiles<OfData>(grid_, data_, first, rows, data);
    spread_tiles<OfHeads>(grid_, head_, first, rows, heads);
    Ahead ahead({grid_, data_, first + rows, rows}, {grid_, head_, first + rows, rows}, data_.data);
    for (int place = 0; place < kPlaces; ++place) {
      for (Int block = 0; block < head_.blocks; block += 2)
        add_tiles(heads, data, place, block, std::min<Int>(2, head_.blocks - block), data_.blocks,
                  rows * grid_.columns,
                  sums + place * weight_place(s_) + block * kBlock * s_.channels, &ahead);
    }
  }

  const ConvShape& s_;
  const TileGrid grid_;
  const TiledImages head_, data_;
  Int cuts_;  // parts of the sums
  Int rows_;  // of tiles, that a task works on together
};

class WinogradWeights {
 public:
  WinogradWeights(const ConvShape& s, const float* head, const float* data)
      : s_(s),
        head_{head, s.filters / kBlock, s.out[1], s.out[2]},
        data_{data, s.channels / kBlock, s.in[1], s.in[2], s.pad[1], s.pad[2]},
        grid_(s, LargeTiles::kStep),
        chunk_(chunk_of(grid_, data_.blocks + head_.blocks)),
        tiles_(chunk_ * grid_.columns),
        rooms_(kPlaces *
               (TileSpace::place(data_.blocks, tiles_) + TileSpace::place(head_.blocks, tiles_))),
        spread_data_(data_.blocks, tiles_, rooms_.get()),
        spread_heads_(head_.blocks, tiles_,
                      rooms_.get() + kPlaces * TileSpace::place(data_.blocks, tiles_)),
        sums_(kPlaces * place()) {}

  void run(float* weight) {
    for (Int first = 0; first < grid_.all(); first += chunk_) {
      const Int rows = std::min(chunk_, grid_.all() - first);
      spread_tiles<OfData>(grid_, data_, first, rows, spread_data_);
      spread_tiles<OfHeads>(grid_, head_, first, rows, spread_heads_);
      add(first == 0, rows * grid_.columns);
    }
    write_weights(s_, sums_.get(), 1, weight);
  }

 private:
  static constexpr int kPlaces = LargeTiles::kPlaces;

  // Rows of tiles that are worked on together, so that they stay in the caches of all threads.
  static Int chunk_of(const TileGrid& grid, Int blocks) {
    constexpr Int kKept = 768 * 1024;  // floats
    return parts(grid.all(), grid.chunks(grid.columns * blocks * kBlock * kPlaces, kKept));
  }
  Int place() const { return weight_place(s_); }
  Int pairs() const { return parts(head_.blocks, 2); }

  // Sums at a place: [pair of filter blocks][channel][vector of filters].
  void add(bool first, Int tiles) const {
    parallel_for(kPlaces * pairs(), 1, [&](Int begin, Int end) {
      for (Int i = begin; i < end; ++i) {
        const Int at = i / pairs(), block = i % pairs() * 2;
        const Int vectors = std::min<Int>(2, head_.blocks - block);
        float* sums = sums_.get() + at * place() + block * kBlock * s_.channels;
        if (first) std::fill_n(sums, vectors * kBlock * s_.channels, 0.0f);
        add_tiles(spread_heads_, spread_data_, at, block, vectors, data_.blocks, tiles, sums);
      }
    });
  }

  const ConvShape& s_;
  const TiledImages head_, data_;
  const TileGrid grid_;
  Int chunk_, tiles_;
  Scratch<float> rooms_;
  TileSpace spread_data_, spread_heads_;
  Scratch<float> sums_;
};

}  // namespace baryon::BARYON_ISA
