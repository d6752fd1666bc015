// Images cut into tiles, and these in transformed space.
#pragma once

#include <algorithm>

#include "../parallel.h"
#include "conv_shape.h"
#include "on_load.h"
#include "winograd_tile.h"

namespace baryon::BARYON_ISA {

constexpr Int kLocalWeights = 160 * 1024;  // transformed ones that fit a core's cache, in floats

// Tiles of images in transformed space: [place][block of channels][tile][channel].
class TileSpace {
 public:
  TileSpace(Int blocks, Int tiles, float* values)
      : place_(place(blocks, tiles)), block_(tiles * kBlock), values_(values) {}

  // Floats of a place. (One vector more: places fall on different cache lines.)
  static Int place(Int blocks, Int tiles) { return (blocks * tiles + 1) * kBlock; }

  float* at(Int place, Int block, Int tile) const {
    return values_ + place * place_ + block * block_ + tile * kBlock;
  }
  Int place() const { return place_; }  // distances of places and of blocks
  Int block() const { return block_; }

 private:
  Int place_, block_;
  float* values_;
};

// How the results of a batch are cut into tiles of `step` x `step`.
struct TileGrid {
  int step;
  Int batch, rows, columns;  // rows and columns of tiles of an image

  TileGrid(const ConvShape& s, int side)
      : step(side), batch(s.batch), rows(parts(s.out[1], side)), columns(parts(s.out[2], side)) {}

  Int all() const { return batch * rows; }
  Int tiles() const { return all() * columns; }
  // Parts of all rows, so that a part has at most `kept` floats (or is one row) of `row` each.
  Int chunks(Int row, Int kept) const { return parts(all(), std::max<Int>(1, kept / row)); }
};

// Images as rows of tiles see them: each has as many rows of every block as tiles have results for
// itself.
struct TiledImages {
  const float* data;
  Int blocks, height, width;
  Int pad_y = 0, pad_x = 0;      // tiles begin as much before their place
  const OnLoad* norm = nullptr;  // what is done to values as they are read

  Int line() const { return width * kBlock; }
  const float* plane(Int image, Int block) const {
    return data + (image * blocks + block) * height * line();
  }
};

// Tells, some lines at a time, what rows of tiles [first, first + rows) have for themselves, so
// that it is fetched while something else is computed.
class Fetcher {
 public:
  Fetcher(const TileGrid& grid, const TiledImages& images, Int first, Int rows)
      : grid_(grid), images_(images), row_(first), end_(std::min(first + rows, grid.all())) {
    begin();
  }

  bool more() const { return row_ < end_; }

  // Where the next lines lie; `count` of them, or fewer where a row of tiles ends.
  const float* next(Int count) {
    const float* from = run_ + line_ * kBlock;
    line_ += count;
    if (line_ >= grid_.step * images_.width) {
      line_ = 0;
      block_ = block_ + 1 < images_.blocks ? block_ + 1 : 0;
      if (block_ == 0) ++row_;
      begin();
    }
    return from;
  }

 private:
  void begin() {
    if (!more()) return;
    const Int y = row_ % grid_.rows * grid_.step + images_.pad_y;
    run_ = images_.plane(row_ / grid_.rows, block_) + y * images_.line();
  }

  const TileGrid& grid_;
  const TiledImages& images_;
  const float* run_ = nullptr;
  Int row_, end_, block_ = 0, line_ = 0;
};

// Two of them in turn; when both have no more, the last lines once more.
class Ahead {
 public:
  Ahead(const Fetcher& one, const Fetcher& two, const float* last)
      : one_(one), two_(two), last_(last) {}

  const float* next(Int count) {
    turn_ = !turn_;
    Fetcher& now = (turn_ && one_.more()) || !two_.more() ? one_ : two_;
    if (now.more()) last_ = now.next(count);
    return last_;
  }

 private:
  Fetcher one_, two_;
  const float* last_;
  bool turn_ = false;
};

// A row of tiles of a block of channels to transformed space: along the columns of an image first,
// which serves tiles that overlap, then along the rows of each tile.
template <class Axis>
class TileSpreader {
 public:
  TileSpreader(const TileGrid& grid, const TiledImages& images)
      : grid_(grid),
        images_(images),
        line_(((grid.columns - 1) * grid.step + Axis::kIn) * kBlock),
        half_(Axis::kOut * line_) {}

  // Row `first + row`, which is the `row`-th in that space.
  void spread(Int first, Int row, Int block, const TileSpace& to) const {
    const Int y = (first + row) % grid_.rows * grid_.step - images_.pad_y;
    const float* plane = images_.plane((first + row) / grid_.rows, block);
    images_.norm == nullptr ? along_columns(plane, y, [](Lane value) { return value; })
                            : along_columns(plane, y, images_.norm->of(block));
    for (Int c = 0; c < grid_.columns; ++c)
      along_rows(half_.get() + c * grid_.step * kBlock, to.at(0, block, row * grid_.columns + c),
                 to.place());
  }

 private:
  template <class Read>
  void along_columns(const float* plane, Int y, const Read& read) const {
    const Int width = images_.line(), begin = -images_.pad_x * kBlock, line = line_;
    const int top = static_cast<int>(std::max<Int>(0, -y));
    const int bottom = static_cast<int>(std::min<Int>(Axis::kIn, images_.height - y));
    float* to = half_.get();
    for (Int at = begin; at < begin + line; at += kBlock, to += kBlock) {
      Lane in[Axis::kIn] = {}, out[Axis::kOut];
      if (at >= 0 && at < width) {
        if (top == 0 && bottom == Axis::kIn)
          for (int i = 0; i < Axis::kIn; ++i) in[i] = read(load(plane + (y + i) * width + at));
        else
          for (int i = 0; i < Axis::kIn; ++i)
            if (i >= top && i < bottom) in[i] = read(load(plane + (y + i) * width + at));
      }
      Axis::apply(in, 1, out, 1);
      for (int i = 0; i < Axis::kOut; ++i) store(to + i * line, out[i]);
    }
  }

  void along_rows(const float* from, float* to, Int place) const {
    for (int r = 0; r < Axis::kOut; ++r, from += line_) {
      Lane in[Axis::kIn], out[Axis::kOut];
      for (int i = 0; i < Axis::kIn; ++i) in[i] = load(from + i * kBlock);
      Axis::apply(in, 1, out, 1);
      for (int i = 0; i < Axis::kOut; ++i, to += place) store(to, out[i]);
    }
  }

  const TileGrid& grid_;
  const TiledImages& images_;
  Int line_;  // floats of a transformed row
  Scratch<float> half_;
};

// Rows of tiles [first, first + rows).
template <class Axis>
void spread_tiles(const TileGrid& grid, const TiledImages& images, Int first, Int rows,
                  const TileSpace& to) {
  parallel_for(rows * images.blocks, 1, [&](Int begin, Int end) {
    const TileSpreader<Axis> spreader(grid, images);
    for (Int i = begin; i < end; ++i)
      spreader.spread(first, i / images.blocks, i % images.blocks, to);
  });
}

}  // namespace baryon::BARYON_ISA
