// Maxima of adjacent windows of two rows by two columns, and their gradient.
//
// With an even width and height the planes are one long row of pairs of neighbours, whatever their
// width: pairs are joined over whole vectors, and only the step from two rows of joined pairs to
// one row of results goes row by row, in rows that overwrite what the one before wrote too much.
#pragma once

#include <algorithm>
#include <limits>
#include <utility>

#include "../parallel.h"
#include "room.h"

namespace baryon::BARYON_ISA {

template <class T>
constexpr T kLowest = std::numeric_limits<T>::lowest();

template <class T>
using Lanes = decltype(Vector<T>{} > Vector<T>{});

// Which lanes of `value` replace the maximum so far: the first of equals stays, NaN wins.
template <class T>
inline Lanes<T> replaces(Vector<T> value, Vector<T> best) {
  return (value > best) | ((value != value) & (best == best));
}

// The left and the right elements of a vector's worth of pairs.
template <class T>
struct Pairs {
  Vector<T> left, right;

  static Pairs read(const T* from) {
    return [=]<int... i>(std::integer_sequence<int, i...>) {
      const Vector<T> low = load(from), high = load(from + kLanes<T>);
      return Pairs{__builtin_shufflevector(low, high, (2 * i)...),
                   __builtin_shufflevector(low, high, (2 * i + 1)...)};
    }(std::make_integer_sequence<int, kLanes<T>>());
  }

  void write(T* to) const {
    [=, this]<int... i>(std::integer_sequence<int, i...>) {
      constexpr int kHalf = kLanes<T> / 2, kNext = kLanes<T>;
      store(to, __builtin_shufflevector(left, right, (i / 2 + i % 2 * kNext)...));
      store(to + kNext, __builtin_shufflevector(left, right, (kHalf + i / 2 + i % 2 * kNext)...));
    }(std::make_integer_sequence<int, kLanes<T>>());
  }

  Lanes<T> takes_left() const { return (left > kLowest<T>) | (left != left); }
  Vector<T> best_left() const { return takes_left() ? left : broadcast(kLowest<T>); }
  Lanes<T> takes_right() const { return replaces<T>(right, best_left()); }
  Vector<T> best() const { return takes_right() ? right : best_left(); }

  // A head gradient at the first largest element of each pair.
  Pairs spread(Vector<T> head) const {
    const Lanes<T> second = takes_right();
    return {takes_left() & ~second ? head : Vector<T>{}, second ? head : Vector<T>{}};
  }
};

// A range of row pairs, some at a time, with memory for a joined value of each of their pairs.
template <class T>
class PairPooling {
 public:
  explicit PairPooling(Int width)  // of a row of results
      : width_(width),
        rows_(std::max<Int>(1, kBlock / (2 * width))),
        joined_(2 * width * rows_ + kLanes<T>),
        shares_(2 * width * rows_ + kLanes<T>) {}

  void forward(const T* data, Int rows, T* out) const {
    for_each_block(rows, [&](Int row, Int count) {
      join(data + row * 4 * width_, count);
      T* to = out + row * width_;
      T* end = to + count * width_;
      for_each_vector(count, [&](Int at, const T* top) {
        const Vector<T> high = load(top), low = load(top + width_);
        store_part(to + at, replaces<T>(low, high) ? low : high, end - (to + at));
      });
    });
  }

  void backward(const T* heads, const T* data, Int rows, T* out) const {
    for_each_block(rows, [&](Int row, Int count) {
      const T* from = data + row * 4 * width_;
      join(from, count);
      share(heads + row * width_, count);
      T* to = out + row * 4 * width_;
      const Int size = 2 * count * width_;
      Int i = 0;
      for (; i + kLanes<T> <= size; i += kLanes<T>)
        Pairs<T>::read(from + 2 * i).spread(load(shares_.get() + i)).write(to + 2 * i);
      if (i == size) return;
      alignas(kVectorBytes) T last[2 * kLanes<T>] = {};
      std::copy_n(from + 2 * i, 2 * (size - i), last);
      Pairs<T>::read(last).spread(load(shares_.get() + i)).write(last);
      std::copy_n(last, 2 * (size - i), to + 2 * i);
    });
  }

 private:
  static constexpr Int kBlock = 2048;  // pairs at a time

  template <class Body>
  void for_each_block(Int rows, const Body& body) const {
    for (Int row = 0; row < rows; row += rows_) body(row, std::min(rows_, rows - row));
  }

  // Calls body(first result, where the upper of its joined pairs lie) in order.
  template <class Body>
  void for_each_vector(Int count, const Body& body) const {
    const T* top = joined_.get();
    for (Int at = 0; at < count * width_; at += width_, top += 2 * width_)
      for (Int x = 0; x < width_; x += kLanes<T>) body(at + x, top + x);
  }

  void join(const T* data, Int count) const {
    const Int size = 2 * count * width_;
    T* to = joined_.get();
    Int i = 0;
    for (; i + kLanes<T> <= size; i += kLanes<T>)
      store(to + i, Pairs<T>::read(data + 2 * i).best());
    if (i == size) return;
    alignas(kVectorBytes) T last[2 * kLanes<T>] = {};
    std::copy_n(data + 2 * i, 2 * (size - i), last);
    store(to + i, Pairs<T>::read(last).best());
  }

  // The head gradient of every window at the upper or the lower of its pairs.
  void share(const T* heads, Int count) const {
    const T* end = heads + count * width_;
    for (Int row = 0; row < count; ++row, heads += width_) {
      for (const bool lower : {false, true}) {
        for (Int x = 0; x < width_; x += kLanes<T>) {
          const T* top = joined_.get() + 2 * row * width_ + x;
          const Vector<T> head = load_part(heads + x, end - (heads + x));
          const Lanes<T> second = replaces<T>(load(top + width_), load(top));
          store(shares_.get() + (2 * row + lower) * width_ + x,
                second == (lower ? Lanes<T>{} - 1 : Lanes<T>{}) ? head : Vector<T>{});
        }
      }
    }
  }

  Int width_, rows_;
  Scratch<T> joined_, shares_;
};

}  // namespace baryon::BARYON_ISA
