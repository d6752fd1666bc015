// Boxes by their corners, overlaps, and greedy suppression of all but the best of a cluster.
#pragma once

#include <algorithm>
#include <vector>

#include "simd.h"

namespace baryon::BARYON_ISA {

template <class T>
struct Box {
  T x1, y1, x2, y2;
};

// A box by its centre and size, by its corners.
template <class T>
Box<T> corners_of(const T* at) {
  return {at[0] - at[2] / 2, at[1] - at[3] / 2, at[0] + at[2] / 2, at[1] + at[3] / 2};
}
template <class T>
Box<T> read_box(const T* at, bool center) {
  return center ? corners_of(at) : Box<T>{at[0], at[1], at[2], at[3]};
}

// Boxes coordinate by coordinate, as vectors compare them, best first.
template <class T>
class Boxes {
 public:
  using V = Vector<T>;
  using Mask = decltype(V{} > V{});

  // extra: 1 where corners are pixels and so belong to the box.
  explicit Boxes(Int count, T extra = 0)
      : count_(count), extra_(extra), values_(6 * round_up(count, kLanes<T>)) {}

  Int count() const { return count_; }

  void set(Int i, const Box<T>& box, T id) {
    const T values[] = {box.x1, box.y1, box.x2, box.y2, area(box), id};
    for (int k = 0; k < 6; ++k) row(k)[i] = values[k];
  }

  // Positions of the boxes that no better one, of their id if by_id, overlaps by more than the
  // threshold (or by just it, if reached): the first `most` of them.
  std::vector<Int> survivors(T threshold, bool by_id, bool reached, Int most) {
    std::vector<Int> kept;
    alive_.assign(round_up(count_, kLanes<T>), -1);
    for (Int i = 0; i < count_ && static_cast<Int>(kept.size()) < most; ++i) {
      if (alive_[i] == 0) continue;
      kept.push_back(i);
      drop_behind(i, threshold, by_id, reached);
    }
    return kept;
  }

 private:
  using Flag = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;

  T* row(int k) { return values_.data() + k * round_up(count_, kLanes<T>); }

  T area(const Box<T>& box) const {
    const T width = box.x2 - box.x1 + extra_, height = box.y2 - box.y1 + extra_;
    return (width > 0 ? width : 0) * (height > 0 ? height : 0);
  }

  void drop_behind(Int i, T threshold, bool by_id, bool reached) {
    V own[6];
    for (int k = 0; k < 6; ++k) own[k] = broadcast(row(k)[i]);
    const V zero{}, extra = broadcast(extra_), limit = broadcast(threshold);
    for (Int j = (i + 1) / kLanes<T> * kLanes<T>; j < count_; j += kLanes<T>) {
      V at[6];
      for (int k = 0; k < 6; ++k) at[k] = load(row(k) + j);
      V width = (at[2] < own[2] ? at[2] : own[2]) - (at[0] > own[0] ? at[0] : own[0]) + extra;
      V height = (at[3] < own[3] ? at[3] : own[3]) - (at[1] > own[1] ? at[1] : own[1]) + extra;
      width = width > zero ? width : zero;
      height = height > zero ? height : zero;
      const V common = width * height, whole = at[4] + own[4] - common;
      const V overlap = whole > zero ? common / whole : zero;
      Mask close = reached ? overlap >= limit : overlap > limit;
      if (by_id) close &= at[5] == own[5];
      Flag* flags = alive_.data() + j;
      store(flags, load(flags) & ~close);
    }
  }

  Int count_;
  T extra_;
  std::vector<T> values_;
  std::vector<Flag> alive_;
};

// Whether a score comes before another one: higher ones first, what is no number last.
template <class T>
bool comes_first(T a, T b) {
  return a > b || (b != b && a == a);
}

// Sorts positions by falling score; equal ones stay in order.
template <class Score>
void sort_by_score(std::vector<Int>& order, const Score& score) {
  std::stable_sort(order.begin(), order.end(),
                   [&](Int a, Int b) { return comes_first(score(a), score(b)); });
}

}  // namespace baryon::BARYON_ISA
