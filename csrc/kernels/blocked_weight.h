// The gradient of a convolution of channel-blocked images by its weights.
//
// A unit is a group of values of a pixel by a pair of filter blocks, summed over a part of the
// batch. How the work is cut depends on the shapes alone, so that results do not depend on the
// number of threads.
#pragma once

#include <algorithm>
#include <vector>

#include "../parallel.h"
#include "blocked_room.h"
#include "conv_shape.h"
#include "transpose.h"

namespace baryon::BARYON_ISA {

class BlockedWeights {
 public:
  BlockedWeights(const ConvShape& s, const float* head, const float* data, bool blocked)
      : s_(s),
        head_(head),
        data_(data),
        blocked_(blocked),
        taps_(taps_of(s)),
        blocks_(s.filters / kBlock),
        pairs_(parts(blocks_, 2)),
        groups_(blocked ? s.channels / kBlock : 1),
        depth_(s.depth() / groups_) {
    // Of few channels a pixel of the heads is read for many values: what counts is how often rows
    // of the data are copied, and bands are higher.
    const Int read = blocked ? s.stride[1] * s.stride[2] : 0, kept = blocked ? kKept : 4 * kKept;
    rows_ = std::clamp<Int>(kept / (1 + s.out[2] * (2 + read) * kBlock), 1, s.out[1]);
    bands_ = s.batch * parts(s.out[1], rows_);
    splits_ = std::clamp<Int>(parts(kUnits, groups_ * pairs_), 1, bands_);
  }

  void run(float* weight) {
    const Int units = groups_ * pairs_, all = s_.filters * s_.depth();
    const Scratch<float> sums(splits_ * all);
    const BlockedRoom room(s_.in, s_.stride, taps_, rows_, s_.out[2], 1);
    parallel_for(splits_ * units, 1, [&](Int begin, Int end) {
      const Scratch<float> copy(blocked_ ? 0 : s_.channels * room.plane() + kBlock);
      for (Int i = begin; i < end; ++i) {
        const Int split = i / units, unit = i % units;
        float* to = sums.get() + split * all + start(unit);
        std::fill_n(to, vectors(unit) * kBlock * depth_, 0.0f);
        for (Int band = bands_ * split / splits_; band < bands_ * (split + 1) / splits_; ++band) {
          if (blocked_) {
            add(unit, band, to);
          } else {
            add_few(room, copy.get(), unit, band, to);
          }
        }
      }
    });
    parallel_for(units, 1 + 16384 / (2 * kBlock * depth_), [&](Int begin, Int end) {
      const Scratch<float> turned(2 * kBlock * depth_);
      for (Int unit = begin; unit < end; ++unit) {
        float* total = sums.get() + start(unit);
        for (Int split = 1; split < splits_; ++split)
          for (Int k = 0; k < vectors(unit) * kBlock * depth_; k += kBlock)
            store(total + k, load(total + k) + load(total + split * all + k));
        write(unit, total, turned.get(), weight);
      }
    });
  }

 private:
  static constexpr Int kKept = 10 * 1024;  // floats of both images that tiles go over again
  static constexpr Int kUnits = 16;

  Int group(Int unit) const { return unit / pairs_; }
  Int pair(Int unit) const { return unit % pairs_; }
  Int vectors(Int unit) const { return std::min<Int>(2, blocks_ - 2 * pair(unit)); }
  // Where the sums of a unit begin: [tap][value][vector of filters].
  Int start(Int unit) const { return (group(unit) * blocks_ + 2 * pair(unit)) * kBlock * depth_; }

  // Places of one axis, from..to, whose window reads `shift` on inside of the image.
  void inside(int axis, Int shift, Int& from, Int& to) const {
    from = std::max(from, parts(std::max<Int>(-shift, 0), s_.stride[axis]));
    to = std::min(to, parts(s_.in[axis] - shift, s_.stride[axis]));
  }

  WeightTile heads(Int unit, Int band, Int& image, Int& first, Int& last) const {
    const Int bands = bands_ / s_.batch, plane = s_.out[1] * s_.out[2] * kBlock;
    image = band / bands;
    first = band % bands * rows_;
    last = std::min(s_.out[1], first + rows_);
    WeightTile tile{};
    tile.head = head_ + (image * blocks_ + 2 * pair(unit)) * plane;
    tile.head_row = s_.out[2] * kBlock;
    tile.head_block = plane;
    return tile;
  }

  void add(Int unit, Int band, float* sums) const {
    Int image, first, last;
    const WeightTile base = heads(unit, band, image, first, last);
    const float* data = data_ + (image * groups_ + group(unit)) * s_.in[1] * s_.in[2] * kBlock;
    const Int row = s_.in[2] * kBlock;
    for (const Int3& tap : taps_) {
      Int top = first, bottom = last, left = 0, right = s_.out[2];
      inside(1, tap[1], top, bottom);
      inside(2, tap[2], left, right);
      WeightTile tile = base;
      tile.rows = bottom - top;
      tile.columns = right - left;
      tile.data_row = s_.stride[1] * row;
      tile.data_pixel = s_.stride[2] * kBlock;
      tile.data =
          data + (top * s_.stride[1] + tap[1]) * row + (left * s_.stride[2] + tap[2]) * kBlock;
      tile.head += top * tile.head_row + left * kBlock;
      tile.sums = sums;
      sums += kBlock * vectors(unit) * kBlock;
      if (tile.rows <= 0 || tile.columns <= 0) continue;
      add_block(vectors(unit), tile);
    }
  }

  // Few channels, plane by plane: every channel at every tap is a value.
  void add_few(const BlockedRoom& room, float* copy, Int unit, Int band, float* sums) const {
    Int image, first, last;
    WeightTile tile = heads(unit, band, image, first, last);
    for (Int c = 0; c < s_.channels; ++c)
      room.fill(data_ + (image * s_.channels + c) * s_.in[1] * s_.in[2], first,
                copy + c * room.plane());
    tile.head += first * tile.head_row;
    tile.data = copy;
    tile.data_row = room.next_row();
    tile.data_pixel = 1;
    tile.rows = last - first;
    tile.columns = s_.out[2];
    tile.sums = sums;
    std::vector<Int> places;
    for (Int c = 0; c < s_.channels; ++c)
      for (const Int3& tap : taps_) places.push_back(c * room.plane() + room.place(tap));
    tile.places = places.data();
    const bool two = vectors(unit) == 2;
    for (Int left = depth_; left > 0;) {
      const Int count = left >= kPairValues ? kPairValues : left >= 4 ? 4 : 1;
      few_of(count, two)(tile);
      tile.places += count;
      tile.sums += count * vectors(unit) * kBlock;
      left -= count;
    }
  }

  static void (*few_of(Int count, bool two))(const WeightTile&) {
    if (count == kPairValues)
      return two ? run_weights<kPairValues, 2, false> : run_weights<kPairValues, 1, false>;
    if (count == 4) return two ? run_weights<4, 2, false> : run_weights<4, 1, false>;
    return two ? run_weights<1, 2, false> : run_weights<1, 1, false>;
  }

  void write(Int unit, const float* sums, float* turned, float* weight) const {
    const Int taps = blocked_ ? s_.taps() : 1, values = depth_ / taps, count = vectors(unit);
    for (Int v = 0; v < count; ++v) {
      const float* from = sums + v * kBlock;
      for (Int t = 0; t < taps; ++t)
        for (Int i = 0; i < values; ++i, from += count * kBlock)
          store(turned + (i * taps + t) * kBlock, load(from));
      const Int filter = (2 * pair(unit) + v) * kBlock;
      transpose_block<float>(weight + filter * s_.depth() + group(unit) * depth_, s_.depth(),
                             turned, kBlock, kBlock, depth_);
    }
  }

  const ConvShape& s_;
  const float *head_, *data_;
  bool blocked_;
  const std::vector<Int3> taps_;
  Int blocks_, pairs_, groups_;
  Int depth_;  // sums of a filter in one group
  Int rows_, bands_, splits_;
};

// Sums of the head gradient over batch and space, one a filter.
inline void blocked_bias(const ConvShape& s, const float* head, float* bias) {
  const Int blocks = s.filters / kBlock, pixels = s.out[1] * s.out[2];
  parallel_for(blocks, 1 + 32768 / (1 + s.batch * pixels * kBlock), [&](Int begin, Int end) {
    for (Int b = begin; b < end; ++b) {
      Lane total{};
      for (Int n = 0; n < s.batch; ++n) {
        const float* from = head + (n * blocks + b) * pixels * kBlock;
        Lane sums{};
        for (Int i = 0; i < pixels; ++i) sums += load(from + i * kBlock);
        total += sums;
      }
      store(bias + b * kBlock, total);
    }
  });
}

}  // namespace baryon::BARYON_ISA
