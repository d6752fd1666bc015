// Packing of image windows: the columns of a convolution, cut from the image as they are needed.
//
// A column is one place of an output grid over a batch of images, counted image by image and row by
// row. A row of packed columns is one channel at one tap, i.e. at one place of the kernel.
#pragma once

#include <algorithm>
#include <array>
#include <vector>

#include "simd.h"

namespace baryon::BARYON_ISA {

using Int3 = std::array<Int, 3>;

inline Int volume(const Int3& size) { return size[0] * size[1] * size[2]; }

// Images (batch, channel, *size), of which a column at grid place p reads p * step + tap.
template <class T>
struct Images {
  const T* data;
  const T* end;  // nothing at or behind it may be read
  Int image, channel;
  Int3 size, step;
};

// Adjacent columns in one row of the grid: `length` of them, the first is packed column `column`.
struct Run {
  Int column, length, image, z, y, x;
};

// Cuts the columns [first, first + count) of a grid into runs.
inline void cut_runs(const Int3& grid, Int first, Int count, std::vector<Run>& runs) {
  runs.clear();
  const Int plane = grid[1] * grid[2], all = grid[0] * plane;
  for (Int done = 0; done < count;) {
    const Int at = first + done, place = at % all, x = place % grid[2];
    const Int length = std::min(grid[2] - x, count - done);
    runs.push_back({done, length, at / all, place / plane, place / grid[2] % grid[1], x});
    done += length;
  }
}

// Writes whole vectors, so up to kLanes - 1 values behind the last: the caller writes on from
// there.
template <class T>
inline void fill_zero(T* to, Int count) {
  for (Int i = 0; i < count; i += kLanes<T>) store(to + i, Vector<T>{});
}
template <class T>
inline void copy_over(const T* from, T* to, Int count) {
  for (Int i = 0; i < count; i += kLanes<T>) store(to + i, load(from + i));
}

// Packs columns: rows(...) of those that columns(...) chose.
template <class T>
class Packer {
 public:
  Packer(const Images<T>& images, const Int3& grid, const std::vector<Int3>& taps, Int channels)
      : images_(images), grid_(grid), taps_(taps), channels_(channels) {}

  void columns(Int first, Int count) {
    count_ = count;
    cut_runs(grid_, first, count, runs_);
    placed_.resize(runs_.size());
  }
  const std::vector<Run>& runs() const { return runs_; }

  // Rows [begin, end), tap by tap and channel by channel, with zeros up to column `width`. Up to
  // kLanes - 1 values behind the last row are overwritten.
  void rows(Int begin, Int end, T* to, Int width) {
    for (Int row = begin; row < end;) {
      place(taps_[row / channels_]);
      const Int channel = row % channels_, last = std::min(channels_, channel + end - row);
      for (Int c = channel; c < last; ++c, to += width) {
        if (plain_ && far_ + c * images_.channel <= images_.end) {
          for (const Placed& run : placed_)
            copy_over(run.from + c * images_.channel, to + run.column, run.length);
        } else {
          for (const Placed& run : placed_) write(run, c * images_.channel, to);
        }
        if (count_ < width) fill_zero_exactly(to + count_, width - count_);
      }
      row += last - channel;
    }
  }

 private:
  // A run under one tap: columns [low, high) lie inside the image, starting at `from`.
  struct Placed {
    const T* from;
    Int column, low, high, length;
  };

  void place(const Int3& tap) {
    const Int step = images_.step[2], width = images_.size[2];
    plain_ = step == 1;
    for (std::size_t i = 0; i < runs_.size(); ++i) {
      const Run& run = runs_[i];
      const Int z = run.z * images_.step[0] + tap[0], y = run.y * images_.step[1] + tap[1];
      const Int x = run.x * step + tap[2];
      const bool outside = z < 0 || z >= images_.size[0] || y < 0 || y >= images_.size[1];
      const Int low = outside ? run.length : std::clamp<Int>(parts(-x, step), 0, run.length);
      const Int high = std::clamp<Int>(parts(width - x, step), low, run.length);
      const T* line =
          images_.data + run.image * images_.image + (z * images_.size[1] + y) * width + x;
      placed_[i] = {line, run.column, low, high, run.length};
      plain_ = plain_ && low == 0 && high == run.length;
    }
    far_ = placed_.back().from + placed_.back().length + kLanes<T>;
  }

  void write(const Placed& run, Int offset, T* to) {
    to += run.column;
    if (run.low > 0) fill_zero(to, run.low);
    if (run.high > run.low) inside(run.from + offset, to, run);
    if (run.high < run.length) fill_zero(to + run.high, run.length - run.high);
  }

  void inside(const T* from, T* to, const Placed& run) {
    const Int step = images_.step[2], count = run.high - run.low;
    to += run.low;
    from += run.low * step;
    if (step == 1 && from + count + kLanes<T> <= images_.end) {
      copy_over(from, to, count);
    } else if (step == 2) {
      for (Int i = 0; i < count; ++i) to[i] = from[2 * i];
    } else {
      for (Int i = 0; i < count; ++i) to[i] = from[step * i];
    }
  }

  static void fill_zero_exactly(T* to, Int count) {
    for (Int i = 0; i < count; ++i) to[i] = 0;
  }

  const Images<T>& images_;
  const Int3 grid_;
  const std::vector<Int3>& taps_;
  Int channels_, count_ = 0;
  std::vector<Run> runs_;
  std::vector<Placed> placed_;
  bool plain_ = false;      // all runs lie inside the image, element by element
  const T* far_ = nullptr;  // behind all that copying the runs of channel 0 may read
};

}  // namespace baryon::BARYON_ISA
