// A tensor cut into blocks of consecutive elements, and inputs that broadcast to it block by block.
#pragma once

#include <algorithm>
#include <cstring>

#include "loops.h"

namespace baryon::BARYON_ISA {

inline bool same_shape(const Tensor& a, const Tensor& b) {
  return a.ndim == b.ndim && std::equal(a.shape, a.shape + a.ndim, b.shape);
}

// What the inputs broadcast to, without memory; of size 0 where they do not broadcast.
inline Tensor whole_of(const Call& call) {
  Tensor whole;
  for (int i = 0; i < call.n_in; ++i) whole.ndim = std::max(whole.ndim, call.in[i].ndim);
  std::fill_n(whole.shape, whole.ndim, 1);
  for (int i = 0; i < call.n_in; ++i) {
    const Tensor& in = call.in[i];
    for (int k = 1; k <= in.ndim; ++k) {
      Index& size = whole.shape[whole.ndim - k];
      const Index n = in.shape[in.ndim - k];
      size = n == 1 || n == size ? size : size == 1 ? n : 0;
    }
  }
  return whole;
}

struct Block {
  Index begin, column, size;  // column: of its first element, in its row
};

constexpr int kMostInputs = 128;

class Blocks {
 public:
  // Blocks of at most `most` elements of `whole`; of whole multiples of `unit` unless that is 0.
  Blocks(const Call& call, const Tensor& whole, Index most, Index unit) : n_(whole.size()) {
    merge(call, whole);
    most = std::max(most, unit);
    if (row() > most && unit == 0) {
      pieces_ = (row() + most - 1) / most;
      length_ = ((row() + pieces_ - 1) / pieces_ + 15) / 16 * 16;
      pieces_ = (row() + length_ - 1) / length_;
      count_ = n_ / row() * pieces_;
    } else {
      for (int d = ndim_ - 1; d >= 0 && period_ * sizes_[d] <= most; --d) period_ *= sizes_[d];
      unit = std::max(period_, unit);  // one divides the other: both end all of the last axes
      length_ = std::min(n_, most / unit * unit);
      count_ = (n_ + length_ - 1) / length_;
    }
    for (int i = 0; i < call.n_in; ++i) classify(i, call.in[i].size());
  }

  Index count() const { return count_; }
  Index length() const { return length_; }
  Block block(Index index) const {
    if (pieces_ == 0) {
      const Index begin = index * length_;
      return {begin, begin % row(), std::min(length_, n_ - begin)};
    }
    const Index column = index % pieces_ * length_;
    return {index / pieces_ * row() + column, column, std::min(length_, row() - column)};
  }

  // The same in every block: filled once.
  bool fixed(int input) const { return kinds_[input] == Kind::fixed; }
  bool needs_room(int input) const { return kinds_[input] != Kind::whole; }

  // An input's elements for a block: where they are, or copied to `room`.
  char* fill(int input, char* data, Index item, const Block& block, char* room) const {
    if (kinds_[input] == Kind::whole) return data + block.begin * item;
    const Index* strides = strides_[input];
    const bool varies = strides[ndim_ - 1] != 0;
    if (pieces_ != 0 && varies)
      return data + (offset(strides, block.begin / row()) + block.column) * item;
    char* to = room;
    Index column = block.column, index = block.begin / row();
    for (Index left = block.size; left > 0; column = 0, ++index) {
      const Index count = std::min(left, row() - column);
      const char* from = data + (offset(strides, index) + (varies ? column : 0)) * item;
      if (varies) {
        std::memcpy(to, from, static_cast<std::size_t>(count * item));
      } else {
        repeat(from, item, to, count);
      }
      to += count * item;
      left -= count;
    }
    return room;
  }

 private:
  enum class Kind { whole, fixed, moving };

  Index row() const { return sizes_[ndim_ - 1]; }

  // The dimensions of the result with each input's strides; neighbours along which every input
  // does the same become one.
  void merge(const Call& call, const Tensor& out) {
    Index sizes[kMaxDim], steps[kMostInputs], counts[kMostInputs];
    bool varies[kMostInputs];
    std::fill_n(counts, call.n_in, 1);
    int count = 0;
    for (int k = 0; k < out.ndim; ++k) {  // from the right
      const Index n = out.shape[out.ndim - 1 - k];
      if (n == 1) continue;
      bool alike = count > 0;
      for (int i = 0; i < call.n_in; ++i) {
        const Tensor& in = call.in[i];
        varies[i] = k < in.ndim && in.shape[in.ndim - 1 - k] != 1;
        steps[i] = varies[i] ? counts[i] : 0;
        if (varies[i]) counts[i] *= n;
        alike = alike && varies[i] == (strides_[i][count - 1] != 0);
      }
      if (alike) {
        sizes[count - 1] *= n;
        continue;
      }
      for (int i = 0; i < call.n_in; ++i) strides_[i][count] = steps[i];
      sizes[count++] = n;
    }
    if (count == 0) {
      sizes[count++] = 1;
      for (int i = 0; i < call.n_in; ++i) strides_[i][0] = 0;
    }
    ndim_ = count;
    std::reverse_copy(sizes, sizes + count, sizes_);
    for (int i = 0; i < call.n_in; ++i) std::reverse(strides_[i], strides_[i] + count);
  }

  void classify(int input, Index size) {
    const Index* strides = strides_[input];
    Index inner = 1;  // elements of the dimensions from the outermost that the input varies in
    int first = 0;
    while (first < ndim_ && strides[first] == 0) ++first;
    for (int d = first; d < ndim_; ++d) inner *= sizes_[d];
    const bool repeats = pieces_ == 0 ? inner <= period_ : first == ndim_;
    kinds_[input] = size == n_ ? Kind::whole : repeats ? Kind::fixed : Kind::moving;
  }

  // Where a row of the result begins in an input, in elements.
  Index offset(const Index* strides, Index row) const {
    Index at = 0;
    for (int d = ndim_ - 2; d >= 0 && row > 0; --d) {
      at += row % sizes_[d] * strides[d];
      row /= sizes_[d];
    }
    return at;
  }

  static void repeat(const char* from, Index item, char* to, Index count) {
    const auto spread = [&](auto value) {
      std::memcpy(&value, from, sizeof value);
      std::fill_n(reinterpret_cast<decltype(value)*>(to), count, value);
    };
    switch (item) {
      case 8:
        return spread(std::uint64_t{});
      case 4:
        return spread(std::uint32_t{});
      case 2:
        return spread(std::uint16_t{});
      default:
        return spread(std::uint8_t{});
    }
  }

  Index n_, count_ = 0, length_ = 0, period_ = 1;
  Index pieces_ = 0;  // of a row that is longer than a block; 0: blocks hold whole rows
  int ndim_ = 0;
  Index sizes_[kMaxDim];
  Index strides_[kMostInputs][kMaxDim];  // in elements; 0 where the input does not vary
  Kind kinds_[kMostInputs];
};

}  // namespace baryon::BARYON_ISA
