// A plane of an image copied with room around it, sorted so that windows read whole vectors.
#pragma once

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "simd.h"
#include "windows.h"

namespace baryon::BARYON_ISA {

// Splits a row into its even and its odd elements, or joins them again.
template <class T>
struct Halves {
  typedef decltype(Vector<T>{} > Vector<T>{}) Order;

  static void split(const T* from, Int count, T* even, T* odd) {
    constexpr int kHalf = kLanes<T> / 2;
    Order order;
    for (int i = 0; i < kLanes<T>; ++i) order[i] = i < kHalf ? 2 * i : 2 * (i - kHalf) + 1;
    Int i = 0;
    for (; i + kLanes<T> <= count; i += kLanes<T>) {
      const Vector<T> sorted = __builtin_shuffle(load(from + i), order);
      std::memcpy(even + i / 2, &sorted, sizeof(sorted) / 2);
      std::memcpy(odd + i / 2, reinterpret_cast<const char*>(&sorted) + sizeof(sorted) / 2,
                  sizeof(sorted) / 2);
    }
    for (; i < count; ++i) (i % 2 == 0 ? even : odd)[i / 2] = from[i];
  }

  static void join(const T* even, const T* odd, Int count, T* to) {
    constexpr int kHalf = kLanes<T> / 2;
    Order order;
    for (int i = 0; i < kLanes<T>; ++i) order[i] = i / 2 + i % 2 * kHalf;
    Int i = 0;
    for (; i + kLanes<T> <= count; i += kLanes<T>) {
      Vector<T> sorted;
      std::memcpy(&sorted, even + i / 2, sizeof(sorted) / 2);
      std::memcpy(reinterpret_cast<char*>(&sorted) + sizeof(sorted) / 2, odd + i / 2,
                  sizeof(sorted) / 2);
      store(to + i, Vector<T>(__builtin_shuffle(sorted, order)));
    }
    for (; i < count; ++i) to[i] = (i % 2 == 0 ? even : odd)[i / 2];
  }
};

// Columns are sorted by their remainder modulo the stride, so that the places which one tap reads
// for a row of results lie side by side. Up to kLanes - 1 values behind a row may be touched.
template <class T>
class Room {
 public:
  // Results at grid place p read p * step + tap for each of `taps`, in a plane of `size`;
  // `outside` is what lies around it.
  Room(const Int3& size, const Int3& step, const Int3& grid, const std::vector<Int3>& taps,
       T outside)
      : size_(size), step_(step) {
    for (int i = 0; i < 3; ++i) {
      Int low = 0, high = size[i];
      for (const Int3& tap : taps) {
        low = std::min(low, tap[i]);
        high = std::max(high, (grid[i] - 1) * step[i] + tap[i] + 1);
      }
      before_[i] = round_up(-low, step[i]);  // so that remainders stay
      whole_[i] = high + before_[i];
    }
    part_ = parts(whole_[2], step[2]);
    line_ = part_ * step[2];
    values_.assign(whole_[0] * whole_[1] * line_ + 2 * kLanes<T>, outside);
    for (const Int3& tap : taps) places_.push_back(place(tap));
  }

  // Distance of what each tap reads from row(z, y) + x.
  const std::vector<Int>& places() const { return places_; }
  Int row(Int z, Int y) const { return (z * step_[0] * whole_[1] + y * step_[1]) * line_; }
  Int next_row() const { return step_[1] * line_; }
  T* values() { return values_.data(); }

  const T* fill(const T* plane) {
    each_line([&](T* line) {
      if (step_[2] == 1) {
        std::copy_n(plane, size_[2], line);
      } else if (step_[2] == 2) {
        Halves<T>::split(plane, size_[2], line, line + part_);
      } else {
        for (Int x = 0; x < size_[2]; ++x) line[x % step_[2] * part_ + x / step_[2]] = plane[x];
      }
      plane += size_[2];
    });
    return values_.data();
  }

  // The reverse of fill.
  void drain(T* plane) {
    each_line([&](const T* line) {
      if (step_[2] == 1) {
        std::copy_n(line, size_[2], plane);
      } else if (step_[2] == 2) {
        Halves<T>::join(line, line + part_, size_[2], plane);
      } else {
        for (Int x = 0; x < size_[2]; ++x) plane[x] = line[x % step_[2] * part_ + x / step_[2]];
      }
      plane += size_[2];
    });
  }

  void clear() { std::fill(values_.begin(), values_.end(), T(0)); }

 private:
  Int place(const Int3& tap) const {
    const Int x = tap[2] + before_[2];
    return ((tap[0] + before_[0]) * whole_[1] + tap[1] + before_[1]) * line_ +
           x % step_[2] * part_ + x / step_[2];
  }

  // Calls body with where each row of the plane begins.
  template <class Body>
  void each_line(const Body& body) {
    for (Int z = 0; z < size_[0]; ++z)
      for (Int y = 0; y < size_[1]; ++y)
        body(values_.data() + ((z + before_[0]) * whole_[1] + y + before_[1]) * line_ +
             before_[2] / step_[2]);
  }

  Int3 size_, step_, before_, whole_;
  Int part_, line_;
  std::vector<T> values_;
  std::vector<Int> places_;
};

}  // namespace baryon::BARYON_ISA
