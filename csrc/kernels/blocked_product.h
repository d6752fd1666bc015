// Convolution of channel-blocked images with packed weights.
//
// The forward pass is one such product; the gradient by data is one for each place of the input
// within a stride. A task copies some rows of some images with room around them (unless it can read
// them where they lie) and goes over filters, so that these rows stay in the cache.
#pragma once

#include <algorithm>
#include <functional>
#include <vector>

#include "../parallel.h"
#include "blocked_room.h"

namespace baryon::BARYON_ISA {

struct BlockedProduct {
  Int batch;
  Int channels;
  bool blocked;  // whether the data is; else it has few channels, plane by plane
  Int filter_blocks;
  Int3 size, grid, step;  // of the data; of the places computed; between what these read
  std::vector<Int3> taps;
  const float* data;
  const float* weights;  // [pair of filter blocks][group][tap][inner][filter], or null: to pack
  const float *bias, *scale;  // null, or one a filter
  // What packs the weights of a pair of filter blocks where they are not packed before.
  std::function<void(Int block, float* to)> pack;
  float* out;
  Int3 out_size, out_step, out_begin;
  Finish finish;

  Int inner() const { return blocked ? kBlock : 1; }
  // Of channels: blocks, or single ones.
  Int groups() const { return parts(channels, inner()); }
  // Weights of a filter.
  Int depth() const { return channels * static_cast<Int>(taps.size()); }
  bool in_order() const { return step == Int3{1, 1, 1} && grid == size; }
  // Whether windows can be read where the data lies: single pixels of it, all or every second one.
  bool direct() const {
    if (!blocked || taps.size() != 1 || taps[0] != Int3{0, 0, 0} || step[2] > 2) return false;
    for (int i = 0; i < 3; ++i)
      if ((grid[i] - 1) * step[i] >= size[i]) return false;
    return true;
  }
  // Of places side by side, in pixels, where they are read directly.
  Int apart() const { return direct() ? step[2] : 1; }
};

class BlockedRunner {
 public:
  explicit BlockedRunner(const BlockedProduct& product)
      : p_(flattened(product)),
        direct_(p_.direct()),
        rows_(rows_of(p_, direct_)),
        bands_(parts(p_.grid[1], rows_)),
        room_(p_.size, p_.step, p_.taps, rows_, p_.grid[2], static_cast<int>(p_.inner())),
        group_(direct_ ? p_.size[1] * p_.size[2] * kBlock : room_.plane()) {
    images_ = bands_ > 1 ? 1 : std::max<Int>(1, kKept / (1 + p_.groups() * group_));
    images_ = std::min(images_, parts(p_.batch, 2 * num_threads()));
    for (Int g = 0; g < p_.groups(); ++g)
      for (const Int3& tap : p_.taps)
        terms_.push_back(g * group_ + (direct_ ? 0 : room_.place(tap)));
  }

  // Tasks that read the weights of a pair of filter blocks.
  Int chunks() const { return parts(p_.batch, images_) * bands_; }

  void run() const {
    const Int chunks = this->chunks(), pairs = parts(p_.filter_blocks, 2);
    const Int splits = std::clamp<Int>(parts(2 * num_threads(), chunks), 1, pairs);
    const Int size = direct_ ? 0 : images_ * p_.groups() * group_ + kBlock;
    const Int depth = p_.depth();
    parallel_for(chunks * splits, 1, [&](Int begin, Int end) {
      const Scratch<float> room(size);
      const Scratch<float> packed(p_.weights == nullptr ? 2 * kBlock * depth : 0);
      Int held = -1;
      for (Int i = begin; i < end; ++i) {
        const Int chunk = i / splits, split = i % splits;
        if (!direct_ && held != chunk) fill(chunk, room.get());
        held = chunk;
        for (Int pair = pairs * split / splits; pair < pairs * (split + 1) / splits; ++pair) {
          if (p_.weights == nullptr) {
            p_.pack(2 * pair, packed.get());
            compute(chunk, 2 * pair, room.get(), packed.get(), nullptr);
            continue;
          }
          const float* weights = p_.weights + 2 * pair * kBlock * depth;
          const bool more = pair + 1 < pairs * (split + 1) / splits;
          compute(chunk, 2 * pair, room.get(), weights,
                  more ? weights + 2 * kBlock * depth : nullptr);
        }
      }
    });
  }

 private:
  static constexpr Int kKept = 128 * 1024;  // floats of images that a task keeps in the cache

  // A product that reads every pixel once, in order, sees an image as a long row, or as some: each
  // is a task then, whose data was written by the thread that reads it.
  static BlockedProduct flattened(BlockedProduct p) {
    if (!p.direct() || !p.in_order() || p.out_size != p.grid || p.out_step != Int3{1, 1, 1})
      return p;
    const Int pixels = p.grid[1] * p.grid[2], rows = rows_for(p, pixels);
    p.grid = p.size = p.out_size = {1, rows, pixels / rows};
    return p;
  }

  // A single one if tasks share less by sharing out filters: where there are more weights than
  // data.
  static Int rows_for(const BlockedProduct& p, Int pixels) {
    constexpr Int kFewest = 4 * kPairRows;
    const Int channels = p.groups(), filters = p.filter_blocks;
    if (channels * filters * kBlock > pixels * (channels + filters)) return 1;
    Int rows = std::min(parts(2 * num_threads(), p.batch), pixels / kFewest);
    while (rows > 1 && p.grid[1] % rows != 0) --rows;
    return std::max<Int>(1, rows);
  }

  static Int rows_of(const BlockedProduct& p, bool direct) {
    if (direct && p.in_order()) return p.out_step == Int3{1, 1, 1} ? 1 : p.grid[1];
    // Each task has its own rows, if there is more data than weights.
    const Int data = volume(p.grid) * p.channels, weights = p.depth() * p.filter_blocks * kBlock;
    const Int shares = weights > data ? 1 : parts(2 * num_threads(), p.batch);
    const Int line = direct ? 0 : p.groups() * p.inner() * (p.size[2] + 2) * p.step[1];
    const Int rows = std::clamp<Int>(kKept / (1 + line), 1, parts(p.grid[1], shares));
    return parts(p.grid[1], parts(p.grid[1], rows));
  }

  Int first_image(Int chunk) const { return chunk / bands_ * images_; }
  Int last_image(Int chunk) const { return std::min(p_.batch, first_image(chunk) + images_); }

  void fill(Int chunk, float* room) const {
    const Int plane = p_.size[1] * p_.size[2] * p_.inner();
    for (Int n = first_image(chunk); n < last_image(chunk); ++n)
      for (Int g = 0; g < p_.groups(); ++g, room += group_)
        room_.fill(p_.data + (n * p_.groups() + g) * plane, chunk % bands_ * rows_, room);
  }

  // One pair of filter blocks (or a last single one) for all pixels of a chunk. Its first two tiles
  // fetch the weights that come next into the cache.
  void compute(Int chunk, Int block, const float* room, const float* weights,
               const float* ahead) const {
    const Int vectors = std::min<Int>(2, p_.filter_blocks - block);
    const Int most = vectors == 2 ? kPairRows : kSingleRows;
    const Int columns = p_.grid[2], tiles = parts(columns, most);
    const bool both = p_.blocked && vectors == 2 && 2 * columns <= most;  // rows make a tile
    const Int first = chunk % bands_ * rows_, last = std::min(p_.grid[1], first + rows_);
    const Int row = direct_ ? p_.step[1] * p_.size[2] * kBlock : room_.next_row();
    const Int apart = p_.apart(), pixel = apart * p_.inner();
    const Int out_block = p_.out_size[1] * p_.out_size[2] * kBlock;
    PixelTile tile{};
    tile.terms = terms_.data();
    tile.count = static_cast<Int>(terms_.size());
    tile.lanes = static_cast<int>(p_.channels % p_.inner());
    tile.cut = tile.lanes == 0 ? 0 : static_cast<Int>(p_.taps.size());
    tile.weights = weights;
    tile.bias = p_.bias == nullptr ? nullptr : p_.bias + block * kBlock;
    tile.scale = p_.scale == nullptr ? nullptr : p_.scale + block * kBlock;
    tile.to_pixel = p_.out_step[2] * kBlock;
    tile.to_block = out_block;
    tile.finish = p_.finish;
    const Int spans = (last_image(chunk) - first_image(chunk)) * parts(last - first, both ? 2 : 1);
    tile.ahead = ahead;
    tile.ahead_step = ahead == nullptr ? 0 : parts(vectors * kBlock, spans * tiles);
    const Int to_row = p_.out_step[1] * p_.out_size[2] * kBlock;
    for (Int n = first_image(chunk); n < last_image(chunk); ++n) {
      const float* image = direct_ ? p_.data + n * p_.groups() * group_
                                   : room + (n - first_image(chunk)) * p_.groups() * group_;
      float* out = p_.out + (n * p_.filter_blocks + block) * out_block;
      for (Int y = first; y < last; y += both ? 2 : 1) {
        const Int rows = both && y + 1 < last ? 2 : 1;
        tile.gap = rows == 2 ? row - columns * pixel : 0;
        tile.to_gap = rows == 2 ? to_row - columns * tile.to_pixel : 0;
        const float* from = image + (direct_ ? y : y - first) * row;
        float* to =
            out +
            ((y * p_.out_step[1] + p_.out_begin[1]) * p_.out_size[2] + p_.out_begin[2]) * kBlock;
        for (Int t = 0; t < tiles; ++t) {
          const Int x = columns * t / tiles, end = columns * (t + 1) / tiles;
          tile.from = from + x * pixel;
          tile.to = to + x * tile.to_pixel;
          (rows == 2 ? two_rows_of(columns, apart)
                     : pixels_of(end - x, vectors, p_.blocked, apart))(tile);
          if (ahead != nullptr) tile.ahead += tile.count * p_.inner() * tile.ahead_step;
        }
      }
    }
  }

  const BlockedProduct p_;
  bool direct_;
  Int rows_, bands_;
  BlockedRoom room_;
  Int group_;       // distance between groups of channels of an image
  Int images_ = 1;  // that a task takes together
  std::vector<Int> terms_;
};

}  // namespace baryon::BARYON_ISA
