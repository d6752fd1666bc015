// Convolution as a matrix product whose right operand is packed from the images as it is needed.
//
// The forward pass is one such product. So is the gradient by data, for each place of the input
// within a stride: of all taps, those reach it that have the right remainder.
#pragma once

#include <vector>

#include "../parallel.h"
#include "conv_shape.h"
#include "tile.h"

namespace baryon::BARYON_ISA {

// Where results go: grid place p of row m of an image goes to p * step + begin of channel m.
template <class T>
struct Target {
  T* data;
  Int image, channel;
  Int3 size, step, begin;

  bool dense(const Int3& grid) const { return size == grid && step == Int3{1, 1, 1}; }
};

// Element (m, c, t) of the left operand of group g, where t is the place of a tap in the kernel.
template <class T>
struct Weights {
  const T* data;
  Int group, row, channel;
};

template <class T>
struct ConvProduct {
  Int groups, rows, channels;  // rows of the result and channels of the images, both of one group
  std::vector<Int3> taps;
  std::vector<Int> tap_index;  // of each tap in the kernel
  Int batch;
  Int3 grid;
  Images<T> images;
  Weights<T> weights;
  const T* bias;  // one a row, or null
  Target<T> target;

  Int depth() const { return channels * static_cast<Int>(taps.size()); }
};

template <class T>
Images<T> images_of(const T* data, Int batch, Int channels, const Int3& size) {
  const Int plane = volume(size);
  return {data, data + batch * channels * plane, channels * plane, plane, size, {1, 1, 1}};
}

template <class T>
Target<T> target_of(T* data, Int channels, const Int3& size) {
  const Int plane = volume(size);
  return {data, channels * plane, plane, size, {1, 1, 1}, {0, 0, 0}};
}

// A product that reads every place once, in order, sees each image as one long row.
template <class T>
void flatten_pointwise(ConvProduct<T>& p) {
  if (p.taps.size() != 1 || p.taps[0] != Int3{0, 0, 0} || p.images.step != Int3{1, 1, 1}) return;
  if (p.images.size != p.grid || !p.target.dense(p.grid)) return;
  p.grid = p.images.size = p.target.size = {1, 1, volume(p.grid)};
}

template <class T>
class ConvRunner {
 public:
  explicit ConvRunner(const ConvProduct<T>& product)
      : p_(product),
        panels_(product.rows),
        columns_(product.batch * volume(product.grid)),
        dense_(product.target.dense(product.grid)),
        packed_(product.groups * packed_group() + kTileRows) {}

  void run() {
    if (columns_ == 0 || p_.rows == 0) return;
    parallel_for(p_.groups * panels_.count, 1 + 16384 / (1 + panels_.height * p_.depth()),
                 [&](Int begin, Int end) {
                   for (Int i = begin; i < end; ++i)
                     pack_panel(i / panels_.count, i % panels_.count);
                 });
    // Few columns: tasks share out the panels too, and each packs its columns for itself.
    const Int width = std::min(kBlockTiles, parts(columns_, kTileColumns<T>)) * kTileColumns<T>;
    const Int blocks = parts(columns_, width);
    const Int wanted = num_threads() * 4;
    const Int splits =
        std::clamp<Int>(parts(wanted, blocks * p_.groups), 1, parts(panels_.count, 2));
    parallel_for(p_.groups * blocks * splits, 1, [&](Int begin, Int end) {
      Task task(*this, width, parts(panels_.count, splits));
      for (Int i = begin; i < end; ++i) {
        const Int split = i % splits, block = i / splits % blocks, group = i / splits / blocks;
        task.run(group, block * width, panels_.count * split / splits,
                 panels_.count * (split + 1) / splits);
      }
    });
  }

 private:
  static constexpr Int kDepth = 384;     // products summed in registers
  static constexpr Int kBlockTiles = 6;  // tiles of columns that stay in the cache together

  Int packed_group() const { return panels_.count * panels_.height * p_.depth(); }

  void pack_panel(Int group, Int panel) {
    const Int rows = panels_.size(panel);
    T* to = packed_.get() + group * packed_group() + panel * panels_.height * p_.depth();
    const T* from =
        p_.weights.data + group * p_.weights.group + panels_.begin(panel) * p_.weights.row;
    for (const Int tap : p_.tap_index)
      for (Int c = 0; c < p_.channels; ++c)
        for (Int r = 0; r < rows; ++r)
          *to++ = from[r * p_.weights.row + c * p_.weights.channel + tap];
  }

  // One block of columns at a time, with the memory for it.
  class Task {
   public:
    Task(const ConvRunner& runner, Int width, Int panels)
        : r_(runner),
          p_(runner.p_),
          tiles_(width / kTileColumns<T>),
          images_(p_.images),
          columns_(std::min(p_.depth(), kDepth) * width + kLanes<T>),
          sums_(p_.depth() > kDepth ? (panels + 1) * tiles_ * kTileArea : 0),
          packers_(tiles_, Packer<T>(images_, p_.grid, p_.taps, p_.channels)) {}

    void run(Int group, Int first, Int panel_begin, Int panel_end) {
      images_.data = p_.images.data + group * p_.channels * p_.images.channel;
      const Int count = std::min(tiles_ * kTileColumns<T>, r_.columns_ - first);
      const Int tiles = parts(count, kTileColumns<T>);
      for (Int i = 0; i < tiles; ++i) {
        const Int at = i * kTileColumns<T>;
        packers_[i].columns(first + at, std::min<Int>(kTileColumns<T>, count - at));
      }
      Int from = 0;
      do {
        const Int to = std::min(p_.depth(), from + kDepth);
        for (Int i = 0; i < tiles; ++i)
          packers_[i].rows(from, to, columns_.get() + i * kTileColumns<T> * (to - from),
                           kTileColumns<T>);
        for (Int panel = panel_begin; panel < panel_end; ++panel)
          for (Int i = 0; i < tiles; ++i)
            multiply(group, panel, i, from, to,
                     sums_.get() + ((panel - panel_begin) * tiles_ + i) * kTileArea);
        from = to;
      } while (from < p_.depth());
    }

   private:
    static constexpr Int kTileArea = kTileRows * kTileColumns<T>;

    void multiply(Int group, Int panel, Int i, Int from, Int to, T* sums) {
      const Int rows = r_.panels_.size(panel), row = group * p_.rows + r_.panels_.begin(panel);
      const bool first = from == 0, last = to == p_.depth();
      Tile<T> tile{};
      tile.k = to - from;
      tile.a = r_.packed_.get() + group * r_.packed_group() +
               panel * r_.panels_.height * p_.depth() + from * rows;
      tile.b = columns_.get() + i * kTileColumns<T> * (to - from);
      tile.ldb = kTileColumns<T>;
      tile.bias = first && p_.bias != nullptr ? p_.bias + row : nullptr;
      tile.from = first ? nullptr : sums;
      tile.ld_from = kTileColumns<T>;
      const std::vector<Run>& runs = packers_[i].runs();
      const bool direct = last && is_direct(runs);
      alignas(kVectorBytes) T local[kTileArea];
      tile.c = direct ? place(runs[0], row) : last ? local : sums;
      tile.ldc = direct ? p_.target.channel : kTileColumns<T>;
      tile_of<T>(rows)(tile);
      if (last && !direct) scatter(runs, local, row, rows);
    }

    // Whether a whole tile of columns lies side by side in the target.
    bool is_direct(const std::vector<Run>& runs) const {
      const Run& end = runs.back();
      return r_.dense_ && end.column + end.length == kTileColumns<T> && runs[0].image == end.image;
    }

    T* place(const Run& run, Int row) const {
      const Target<T>& t = p_.target;
      const Int z = run.z * t.step[0] + t.begin[0], y = run.y * t.step[1] + t.begin[1];
      return t.data + run.image * t.image + row * t.channel + (z * t.size[1] + y) * t.size[2] +
             run.x * t.step[2] + t.begin[2];
    }

    void scatter(const std::vector<Run>& runs, const T* tile, Int row, Int rows) const {
      const Int step = p_.target.step[2];
      for (const Run& run : runs) {
        T* to = place(run, row);
        const T* from = tile + run.column;
        for (Int r = 0; r < rows; ++r, to += p_.target.channel, from += kTileColumns<T>) {
          if (step == 1) {
            for (Int i = 0; i < run.length; ++i) to[i] = from[i];
          } else {
            for (Int i = 0; i < run.length; ++i) to[i * step] = from[i];
          }
        }
      }
    }

    const ConvRunner& r_;
    const ConvProduct<T>& p_;
    Int tiles_;
    Images<T> images_;  // of the current group
    Scratch<T> columns_, sums_;
    std::vector<Packer<T>> packers_;
  };

  const ConvProduct<T>& p_;
  Panels panels_;
  Int columns_;
  bool dense_;
  Scratch<T> packed_;
};

}  // namespace baryon::BARYON_ISA
