// Rows of an image copied with room around them, for tiles that read whole windows.
#pragma once

#include <algorithm>
#include <vector>

#include "blocked_tile.h"
#include "room.h"
#include "windows.h"

namespace baryon::BARYON_ISA {

// Columns are sorted by their remainder modulo the step, so that what one tap reads for
// neighbouring places lies side by side. A pixel has `inner` values: a block of channels, or one.
class BlockedRoom {
 public:
  // Places of a grid of `columns` columns read place * step + tap in images of `size`, `rows` rows
  // of places at a time.
  BlockedRoom(const Int3& size, const Int3& step, const std::vector<Int3>& taps, Int rows,
              Int columns, int inner)
      : size_(size), step_(step), inner_(inner) {
    Int low = 0, high = 0, below = 0;
    for (const Int3& tap : taps) {
      top_ = std::min(top_, tap[1]);
      below = std::max(below, tap[1]);
      low = std::min(low, tap[2]);
      high = std::max(high, tap[2]);
    }
    left_ = round_up(-low, step[2]);  // so that remainders stay
    part_ = columns + parts(high + left_ + 1, step[2]);
    line_ = part_ * step[2] * inner;
    lines_ = (rows - 1) * step[1] + below - top_ + 1;
  }

  Int line() const { return line_; }
  Int plane() const { return lines_ * line_; }
  Int next_row() const { return step_[1] * line_; }
  Int place(const Int3& tap) const {
    const Int x = tap[2] + left_;
    return (tap[1] - top_) * line_ + (x % step_[2] * part_ + x / step_[2]) * inner_;
  }

  // Copies what the rows of places from `row` on read of a plane.
  void fill(const float* plane, Int row, float* room) const {
    for (Int l = 0; l < lines_; ++l, room += line_) {
      const Int y = row * step_[1] + top_ + l;
      if (y < 0 || y >= size_[1]) {
        std::fill_n(room, line_, 0.0f);
      } else {
        fill_line(plane + y * size_[2] * inner_, room);
      }
    }
  }

 private:
  void fill_line(const float* from, float* line) const {
    if (inner_ == 1 && step_[2] == 2) return fill_halves(from, line);
    for (Int r = 0; r < step_[2]; ++r, line += part_ * inner_) {
      const Int before = std::min(part_, parts(left_ - r, step_[2]));  // columns left of the image
      const Int first = before * step_[2] + r - left_;
      const Int count =
          std::clamp<Int>(parts(size_[2] - first, step_[2]), 0, part_ - before) * inner_;
      std::fill_n(line, before * inner_, 0.0f);
      float* to = line + before * inner_;
      if (step_[2] == 1) {
        std::copy_n(from + first * inner_, count, to);
      } else if (inner_ == 1 && step_[2] == 2) {  // (a constant, for which compilers have shuffles)
        for (Int i = 0; i < count; ++i) to[i] = from[first + i * 2];
      } else if (inner_ == 1) {
        for (Int i = 0; i < count; ++i) to[i] = from[first + i * step_[2]];
      } else {
        for (Int i = 0; i < count; i += kBlock)
          store(to + i, load(from + first * kBlock + i * step_[2]));
      }
      std::fill(to + count, line + part_ * inner_, 0.0f);
    }
  }

  // Even and odd columns of single channels; `left_` is even.
  void fill_halves(const float* from, float* line) const {
    const Int before = left_ / 2, even = std::min(part_ - before, parts(size_[2], 2));
    const Int odd = std::min(part_ - before, size_[2] / 2), both = std::min(even, odd);
    float *one = line + before, *two = one + part_;
    std::fill_n(line, before, 0.0f);
    std::fill_n(line + part_, before, 0.0f);
    Halves<float>::split(from, 2 * both, one, two);
    for (Int i = both; i < even; ++i) one[i] = from[2 * i];
    for (Int i = both; i < odd; ++i) two[i] = from[2 * i + 1];
    std::fill(one + even, line + part_, 0.0f);
    std::fill(two + odd, line + 2 * part_, 0.0f);
  }

  Int3 size_, step_;
  int inner_;
  Int top_ = 0, left_, part_, line_, lines_;
};

}  // namespace baryon::BARYON_ISA
