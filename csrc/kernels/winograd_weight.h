// The gradient by weights in transformed space: a sum over tiles at each of 36 places.
#pragma once

#include "winograd_local.h"

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
    Lane spread[kTilePlaces], window[9];
    float values[9 * kBlock];
    for (Int i = begin; i < end; ++i) {
      const Int block = i / s.channels, channel = i % s.channels;
      const Int pair = block / 2 * 2, vectors = std::min<Int>(2, filters - pair);
      const float* from = sums + (pair * s.channels + channel * vectors + block % 2) * kBlock;
      for (int p = 0; p < kTilePlaces; ++p, from += place) {
        spread[p] = load(from);
        for (Int cut = 1; cut < cuts; ++cut) spread[p] += load(from + cut * kTilePlaces * place);
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
        grid_(s, 1),
        head_{head, s.filters / kBlock, s.out[1], s.out[2]},
        data_{data, s.channels / kBlock, s.in[1], s.in[2], s.pad[1], s.pad[2], norm},
        cuts_(std::clamp<Int>(grid_.tiles() / kFewest, 1, std::min(kMost, grid_.all()))),
        rows_(std::min(parts(grid_.all(), cuts_),
                       local_rows(grid_, kTiles / (head_.blocks + data_.blocks)))) {}

  void run(float* weight) const {
    const Int size = kTilePlaces * weight_place(s_);
    const Scratch<float> sums(cuts_ * size);
    parallel_for(cuts_, 1, [&](Int begin, Int end) {
      const TileSpace data(data_.blocks, rows_ * grid_.columns);
      const TileSpace heads(head_.blocks, rows_ * grid_.columns);
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
  static constexpr Int kFewest = 64, kMost = 16;  // tiles of a part, and parts
  static constexpr Int kTiles = 192;              // blocks of tiles that a task works on together

  void add(Int first, Int rows, const TileSpace& data, const TileSpace& heads, float* sums) const {
    TileSpreader<OfData>(grid_, data_).spread(first, rows, data);
    TileSpreader<OfHeads>(grid_, head_).spread(first, rows, heads);
    Ahead ahead({grid_, data_, first + rows, rows}, {grid_, head_, first + rows, rows}, data_.data);
    for (int place = 0; place < kTilePlaces; ++place) {
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
        head_(head),
        data_(data),
        channels_(s.channels / kBlock),
        filters_(s.filters / kBlock),
        grid_(s, channels_ + filters_),
        tiles_(grid_.chunk * grid_.columns),
        spread_data_(channels_, tiles_),
        spread_heads_(filters_, tiles_),
        sums_(kTilePlaces * place()) {}

  void run(float* weight) {
    for (Int first = 0; first < grid_.all(); first += grid_.chunk) {
      const Int rows = std::min(grid_.chunk, grid_.all() - first);
      spread_tiles<OfData>(grid_, first, rows, data_, channels_, s_.in[1], s_.in[2], s_.pad[1],
                           s_.pad[2], spread_data_);
      spread_tiles<OfHeads>(grid_, first, rows, head_, filters_, s_.out[1], s_.out[2], 0, 0,
                            spread_heads_);
      add(first == 0, rows * grid_.columns);
    }
    write_weights(s_, sums_.get(), 1, weight);
  }

 private:
  Int place() const { return weight_place(s_); }
  Int pairs() const { return parts(filters_, 2); }

  // Sums at a place: [pair of filter blocks][channel][vector of filters].
  void add(bool first, Int tiles) const {
    parallel_for(kTilePlaces * pairs(), 1, [&](Int begin, Int end) {
      for (Int i = begin; i < end; ++i) {
        const Int at = i / pairs(), block = i % pairs() * 2;
        const Int vectors = std::min<Int>(2, filters_ - block);
        float* sums = sums_.get() + at * place() + block * kBlock * s_.channels;
        if (first) std::fill_n(sums, vectors * kBlock * s_.channels, 0.0f);
        add_tiles(spread_heads_, spread_data_, at, block, vectors, channels_, tiles, sums);
      }
    });
  }

  const ConvShape& s_;
  const float *head_, *data_;
  Int channels_, filters_;  // blocks
  const TileGrid grid_;
  Int tiles_;
  TileSpace spread_data_, spread_heads_;
  Scratch<float> sums_;
};

}  // namespace baryon::BARYON_ISA
