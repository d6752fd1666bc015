// Convolution with one channel and one filter a group: plane by plane, straight from padded copies.
#pragma once

#include <algorithm>
#include <vector>

#include "../parallel.h"
#include "conv_product.h"
#include "room.h"

namespace baryon::BARYON_ISA {

inline bool is_depthwise(const ConvShape& s) {
  return s.groups > 1 && s.channels == s.groups && s.filters == s.groups;
}

// One term of a sum over a window: which weight, and where it reads, from the first place.
struct Term {
  Int weight, at;
};

// `rows` rows of results, `count` columns of each (at most a vector), into local memory.
template <class T, int rows>
inline void sum_terms(const std::vector<Term>& terms, const T* weights, T bias, const T* from,
                      Int next_row, T* to) {
  Vector<T> sums[rows];
  for (int r = 0; r < rows; ++r) sums[r] = broadcast(bias);
  for (const Term& term : terms) {
    const Vector<T> weight = broadcast(weights[term.weight]);
    const T* at = from + term.at;
#pragma GCC unroll 4
    for (int r = 0; r < rows; ++r) sums[r] += weight * load(at + r * next_row);
  }
  for (int r = 0; r < rows; ++r) store(to + r * kLanes<T>, sums[r]);
}

// All results of one plane.
template <class T>
void sum_plane(const Room<T>& room, const T* from, const std::vector<Term>& terms, const T* weights,
               T bias, const Int3& grid, const Target<T>& target, T* plane) {
  constexpr int kRows = 4;
  alignas(kVectorBytes) T local[kRows * kLanes<T>];
  for (Int z = 0; z < grid[0]; ++z) {
    for (Int y = 0; y < grid[1]; y += kRows) {
      const Int rows = std::min<Int>(kRows, grid[1] - y);
      for (Int x = 0; x < grid[2]; x += kLanes<T>) {
        const T* at = from + room.row(z, y) + x;
        const Int count = std::min<Int>(kLanes<T>, grid[2] - x);
        if (rows == kRows) {
          sum_terms<T, kRows>(terms, weights, bias, at, room.next_row(), local);
        } else {
          for (Int r = 0; r < rows; ++r)
            sum_terms<T, 1>(terms, weights, bias, at + r * room.next_row(), 0,
                            local + r * kLanes<T>);
        }
        for (Int r = 0; r < rows; ++r) {
          const Int tz = z * target.step[0] + target.begin[0];
          const Int ty = (y + r) * target.step[1] + target.begin[1];
          T* to = plane + (tz * target.size[1] + ty) * target.size[2] + target.begin[2];
          for (Int i = 0; i < count; ++i) to[(x + i) * target.step[2]] = local[r * kLanes<T> + i];
        }
      }
    }
  }
}

template <class T>
void depthwise(const ConvProduct<T>& p) {
  const Int taps_of_plane = p.weights.group, size = volume(p.images.size);
  parallel_for(p.batch * p.groups, 1 + 32768 / (1 + size * (1 + p.depth())),
               [&](Int begin, Int end) {
                 Room<T> room(p.images.size, p.images.step, p.grid, p.taps, T(0));
                 std::vector<Term> terms;
                 for (std::size_t i = 0; i < p.taps.size(); ++i)
                   terms.push_back({p.tap_index[i], room.places()[i]});
                 for (Int i = begin; i < end; ++i) {
                   const Int channel = i % p.groups;
                   sum_plane(room, room.fill(p.images.data + i * size), terms,
                             p.weights.data + channel * taps_of_plane,
                             p.bias == nullptr ? T(0) : p.bias[channel], p.grid, p.target,
                             p.target.data + i * p.target.channel);
                 }
               });
}

// sums[t] += row . (what tap t reads), lane by lane.
template <class T>
void add_row(const T* row, const T* from, Int count, const std::vector<Int>& places, T* sums) {
  Vector<T> lanes{};
  for (int i = 0; i < kLanes<T>; ++i) lanes[i] = static_cast<T>(i);
  for (Int x = 0; x < count; x += kLanes<T>) {
    const Int left = std::min<Int>(kLanes<T>, count - x);
    alignas(kVectorBytes) T head[kLanes<T>] = {};
    std::copy_n(row + x, left, head);
    const Vector<T> heads = load(head);
    for (std::size_t t = 0; t < places.size(); ++t) {
      Vector<T> read = load(from + places[t] + x);
      if (left < kLanes<T>) read = lanes < static_cast<T>(left) ? read : Vector<T>{};
      T* total = sums + t * kLanes<T>;
      store(total, load(total) + heads * read);
    }
  }
}

// Any product: depthwise ones without the detour over a matrix.
template <class T>
void run_product(const ConvShape& s, ConvProduct<T>& p) {
  if (is_depthwise(s)) return depthwise(p);
  flatten_pointwise(p);
  ConvRunner<T>(p).run();
}

// The gradient by weights: one channel after the other, over the batch in order.
template <class T>
void depthwise_weights(const ConvShape& s, const T* head, const T* data, T* weight) {
  const std::vector<Int3> taps = taps_of(s);
  const Int pixels = volume(s.out), size = volume(s.in);
  parallel_for(s.channels, 1 + 32768 / (1 + s.batch * pixels * s.taps()), [&](Int begin, Int end) {
    Room<T> room(s.in, s.stride, s.out, taps, T(0));
    const Scratch<T> sums(s.taps() * kLanes<T>);
    for (Int c = begin; c < end; ++c) {
      std::fill_n(sums.get(), s.taps() * kLanes<T>, T(0));
      for (Int n = 0; n < s.batch; ++n) {
        const T* from = room.fill(data + (n * s.channels + c) * size);
        const T* row = head + (n * s.channels + c) * pixels;
        for (Int z = 0; z < s.out[0]; ++z)
          for (Int y = 0; y < s.out[1]; ++y, row += s.out[2])
            add_row(row, from + room.row(z, y), s.out[2], room.places(), sums.get());
      }
      for (Int t = 0; t < s.taps(); ++t)
        weight[c * s.taps() + t] = sum<T>(load(sums.get() + t * kLanes<T>));
    }
  });
}

}  // namespace baryon::BARYON_ISA
