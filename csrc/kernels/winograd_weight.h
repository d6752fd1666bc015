// The gradient by weights in transformed space: a sum over tiles at each of 36 places.
#pragma once

#include "winograd.h"

namespace baryon::BARYON_ISA {

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
    write(weight);
  }

 private:
  Int place() const { return (s_.channels * filters_ + 1) * kBlock; }
  Int pairs() const { return parts(filters_, 2); }

  // Sums at a place: [pair of filter blocks][channel][vector of filters].
  void add(bool first, Int tiles) const {
    parallel_for(kTilePlaces * pairs(), 1, [&](Int begin, Int end) {
      for (Int i = begin; i < end; ++i) {
        const Int at = i / pairs(), block = i % pairs() * 2;
        const Int vectors = std::min<Int>(2, filters_ - block);
        WeightTile tile{};
        tile.head = spread_heads_.at(at, block, 0);
        tile.head_block = spread_heads_.block();
        tile.data_pixel = kBlock;
        tile.rows = 1;
        tile.columns = tiles;
        tile.sums = sums_.get() + at * place() + block * kBlock * s_.channels;
        if (first) std::fill_n(tile.sums, vectors * kBlock * s_.channels, 0.0f);
        for (Int c = 0; c < channels_; ++c) {
          tile.data = spread_data_.at(at, c, 0);
          add_block(vectors, tile);
          tile.sums += vectors * kBlock * kBlock;
        }
      }
    });
  }

  void write(float* weight) const {
    parallel_for(filters_ * s_.channels, 64, [&](Int begin, Int end) {
      Lane spread[kTilePlaces], window[9];
      float values[9 * kBlock];
      for (Int i = begin; i < end; ++i) {
        const Int block = i / s_.channels, channel = i % s_.channels;
        const Int pair = block / 2 * 2, vectors = std::min<Int>(2, filters_ - pair);
        const float* from =
            sums_.get() + (pair * s_.channels + channel * vectors + block % 2) * kBlock;
        for (int p = 0; p < kTilePlaces; ++p) spread[p] = load(from + p * place());
        transform<ToWeights>(spread, window);
        for (int t = 0; t < 9; ++t) store(values + t * kBlock, window[t]);
        transpose_block<float>(weight + (block * kBlock * s_.channels + channel) * 9,
                               s_.channels * 9, values, kBlock, kBlock, 9);
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
