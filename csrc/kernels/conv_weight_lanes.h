// The gradient of a convolution by its weights with filters in the lanes of vectors.
//
// The head gradient of an image is turned, so that a place's filters lie side by side, and the
// values that weights meet there are broadcast straight from the padded image: no column is packed.
// A task owns some images; which, and the order of sums, depends on the shapes alone.
#pragma once

#include <algorithm>
#include <vector>

#include "../parallel.h"
#include "conv_shape.h"
#include "tile.h"
#include "transpose.h"

namespace baryon::BARYON_ISA {

// sums[r][v] += image[line + at[r] + x step] head[place][v] over all places, by kTileRows weights
// and `vectors` vectors of filters.
template <class T, int vectors>
void lanes_tile(const Int* at, const std::vector<Int>& lines, Int width, Int step, const T* image,
                const T* head, Int ld, T* to) {
  Vector<T> sums[kTileRows][vectors];
#pragma GCC unroll 16
  for (int r = 0; r < kTileRows; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < vectors; ++v) sums[r][v] = load(to + (r * vectors + v) * kLanes<T>);
  for (const Int line : lines) {
    const T* from = image + line;
    for (Int x = 0; x < width; ++x, from += step, head += ld) {
      Vector<T> filters[vectors];
#pragma GCC unroll 4
      for (int v = 0; v < vectors; ++v) filters[v] = load(head + v * kLanes<T>);
#pragma GCC unroll 16
      for (int r = 0; r < kTileRows; ++r)
#pragma GCC unroll 4
        for (int v = 0; v < vectors; ++v) sums[r][v] += from[at[r]] * filters[v];
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < kTileRows; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < vectors; ++v) store(to + (r * vectors + v) * kLanes<T>, sums[r][v]);
}

template <class T>
class LanesGradient {
 public:
  LanesGradient(const ConvShape& s, const T* head, const T* data, T* weight)
      : s_(s),
        head_(head),
        data_(data),
        weight_(weight),
        filters_(s.filters_per_group()),
        lanes_(round_up(filters_, kLanes<T>)),
        rows_(round_up(s.depth(), kTileRows)),
        splits_(std::min(s.batch, kSplits)) {
    for (int i = 0; i < 3; ++i)
      padded_[i] = std::max(s.in[i] + 2 * s.pad[i],
                            (s.out[i] - 1) * s.stride[i] + (s.kernel[i] - 1) * s.dilate[i] + 1);
    for (Int c = 0; c < s.channels_per_group(); ++c)
      for_each_place(s.kernel, [&](Int, const Int3& tap) {
        at_.push_back(c * volume(padded_) + place(tap, s.dilate));
      });
    at_.resize(rows_, 0);  // sums of the rows behind the last are not read
    for_each_place({s.out[0], s.out[1], 1},
                   [&](Int, const Int3& line) { lines_.push_back(place(line, s.stride)); });
  }

  void run() {
    const Int sums = s_.groups * rows_ * lanes_;
    const Scratch<T> all(splits_ * sums);
    parallel_for(splits_, 1, [&](Int begin, Int end) {
      const Scratch<T> image(s_.channels * volume(padded_)), head(volume(s_.out) * lanes_);
      std::fill_n(image.get(), s_.channels * volume(padded_), T(0));
      std::fill_n(head.get(), volume(s_.out) * lanes_, T(0));
      for (Int split = begin; split < end; ++split) {
        T* to = all.get() + split * sums;
        std::fill_n(to, sums, T(0));
        for (Int n = s_.batch * split / splits_; n < s_.batch * (split + 1) / splits_; ++n)
          add_image(n, image.get(), head.get(), to);
      }
    });
    parallel_for(s_.groups * s_.depth(), parts(16384, splits_ * lanes_),
                 [&](Int begin, Int end) { write(all.get(), sums, begin, end); });
  }

 private:
  static constexpr Int kSplits = 8;

  Int place(const Int3& at, const Int3& step) const {
    return (at[0] * step[0] * padded_[1] + at[1] * step[1]) * padded_[2] + at[2] * step[2];
  }

  // Filters of the tile that begins at this lane: whole tiles, then single vectors.
  Int width_at(Int lane) const {
    return lane + kTileColumns<T> <= lanes_ ? kTileColumns<T> : kLanes<T>;
  }

  void add_image(Int n, T* image, T* head, T* sums) const {
    const Int places = volume(s_.out), inner = s_.channels_per_group() * volume(padded_);
    pad(data_ + n * s_.channels * volume(s_.in), image);
    for (Int group = 0; group < s_.groups; ++group, sums += rows_ * lanes_) {
      transpose_block<T>(head, lanes_, head_ + (n * s_.filters + group * filters_) * places, places,
                         places, filters_);
      for (Int row = 0; row < rows_; row += kTileRows)
        for (Int lane = 0; lane < lanes_; lane += width_at(lane)) {
          const Int width = width_at(lane);
          const auto tile = width == kLanes<T> ? lanes_tile<T, 1> : lanes_tile<T, kTileVectors>;
          tile(at_.data() + row, lines_, s_.out[2], s_.stride[2], image + group * inner,
               head + lane, lanes_, sums + rows_ * lane + row * width);
        }
    }
  }

  void pad(const T* from, T* image) const {
    const Int first = place(s_.pad, {1, 1, 1});
    for (Int c = 0; c < s_.channels; ++c, image += volume(padded_))
      for_each_place({s_.in[0], s_.in[1], 1}, [&](Int, const Int3& line) {
        std::copy_n(from, s_.in[2], image + first + place(line, {1, 1, 1}));
        from += s_.in[2];
      });
  }

  // Weights [begin, end) of all groups' filters.
  void write(const T* all, Int sums, Int begin, Int end) const {
    for (Int i = begin; i < end; ++i) {
      const Int group = i / s_.depth(), row = i % s_.depth();
      T* to = weight_ + group * filters_ * s_.depth() + row;
      for (Int lane = 0; lane < lanes_; lane += kLanes<T>) {
        const Int tile = lane / kTileColumns<T> * kTileColumns<T>;
        const Int block = width_at(tile) == kLanes<T> ? lane : tile;
        const T* from =
            all + group * rows_ * lanes_ + rows_ * block + row * width_at(block) + lane - block;
        Vector<T> total{};
        for (Int split = 0; split < splits_; ++split) total += load(from + split * sums);
        for (Int f = lane; f < std::min(filters_, lane + kLanes<T>); ++f)
          to[f * s_.depth()] = total[f - lane];
      }
    }
  }

  const ConvShape& s_;
  const T *head_, *data_;
  T* weight_;
  Int filters_, lanes_, rows_, splits_;
  Int3 padded_;
  std::vector<Int> at_, lines_;  // where weights and rows of places read in a padded image
};

// Whether there are images enough to share out, sums few enough for a cache, places enough for what
// loading these costs, and most lanes filled.
template <class T>
bool lanes_pay(const ConvShape& s) {
  const Int filters = s.filters_per_group();
  return s.batch >= 8 && s.filters * s.depth() <= 1 << 19 && volume(s.out) >= 32 &&
         s.depth() >= kTileRows && 5 * filters >= 3 * round_up(filters, kLanes<T>);
}

}  // namespace baryon::BARYON_ISA
