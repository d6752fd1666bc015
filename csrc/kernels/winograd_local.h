// Winograd's method where transformed weights fit a core's cache: every task transforms, multiplies
// and transforms back some rows of tiles of its own, which never leave that cache.
//
// What comes from memory, and what will be written there, is fetched while products are computed.
#pragma once

#include "winograd.h"

namespace baryon::BARYON_ISA {

constexpr Int kLocalWeights = 160 * 1024;  // transformed weights at most, in floats

// Images as rows of tiles see them: each has four rows of every block for itself.
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
    if (line_ >= kTileStep * images_.width) {
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
    const Int y = row_ % grid_.rows * kTileStep + images_.pad_y;
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

// Rows of tiles to transformed space: along the columns of an image first, which serves tiles that
// overlap, then along the rows of each tile.
template <class Axis>
class TileSpreader {
 public:
  TileSpreader(const TileGrid& grid, const TiledImages& images)
      : grid_(grid),
        images_(images),
        line_(((grid.columns - 1) * kTileStep + Axis::kIn) * kBlock),
        half_(Axis::kOut * line_) {}

  void spread(Int first, Int rows, const TileSpace& to) const {
    for (Int r = 0; r < rows; ++r)
      for (Int block = 0; block < images_.blocks; ++block) {
        const Int y = (first + r) % grid_.rows * kTileStep - images_.pad_y;
        const float* plane = images_.plane((first + r) / grid_.rows, block);
        images_.norm == nullptr ? along_columns(plane, y, [](Lane value) { return value; })
                                : along_columns(plane, y, images_.norm->of(block));
        for (Int c = 0; c < grid_.columns; ++c)
          along_rows(half_.get() + c * kTileStep * kBlock, to.at(0, block, r * grid_.columns + c),
                     to.place());
      }
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

// A tile of products, `next` floats apart, to results.
inline void to_results(const float* from, Int next, Lane* tile) {
  Lane half[kTileStep][6];
#pragma GCC unroll 6
  for (int x = 0; x < 6; ++x) {
    Lane in[6], out[kTileStep];
#pragma GCC unroll 6
    for (int y = 0; y < 6; ++y) in[y] = load(from + (y * 6 + x) * next);
    ToResults::apply(in, 1, out, 1);
#pragma GCC unroll 4
    for (int y = 0; y < kTileStep; ++y) half[y][x] = out[y];
  }
#pragma GCC unroll 4
  for (int y = 0; y < kTileStep; ++y) ToResults::apply(half[y], 1, tile + y * kTileStep, 1);
}

// The products at one place: some tiles by one or two vectors of filters.
template <int rows, int vectors>
void multiply_tiles(const float* from, Int blocks, Int block_step, const float* weights, float* to,
                    Int to_block, Ahead& ahead) {
  Lane sums[rows][vectors];
#pragma GCC unroll 16
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 2
    for (int v = 0; v < vectors; ++v) sums[r][v] = Lane{};
  for (Int b = 0; b < blocks; ++b, from += block_step) {
    const float* later = ahead.next(kBlock);
    for (int i = 0; i < kBlock; ++i, weights += vectors * kBlock, later += kBlock) {
      __builtin_prefetch(later, 0, 2);
      Lane filters[vectors];
#pragma GCC unroll 2
      for (int v = 0; v < vectors; ++v) filters[v] = load(weights + v * kBlock);
#pragma GCC unroll 16
      for (int r = 0; r < rows; ++r)
#pragma GCC unroll 2
        for (int v = 0; v < vectors; ++v) sums[r][v] += from[r * kBlock + i] * filters[v];
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 2
    for (int v = 0; v < vectors; ++v) store(to + v * to_block + r * kBlock, sums[r][v]);
}

using TilesFn = void (*)(const float*, Int, Int, const float*, float*, Int, Ahead&);
template <int vectors, int most>
TilesFn tiles_of(Int rows) {
  constexpr auto table = []<int... i>(std::integer_sequence<int, i...>) {
    return std::array<TilesFn, sizeof...(i)>{multiply_tiles<i + 1, vectors>...};
  }(std::make_integer_sequence<int, most>());
  return table[rows - 1];
}

// Rows of tiles that a task works on together, with about as many tiles as it should.
inline Int local_rows(const TileGrid& grid, Int tiles) {
  return std::clamp<Int>(tiles / grid.columns, 1, parts(grid.all(), 4 * num_threads()));
}

class LocalWinograd {
 public:
  LocalWinograd(const WinogradProduct& p, const TileGrid& grid)
      : p_(p),
        grid_(grid),
        data_{p.data, p.channel_blocks, p.size[0], p.size[1], p.pad[0], p.pad[1], p.norm},
        out_{p.out, p.filter_blocks, p.out_size[0], p.out_size[1]},
        rows_(local_rows(grid, 2 * (p.filter_blocks > 1 ? kPairRows : kSingleRows))) {}

  void run() const {
    const Scratch<float> made(p_.spread == nullptr ? p_.weights->all() : 0);
    if (p_.spread == nullptr) p_.weights->spread_all(made.get());
    const float* weights = p_.spread == nullptr ? made.get() : p_.spread;
    parallel_for(parts(grid_.all(), rows_), 1, [&](Int begin, Int end) {
      const TileSpace data(p_.channel_blocks, rows_ * grid_.columns);
      const TileSpace sums(p_.filter_blocks, rows_ * grid_.columns);
      const TileSpreader<OfData> spreader(grid_, data_);
      for (Int i = begin; i < end; ++i) {
        const Int first = i * rows_, rows = std::min(rows_, grid_.all() - first);
        spreader.spread(first, rows, data);
        multiply(first, rows, weights, data, sums);
        gather(first, rows, sums);
      }
    });
  }

 private:
  void multiply(Int first, Int rows, const float* weights, const TileSpace& data,
                const TileSpace& sums) const {
    Ahead ahead({grid_, data_, first + rows, rows}, {grid_, out_, first, rows}, p_.data);
    const Int tiles = rows * grid_.columns, pairs = p_.weights->pairs();
    const Int width = p_.weights->width();
    for (Int i = 0; i < kTilePlaces * pairs; ++i) {
      const Int place = i / pairs, pair = i % pairs, block = pair * width;
      const Int vectors = std::min<Int>(width, p_.filter_blocks - block);
      const Int pieces = parts(tiles, vectors == 2 ? kPairRows : kSingleRows);
      const float* own = weights + pair * p_.weights->size() + p_.weights->at(place, block);
      for (Int k = 0; k < pieces; ++k) {
        const Int from = tiles * k / pieces, count = tiles * (k + 1) / pieces - from;
        const TilesFn run =
            vectors == 2 ? tiles_of<2, kPairRows>(count) : tiles_of<1, kSingleRows>(count);
        run(data.at(place, 0, from), p_.channel_blocks, data.block(), own,
            sums.at(place, block, from), sums.block(), ahead);
      }
    }
  }

  void gather(Int first, Int rows, const TileSpace& sums) const {
    for (Int i = 0; i < rows * out_.blocks; ++i) {
      const Int block = i % out_.blocks, tile = i / out_.blocks * grid_.columns;
      const float* from = sums.at(0, block, tile);
      p_.parts == nullptr ? finish<false>(first + i / out_.blocks, block, from, sums.place())
                          : finish<true>(first + i / out_.blocks, block, from, sums.place());
    }
  }

  // A row of tiles of a block; `measured`, together with the sums of its moments.
  template <bool measured>
  void finish(Int row, Int block, const float* from, Int place) const {
    const Int y = row % grid_.rows * kTileStep, line = out_.line();
    const Int bottom = std::min<Int>(kTileStep, out_.height - y);
    const Lane start = p_.bias == nullptr ? Lane{} : load(p_.bias + block * kBlock);
    const Lane factor = p_.scale == nullptr ? broadcast(1.0f) : load(p_.scale + block * kBlock);
    float* to = p_.out + ((row / grid_.rows * out_.blocks + block) * out_.height + y) * line;
    Lane tile[kTileStep * kTileStep], shift{}, one{}, two{};
    for (Int c = 0; c < grid_.columns; ++c, from += kBlock, to += kTileStep * kBlock) {
      to_results(from, place, tile);
      if (measured && c == 0) shift = tile[0] * factor + start;
      const Int right = std::min<Int>(kTileStep, out_.width - c * kTileStep);
      for (Int r = 0; r < bottom; ++r) {
        Lane near{}, squares{};
        for (Int x = 0; x < right; ++x) {
          float* at = to + r * line + x * kBlock;
          const Lane value = p_.finish(tile[r * kTileStep + x] * factor + start, at);
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
    if constexpr (measured) p_.parts->set(row, block, bottom * out_.width, shift, one, two);
  }

  const WinogradProduct& p_;
  const TileGrid& grid_;
  const TiledImages data_, out_;
  Int rows_;  // of tiles, that a task works on together
};

}  // namespace baryon::BARYON_ISA
