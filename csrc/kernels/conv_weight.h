// The gradients of a convolution by its weights and its bias.
//
// A task owns some rows of columns (channels at taps) and a range of pixels of the batch, and sums
// over these in a fixed order. How the work is cut depends on the shapes alone, so that results do
// not depend on the number of threads.
#pragma once

#include <algorithm>
#include <vector>

#include "../gemm.h"
#include "../parallel.h"
#include "conv_depthwise.h"
#include "conv_weight_lanes.h"

namespace baryon::BARYON_ISA {

// sums[r][c] += a[r] . b[c] lane by lane, for kDotRows rows of a and kDotColumns of b.
template <class T>
void dot_tile(Int k, const T* a, Int lda, const T* b, Int ldb, Vector<T>* to, Int ld_to) {
  Vector<T> sums[kDotRows][kDotColumns];
#pragma GCC unroll 8
  for (int r = 0; r < kDotRows; ++r)
#pragma GCC unroll 8
    for (int c = 0; c < kDotColumns; ++c) sums[r][c] = to[r * ld_to + c];
  for (Int i = 0; i < k; i += kLanes<T>) {
    Vector<T> rows[kDotRows];
#pragma GCC unroll 8
    for (int r = 0; r < kDotRows; ++r) rows[r] = load(a + r * lda + i);
#pragma GCC unroll 8
    for (int c = 0; c < kDotColumns; ++c) {
      const Vector<T> column = load(b + c * ldb + i);
#pragma GCC unroll 8
      for (int r = 0; r < kDotRows; ++r) sums[r][c] += rows[r] * column;
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < kDotRows; ++r)
#pragma GCC unroll 8
    for (int c = 0; c < kDotColumns; ++c) to[r * ld_to + c] = sums[r][c];
}

template <class T>
class WeightGradient {
 public:
  WeightGradient(const ConvShape& s, const T* head, const T* data, T* weight)
      : s_(s),
        weight_(weight),
        filters_(s.filters_per_group()),
        pixels_(s.batch * volume(s.out)),
        taps_(taps_of(s)) {
    heads_ = images_of(head, s.batch, s.filters, {1, 1, volume(s.out)});
    images_ = images_of(data, s.batch, s.channels, s.in);
    images_.step = s.stride;
    by_dots_ = filters_ <= kMostDotFilters;
    const Int most = by_dots_ ? kDotBlock : kGemmBlock;
    blocks_ = parts(s.depth(), most);
    rows_ = round_up(parts(s.depth(), blocks_), kDotColumns);
    blocks_ = parts(s.depth(), rows_);
    splits_ = std::clamp<Int>(parts(kTasks, blocks_ * s.groups), 1, parts(pixels_, 4 * kPixels));
  }

  void run() {
    const Int all = s_.filters * s_.depth();
    const Scratch<T> parts_of_sum(splits_ > 1 ? splits_ * all : 0);
    parallel_for(s_.groups * blocks_ * splits_, 1, [&](Int begin, Int end) {
      Task task(*this);
      for (Int i = begin; i < end; ++i) {
        const Int block = i % blocks_, group = i / blocks_ % s_.groups,
                  split = i / blocks_ / s_.groups;
        task.run(group, block, split, splits_ > 1 ? parts_of_sum.get() + split * all : weight_);
      }
    });
    if (splits_ > 1) add_up(parts_of_sum.get(), all);
  }

 private:
  static constexpr Int kMostDotFilters = 64;
  static constexpr Int kDotBlock = 8 * kDotColumns, kGemmBlock = 96;
  static constexpr Int kPixels = 256;  // packed at a time
  static constexpr Int kTasks = 16;

  void add_up(const T* sums, Int all) {
    parallel_for(all, 16384, [&](Int begin, Int end) {
      std::copy(sums + begin, sums + end, weight_ + begin);
      for (Int split = 1; split < splits_; ++split)
        for (Int i = begin; i < end; ++i) weight_[i] += sums[split * all + i];
    });
  }

  class Task {
   public:
    explicit Task(const WeightGradient& owner)
        : o_(owner),
          heads_(owner.heads_),
          images_(owner.images_),
          filters_(round_up(owner.filters_, kDotRows)),
          left_(filters_ * kPixels + kLanes<T>),
          right_(owner.rows_ * kPixels + kLanes<T>),
          sums_(filters_ * owner.rows_ * (owner.by_dots_ ? kLanes<T> : 1)),
          head_packer_(heads_, heads_.size, kOneTap, owner.filters_),
          packer_(images_, owner.s_.out, owner.taps_, owner.s_.channels_per_group()) {}

    void run(Int group, Int block, Int split, T* weight) {
      const ConvShape& s = o_.s_;
      heads_.data = o_.heads_.data + group * o_.filters_ * heads_.channel;
      images_.data = o_.images_.data + group * s.channels_per_group() * images_.channel;
      const Int row = block * o_.rows_, rows = std::min(o_.rows_, s.depth() - row);
      const Int chunks = parts(o_.pixels_, kPixels);
      const Int from = chunks * split / o_.splits_, to = chunks * (split + 1) / o_.splits_;
      std::fill_n(sums_.get(), filters_ * o_.rows_ * (o_.by_dots_ ? kLanes<T> : 1), T(0));
      for (Int chunk = from; chunk < to; ++chunk) {
        const Int first = chunk * kPixels, count = std::min(kPixels, o_.pixels_ - first);
        const Int width = round_up(count, kLanes<T>);
        head_packer_.columns(first, count);
        head_packer_.rows(0, o_.filters_, left_.get(), width);
        packer_.columns(first, count);
        packer_.rows(row, row + rows, right_.get(), width);
        if (o_.by_dots_) {
          add_dots(rows, width);
        } else {
          gemm(false, true, o_.filters_, rows, width, T(1), left_.get(), width, right_.get(), width,
               T(1), sums_.get(), o_.rows_);
        }
      }
      write(group, row, rows, weight);
    }

   private:
    void add_dots(Int rows, Int width) {
      auto* sums = reinterpret_cast<Vector<T>*>(sums_.get());
      for (Int r = 0; r < rows; r += kDotColumns)
        for (Int f = 0; f < filters_; f += kDotRows)
          dot_tile(width, left_.get() + f * width, width, right_.get() + r * width, width,
                   sums + f * o_.rows_ + r, o_.rows_);
    }

    // Rows are counted tap by tap, weights channel by channel.
    void write(Int group, Int row, Int rows, T* weight) {
      const Int channels = o_.s_.channels_per_group(), taps = o_.s_.taps();
      const auto* sums = reinterpret_cast<const Vector<T>*>(sums_.get());
      for (Int f = 0; f < o_.filters_; ++f) {
        T* to = weight + (group * o_.filters_ + f) * o_.s_.depth();
        for (Int r = 0; r < rows; ++r) {
          const Int tap = (row + r) / channels, channel = (row + r) % channels;
          const Int at = f * o_.rows_ + r;
          to[channel * taps + tap] = o_.by_dots_ ? sum<T>(sums[at]) : sums_.get()[at];
        }
      }
    }

    static inline const std::vector<Int3> kOneTap = {{0, 0, 0}};
    const WeightGradient& o_;
    Images<T> heads_, images_;  // of the current group
    Int filters_;
    Scratch<T> left_, right_, sums_;
    Packer<T> head_packer_, packer_;
  };

  const ConvShape& s_;
  T* weight_;
  Int filters_, pixels_;
  const std::vector<Int3> taps_;
  Images<T> heads_, images_;
  bool by_dots_;
  Int blocks_, rows_, splits_;
};

template <class T>
void gather_weights(const ConvShape& s, const T* head, const T* data, T* weight) {
  if (s.filters == 0 || s.depth() == 0) return;
  if (s.batch == 0 || volume(s.out) == 0) {
    std::fill_n(weight, s.filters * s.depth(), T(0));
    return;
  }
  if (is_depthwise(s)) return depthwise_weights(s, head, data, weight);
  if (lanes_pay<T>(s)) return LanesGradient<T>(s, head, data, weight).run();
  WeightGradient<T>(s, head, data, weight).run();
}

// Sums of the head gradient over batch and space, one a filter.
template <class T>
void gather_bias(const ConvShape& s, const T* head, T* bias) {
  const Int pixels = volume(s.out), whole = pixels - pixels % kLanes<T>;
  parallel_for(s.filters, 1 + 32768 / (1 + s.batch * pixels), [&](Int begin, Int end) {
    for (Int f = begin; f < end; ++f) {
      Vector<T> lanes{};
      T rest = 0;
      for (Int n = 0; n < s.batch; ++n) {
        const T* row = head + (n * s.filters + f) * pixels;
        for (Int i = 0; i < whole; i += kLanes<T>) lanes += load(row + i);
        for (Int i = whole; i < pixels; ++i) rest += row[i];
      }
      bias[f] = sum<T>(lanes) + rest;
    }
  });
}

}  // namespace baryon::BARYON_ISA
