// Copies between a contiguous array and a strided view of another, in either direction.
//
// Three loops serve all cases: whole rows where the view's last axis is contiguous, blocks that are
// transposed where another axis of it is, and single elements elsewhere.
#pragma once

#include "transpose.h"

namespace baryon::BARYON_ISA {

// A view of an array's elements; the contiguous side has the same shape in row-major order.
struct View {
  int ndim = 0;
  std::int64_t offset = 0;
  std::int64_t shape[kMaxDim] = {};
  std::int64_t step[kMaxDim] = {};   // of the strided side
  std::int64_t dense[kMaxDim] = {};  // of the contiguous side

  std::int64_t count() const {
    std::int64_t n = 1;
    for (int i = 0; i < ndim; ++i) n *= shape[i];
    return n;
  }
};

// Reads (ndim, offset, shape..., steps...); false if these are not all the parameters.
inline bool read_view(const double* params, int n_params, View* view) {
  if (n_params < 2 || !is_integer(params[0], 0, kMaxDim)) return false;
  view->ndim = static_cast<int>(params[0]);
  if (n_params != 2 + 2 * view->ndim) return false;
  view->offset = integer(params[1]);
  std::int64_t dense = 1;
  for (int i = view->ndim - 1; i >= 0; --i) {
    if (!is_integer(params[2 + i], 0, 0x1p53)) return false;
    view->shape[i] = integer(params[2 + i]);
    view->step[i] = integer(params[2 + view->ndim + i]);
    view->dense[i] = dense;
    dense *= view->shape[i];
  }
  return true;
}

// Whether every element of the view lies within `size` elements.
inline bool within(const View& view, std::int64_t size) {
  if (view.count() == 0) return true;
  std::int64_t low = view.offset, high = view.offset;
  for (int i = 0; i < view.ndim; ++i)
    (view.step[i] < 0 ? low : high) += view.step[i] * (view.shape[i] - 1);
  return low >= 0 && high < size;
}

// The same elements with as few axes as will do.
inline View collapsed(const View& view) {
  View out;
  out.offset = view.offset;
  for (int i = 0; i < view.ndim; ++i) {
    if (view.shape[i] == 1) continue;
    const int last = out.ndim - 1;
    if (last >= 0 && out.step[last] == view.step[i] * view.shape[i]) {
      out.shape[last] *= view.shape[i];
      out.step[last] = view.step[i];
      out.dense[last] = view.dense[i];
    } else {
      out.shape[out.ndim] = view.shape[i];
      out.step[out.ndim] = view.step[i];
      out.dense[out.ndim++] = view.dense[i];
    }
  }
  if (out.ndim == 0) {
    out.ndim = 1;
    out.shape[0] = out.step[0] = out.dense[0] = 1;
  }
  return out;
}

// Walks the outer axes of a view in row-major order, keeping both sides' positions.
class Walk {
 public:
  Walk(const View& view, int ndim, std::int64_t at) : view_(view), ndim_(ndim) {
    strided = view.offset;
    for (int i = ndim - 1; i >= 0; --i) {
      index_[i] = at % view.shape[i];
      at /= view.shape[i];
      strided += index_[i] * view.step[i];
      dense += index_[i] * view.dense[i];
    }
  }
  void next() {
    for (int i = ndim_ - 1; i >= 0; --i) {
      strided += view_.step[i];
      dense += view_.dense[i];
      if (++index_[i] < view_.shape[i]) return;
      strided -= view_.step[i] * view_.shape[i];
      dense -= view_.dense[i] * view_.shape[i];
      index_[i] = 0;
    }
  }
  std::int64_t strided = 0;
  std::int64_t dense = 0;

 private:
  const View& view_;
  int ndim_;
  std::int64_t index_[kMaxDim] = {};
};

// n elements in reverse order, the first from `last`; past the caches, or not.
template <class T>
inline void reverse_row(T* to, const T* last, std::int64_t n, bool stream) {
  const auto turned = lanes<T, [](int k) { return kLanes<T> - 1 - k; }>();
  std::int64_t i = 0;
  if (stream)
    for (; i < n && !on_line(to + i); ++i) to[i] = last[-i];
  for (; i + kLanes<T> <= n; i += kLanes<T>) {
    const T* from = last - i - kLanes<T> + 1;
    const Vector<T> value = __builtin_shuffle(load(from), turned);
    if (stream) {
      fetch(reinterpret_cast<const char*>(from) - kAheadBytes);
      stream_vector(to + i, value);
    } else {
      store(to + i, value);
    }
  }
  for (; i < n; ++i) to[i] = last[-i];
}

// One row between the sides: kRead takes the strided one to the dense one. `next` is how
// far after this row the one lies that a streamed copy should fetch.
template <bool kRead, class T>
inline void move_row(T* dense, T* strided, std::int64_t step, std::int64_t n, bool stream,
                     std::int64_t next) {
  if (step == 1) {
    T *to = kRead ? dense : strided, *from = kRead ? strided : dense;
    if (!stream) return copy_run(to, from, n);
    stream_run(to, from, n * static_cast<std::int64_t>(sizeof(T)), from + next);
  } else if (kRead && step == 0) {
    std::fill(dense, dense + n, *strided);
  } else if (step == -1) {
    kRead ? reverse_row(dense, strided, n, stream)
          : reverse_row(strided - n + 1, dense + n - 1, n, stream);
  } else {
    for (std::int64_t i = 0; i < n; ++i) {
      if constexpr (kRead) {
        dense[i] = strided[i * step];
      } else {
        strided[i * step] = dense[i];
      }
    }
  }
}

template <bool kRead, class T>
void move_rows(const View& view, T* dense, T* strided) {
  constexpr std::int64_t kSize = sizeof(T);
  const int outer = view.ndim - 1;
  const std::int64_t n = view.shape[outer], step = view.step[outer], rows = view.count() / n;
  const bool stream = rows * n * kSize >= kStreamBytes && n * kSize >= kStreamRow;
  if (outer == 0) {  // one row: cut it
    parallel_for(n, kChunkBytes / kSize, [&](std::int64_t begin, std::int64_t end) {
      move_row<kRead>(dense + begin, strided + view.offset + begin * step, step, end - begin,
                      stream, end - begin);
      if (stream) stream_end();
    });
    return;
  }
  const std::int64_t next = (kAheadBytes + n * kSize - 1) / (n * kSize) *
                            (kRead ? view.step[outer - 1] : view.dense[outer - 1]);
  parallel_for(rows, kChunkBytes / (n * kSize) + 1, [&](std::int64_t begin, std::int64_t end) {
    Walk walk(view, outer, begin);
    for (std::int64_t i = begin; i < end; ++i, walk.next())
      move_row<kRead>(dense + walk.dense, strided + walk.strided, step, n, stream, next);
    if (stream) stream_end();
  });
}

// The extents of a block: `line` along the result's contiguous axis, `run` along the source's.
struct Block {
  std::int64_t line, run;
};

inline Block block_of(std::int64_t line_axis, std::int64_t run_axis, bool stream) {
  if (stream) {
    const std::int64_t run = std::min<std::int64_t>(1024, run_axis);
    return {std::min(std::max<std::int64_t>(64, 16384 / run), line_axis), run};
  }
  const std::int64_t line = std::max<std::int64_t>(32, 4096 / run_axis);
  const std::int64_t run = std::max<std::int64_t>(128, 4096 / line_axis);
  return {std::min(line, line_axis), std::min(run, run_axis)};
}

// Blocks over the view's last axis (n) and its contiguous axis `inner` (m).
template <bool kRead, class T>
void move_blocks(View view, int inner, T* dense, T* strided) {
  const int last = view.ndim - 1;
  const std::int64_t m = view.shape[inner], n = view.shape[last], count = view.count();
  const std::int64_t dense_step = view.dense[inner], strided_step = view.step[last];
  for (int i = inner; i < last - 1; ++i) {  // the other axes, in order, go in front
    view.shape[i] = view.shape[i + 1];
    view.step[i] = view.step[i + 1];
    view.dense[i] = view.dense[i + 1];
  }
  const std::int64_t outer = count / (m * n);
  // Sooner than elsewhere: rows that lie far apart share few sets of a cache.
  bool stream = kRead && m >= 8 && lines_align(dense, dense_step) &&
                count * static_cast<std::int64_t>(sizeof(T)) >= kStreamBytes / 2;
  for (int i = 0; i < last - 1; ++i) stream = stream && lines_align(dense, view.dense[i]);
  const bool merge = kRead && n == dense_step && n < kLine<T> &&
                     count * static_cast<std::int64_t>(sizeof(T)) >= kStreamBytes;
  const Block block = kRead ? block_of(n, m, stream) : block_of(m, n, false);
  const std::int64_t high = kRead ? block.run : block.line, wide = kRead ? block.line : block.run;
  const std::int64_t down = (m + high - 1) / high, across = (n + wide - 1) / wide;
  const std::int64_t bytes = high * wide * static_cast<std::int64_t>(sizeof(T));
  parallel_for(outer * down * across, kChunkBytes / bytes + 1,
               [&](std::int64_t begin, std::int64_t end) {
                 Walk walk(view, last - 1, begin / (down * across));
                 std::int64_t k = begin % (down * across);
                 for (std::int64_t left = end - begin; left > 0; --left) {
                   const std::int64_t i = k % down * high, j = k / down * wide;
                   const std::int64_t rows = std::min(high, m - i), columns = std::min(wide, n - j);
                   T* a = dense + walk.dense + i * dense_step + j;
                   T* b = strided + walk.strided + j * strided_step + i;
                   if (!kRead) {
                     transpose_block(b, strided_step, a, dense_step, columns, rows);
                   } else if (merge) {
                     merge_streamed(a, b, strided_step, rows, columns);
                   } else if (stream) {
                     transpose_streamed(a, dense_step, b, strided_step, rows, columns);
                   } else {
                     transpose_block(a, dense_step, b, strided_step, rows, columns);
                   }
                   if (++k == down * across) {
                     k = 0;
                     walk.next();
                   }
                 }
               });
}

// Moves all elements of the view between the two sides. The view has to lie within `strided`.
template <bool kRead, class T>
void move_view(const View& given, T* dense, T* strided) {
  if (given.count() == 0) return;
  const View view = collapsed(given);
  const int last = view.ndim - 1;
  const bool row = view.step[last] == 1 || (view.step[last] == 0 && view.shape[last] >= 16);
  for (int i = last - 1; i >= 0 && !row; --i)
    if (view.step[i] == 1) return move_blocks<kRead>(view, i, dense, strided);
  move_rows<kRead>(view, dense, strided);
}

}  // namespace baryon::BARYON_ISA
