// Reading rows, elements and coordinates by index, writing and adding to them. Sums run in the
// order of the indices, whatever the number of threads.
#include <atomic>
#include <stdexcept>
#include <string>

#include "move.h"

namespace baryon::BARYON_ISA {
namespace {

// An array as (outer, rows, inner), of which an operator reads rows.
struct Rows {
  int mode;
  std::int64_t outer, rows, inner;
};

Rows rows_of(const Call& call) {
  return {static_cast<int>(call.params[0]), integer(call.params[1]), integer(call.params[2]),
          integer(call.params[3])};
}

bool accepts_rows(const Call& call, const Tensor& array, const Tensor& index) {
  if (call.n_params != 4 || !is_integer(call.params[0], kClip, kWrap) || !is_index(index.dtype))
    return false;
  for (int i = 1; i < 4; ++i)
    if (!is_integer(call.params[i], 0, 0x1p53)) return false;
  const Rows r = rows_of(call);
  return r.outer * r.rows * r.inner == array.size() && (r.rows > 0 || index.size() == 0);
}

// ---- take, Embedding ----------------------------------------------------------------------------

// to[o, i, :] = from[o, index[i], :]
template <class T>
void gather(const T* from, const std::int64_t* index, std::int64_t count, const Rows& r, T* to) {
  const std::int64_t bytes = r.inner * static_cast<std::int64_t>(sizeof(T));
  parallel_for(r.outer * count, kChunkBytes / (bytes + 1) + 1,
               [=](std::int64_t begin, std::int64_t end) {
                 std::int64_t i = begin % count;
                 const T* base = from + begin / count * r.rows * r.inner;
                 for (std::int64_t k = begin; k < end; ++k) {
                   copy_run(to + k * r.inner, base + index[i] * r.inner, r.inner);
                   if (++i == count) {
                     i = 0;
                     base += r.rows * r.inner;
                   }
                 }
               });
}

bool accepts_gather(const Call& call, const Tensor& array, const Tensor& index) {
  const Tensor& out = call.out[0];
  return array.dtype == out.dtype && accepts_rows(call, array, index) &&
         rows_of(call).outer * index.size() * rows_of(call).inner == out.size();
}

void run_gather(const Call& call, const Tensor& array, const Tensor& index) {
  const Rows r = rows_of(call);
  const std::int64_t count = index.size();
  if (call.out[0].size() == 0) return;
  Scratch<std::int64_t> at(count);
  load_indices(index, at.get(), r.mode, r.rows);
  by_size(array.dtype, [&](auto kind) {
    using T = decltype(kind);
    gather(array.as<const T>(), at.get(), count, r, call.out[0].as<T>());
  });
}

bool accepts_take(const Call& call) {
  return call.n_in == 2 && call.n_out == 1 && accepts_gather(call, call.in[0], call.in[1]);
}

void take(const Call& call) { run_gather(call, call.in[0], call.in[1]); }

bool accepts_embedding(const Call& call) {
  return call.n_in == 2 && call.n_out == 1 && accepts_gather(call, call.in[1], call.in[0]);
}

void embedding(const Call& call) { run_gather(call, call.in[1], call.in[0]); }

// ---- sums into rows -----------------------------------------------------------------------------

// The positions of equal indices, in order: those of row r are order[start[r]] ..
// order[start[r+1]].
void group(const std::int64_t* index, std::int64_t count, std::int64_t rows, std::int64_t* start,
           std::int64_t* order) {
  std::fill(start, start + rows + 1, 0);
  for (std::int64_t i = 0; i < count; ++i) ++start[index[i] + 1];
  for (std::int64_t r = 0; r < rows; ++r) start[r + 1] += start[r];
  for (std::int64_t i = 0; i < count; ++i) order[start[index[i]]++] = i;
  for (std::int64_t r = rows; r > 0; --r) start[r] = start[r - 1];
  start[0] = 0;
}

template <class T>
inline void add_row(T* to, const T* from, std::int64_t n) {
  for (std::int64_t j = 0; j < n; ++j) to[j] += from[j];
}

// Rows of 16-bit floats are summed in float, a strip at a time.
template <class H>
void sum_rows(H* to, const H* from, const std::int64_t* order, std::int64_t terms, std::int64_t n) {
  constexpr std::int64_t kStrip = 256;
  float sum[kStrip];
  for (std::int64_t j = 0; j < n; j += kStrip) {
    const std::int64_t width = std::min(kStrip, n - j);
    std::fill(sum, sum + width, 0.0f);
    for (std::int64_t k = 0; k < terms; ++k)
      for (std::int64_t i = 0; i < width; ++i) sum[i] += to_float(from[order[k] * n + j + i]);
    for (std::int64_t i = 0; i < width; ++i) from_float(sum[i], to[j + i]);
  }
}

template <class T>
void sum_rows_exactly(T* to, const T* from, const std::int64_t* order, std::int64_t terms,
                      std::int64_t n) {
  if (terms == 0) {
    std::memset(to, 0, static_cast<std::size_t>(n) * sizeof(T));
    return;
  }
  copy_run(to, from + order[0] * n, n);
  for (std::int64_t k = 1; k < terms; ++k) add_row(to, from + order[k] * n, n);
}

template <>
void sum_rows(float* to, const float* from, const std::int64_t* order, std::int64_t terms,
              std::int64_t n) {
  sum_rows_exactly(to, from, order, terms, n);
}

template <>
void sum_rows(double* to, const double* from, const std::int64_t* order, std::int64_t terms,
              std::int64_t n) {
  sum_rows_exactly(to, from, order, terms, n);
}

// to[o, r, :] = sum of from[o, i, :] over index[i] == r, in the order of i.
template <class T>
void scatter_sum(const T* from, const std::int64_t* index, std::int64_t count, const Rows& r,
                 T* to) {
  Scratch<std::int64_t> starts(r.rows + 1), orders(count);
  const std::int64_t *start = starts.get(), *order = orders.get();
  group(index, count, r.rows, starts.get(), orders.get());
  const std::int64_t bytes = r.inner * static_cast<std::int64_t>(sizeof(T));
  const std::int64_t work = bytes * (1 + count / (r.rows + 1));
  parallel_for(r.outer * r.rows, kChunkBytes / (work + 1) + 1,
               [=](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t k = begin; k < end; ++k) {
                   const std::int64_t row = k % r.rows;
                   sum_rows(to + k * r.inner, from + k / r.rows * count * r.inner,
                            order + start[row], start[row + 1] - start[row], r.inner);
                 }
               });
}

bool is_float(DType dtype) {
  return dtype == DType::f32 || dtype == DType::f64 || dtype == DType::f16 || dtype == DType::bf16;
}

void run_scatter_sum(const Tensor& from, const std::int64_t* index, std::int64_t count,
                     const Rows& r, const Tensor& to) {
  if (to.size() == 0) return;
  switch (to.dtype) {
    case DType::f32:
      return scatter_sum(from.as<const float>(), index, count, r, to.as<float>());
    case DType::f64:
      return scatter_sum(from.as<const double>(), index, count, r, to.as<double>());
    case DType::f16:
      return scatter_sum(from.as<const Half>(), index, count, r, to.as<Half>());
    default:
      return scatter_sum(from.as<const BFloat>(), index, count, r, to.as<BFloat>());
  }
}

bool accepts_take_gradient(const Call& call) {
  if (call.n_in != 2 || call.n_out != 1 || call.in[0].dtype != call.out[0].dtype) return false;
  return is_float(call.out[0].dtype) && accepts_rows(call, call.out[0], call.in[1]) &&
         rows_of(call).outer * call.in[1].size() * rows_of(call).inner == call.in[0].size();
}

void take_gradient(const Call& call) {
  const Rows r = rows_of(call);
  const std::int64_t count = call.in[1].size();
  Scratch<std::int64_t> at(count + 1);
  load_indices(call.in[1], at.get(), r.mode, std::max<std::int64_t>(r.rows, 1));
  run_scatter_sum(call.in[0], at.get(), count, r, call.out[0]);
}

// ---- pick ---------------------------------------------------------------------------------------

bool accepts_pick(const Call& call) {
  if (call.n_in != 2 || call.n_out != 1 || call.in[0].dtype != call.out[0].dtype) return false;
  return accepts_rows(call, call.in[0], call.in[1]) &&
         call.in[1].size() == rows_of(call).outer * rows_of(call).inner &&
         call.in[1].size() == call.out[0].size();
}

// Calls body(k, position in the array) for each of the (outer, inner) runs.
template <class Body>
void picked(const Tensor& index, const Rows& r, const Body& body) {
  by_index(index, [&](const auto* from) {
    parallel_for(index.size(), 1 << 13, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t k = begin; k < end; ++k) {
        std::int64_t at = to_index(from[k]);
        if (r.mode == kWrap) {
          at %= r.rows;
          at += at < 0 ? r.rows : 0;
        } else {
          at = std::min(std::max<std::int64_t>(at, 0), r.rows - 1);
        }
        const std::int64_t o = r.inner == 1 ? k : k / r.inner;
        const std::int64_t i = r.inner == 1 ? 0 : k % r.inner;
        body(k, (o * r.rows + at) * r.inner + i);
      }
    });
  });
}

void pick(const Call& call) {
  by_size(call.out[0].dtype, [&](auto kind) {
    using T = decltype(kind);
    const T* from = call.in[0].as<const T>();
    T* to = call.out[0].as<T>();
    picked(call.in[1], rows_of(call), [=](std::int64_t k, std::int64_t at) { to[k] = from[at]; });
  });
}

bool accepts_pick_gradient(const Call& call) {
  if (call.n_in != 2 || call.n_out != 1 || call.in[0].dtype != call.out[0].dtype) return false;
  return accepts_rows(call, call.out[0], call.in[1]) &&
         call.in[1].size() == rows_of(call).outer * rows_of(call).inner &&
         call.in[1].size() == call.in[0].size();
}

void pick_gradient(const Call& call) {
  fill(call.out[0], 0);
  by_size(call.out[0].dtype, [&](auto kind) {
    using T = decltype(kind);
    const T* from = call.in[0].as<const T>();
    T* to = call.out[0].as<T>();
    picked(call.in[1], rows_of(call), [=](std::int64_t k, std::int64_t at) { to[at] = from[k]; });
  });
}

// ---- one_hot ------------------------------------------------------------------------------------

bool accepts_one_hot(const Call& call) {
  if (call.n_in != 1 || call.n_out != 1 || call.n_params != 2 || !is_index(call.in[0].dtype))
    return false;
  const Tensor& out = call.out[0];
  return out.ndim > 0 && call.in[0].size() * out.shape[out.ndim - 1] == out.size();
}

void one_hot(const Call& call) {
  const Tensor& out = call.out[0];
  const std::int64_t depth = out.shape[out.ndim - 1];
  fill(out, call.params[1]);
  by_size(out.dtype, [&](auto kind) {
    using T = decltype(kind);
    T* to = out.as<T>();
    const T on = static_cast<T>(encode(call.params[0], out.dtype));
    by_index(call.in[0], [&](const auto* from) {
      parallel_for(call.in[0].size(), 1 << 13, [=](std::int64_t begin, std::int64_t end) {
        for (std::int64_t k = begin; k < end; ++k) {
          const std::int64_t at = to_index(from[k]);
          if (at >= 0 && at < depth) to[k * depth + at] = on;
        }
      });
    });
  });
}

// ---- coordinates --------------------------------------------------------------------------------

// indices is (depth, ...): coordinates in the first `depth` axes of `array`.
bool accepts_coordinates(const Tensor& array, const Tensor& indices, const Tensor& values) {
  if (!is_index(indices.dtype) || indices.ndim < 1 || array.dtype != values.dtype) return false;
  const std::int64_t depth = indices.shape[0];
  if (depth < 1 || depth > array.ndim) return false;
  std::int64_t inner = 1;
  for (int i = static_cast<int>(depth); i < array.ndim; ++i) inner *= array.shape[i];
  return indices.size() / depth * inner == values.size();
}

// The row of `array`, read as (1, rows, inner), that each coordinate names.
Rows linear(const Tensor& array, const Tensor& indices, std::int64_t* row) {
  const int depth = static_cast<int>(indices.shape[0]);
  const std::int64_t count = indices.size() / depth;
  Rows r{kClip, 1, 1, 1};
  for (int i = 0; i < array.ndim; ++i) (i < depth ? r.rows : r.inner) *= array.shape[i];
  std::atomic<bool> bad = false;
  by_index(indices, [&](const auto* from) {
    parallel_for(count, 1 << 13, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t k = begin; k < end; ++k) {
        std::int64_t at = 0;
        for (int i = 0; i < depth; ++i) {
          const std::int64_t index = to_index(from[i * count + k]), size = array.shape[i];
          if (index < -size || index >= size) bad.store(true, std::memory_order_relaxed);
          at = at * size + (index < 0 ? index + size : index);
        }
        row[k] = at;
      }
    });
    if (!bad) return;
    for (std::int64_t k = 0; k < indices.size(); ++k) {
      const std::int64_t index = to_index(from[k]), size = array.shape[k / count];
      if (index < -size || index >= size)
        throw std::out_of_range("index " + std::to_string(index) + " is out of bounds for axis " +
                                std::to_string(k / count) + " with size " + std::to_string(size));
    }
  });
  return r;
}

bool accepts_gather_nd(const Call& call) {
  return call.n_in == 2 && call.n_out == 1 &&
         accepts_coordinates(call.in[0], call.in[1], call.out[0]);
}

void gather_nd(const Call& call) {
  const std::int64_t count = call.in[1].size() / call.in[1].shape[0];
  Scratch<std::int64_t> row(count + 1);
  const Rows r = linear(call.in[0], call.in[1], row.get());
  if (call.out[0].size() == 0) return;
  by_size(call.out[0].dtype, [&](auto kind) {
    using T = decltype(kind);
    gather(call.in[0].as<const T>(), row.get(), count, r, call.out[0].as<T>());
  });
}

bool accepts_gather_nd_gradient(const Call& call) {
  return call.n_in == 2 && call.n_out == 1 && is_float(call.out[0].dtype) &&
         accepts_coordinates(call.out[0], call.in[1], call.in[0]);
}

void gather_nd_gradient(const Call& call) {
  const std::int64_t count = call.in[1].size() / call.in[1].shape[0];
  Scratch<std::int64_t> row(count + 1);
  const Rows r = linear(call.out[0], call.in[1], row.get());
  run_scatter_sum(call.in[0], row.get(), count, r, call.out[0]);
}

// scatter_nd(data, indices) writes into zeros, _scatter_set_nd(lhs, rhs, indices) into a copy.
bool accepts_scatter_nd(const Call& call) {
  if (call.n_in < 2 || call.n_in > 3 || call.n_out != 1) return false;
  if (call.n_in == 3 &&
      (call.in[0].dtype != call.out[0].dtype || call.in[0].size() != call.out[0].size()))
    return false;
  return accepts_coordinates(call.out[0], call.in[call.n_in - 1], call.in[call.n_in - 2]);
}

void scatter_nd(const Call& call) {
  const Tensor &indices = call.in[call.n_in - 1], &data = call.in[call.n_in - 2];
  const std::int64_t count = indices.size() / indices.shape[0];
  Scratch<std::int64_t> row(count + 1);
  const Rows r = linear(call.out[0], indices, row.get());
  if (call.n_in == 3) {
    copy(call.in[0], call.out[0]);
  } else {
    fill(call.out[0], 0);
  }
  by_size(data.dtype, [&](auto kind) {
    using T = decltype(kind);
    for (std::int64_t k = 0; k < count; ++k)  // in order: of repeated coordinates the last stays
      copy_run(call.out[0].as<T>() + row.get()[k] * r.inner, data.as<const T>() + k * r.inner,
               r.inner);
  });
}

}  // namespace
}  // namespace baryon::BARYON_ISA

BARYON_REGISTER(indexing) {
  using namespace baryon::BARYON_ISA;
  add("take", take, accepts_take);
  add("Embedding", embedding, accepts_embedding);
  add("_backward_take", take_gradient, accepts_take_gradient);
  add("pick", pick, accepts_pick);
  add("_backward_pick", pick_gradient, accepts_pick_gradient);
  add("one_hot", one_hot, accepts_one_hot);
  add("gather_nd", gather_nd, accepts_gather_nd);
  add("_backward_gather_nd", gather_nd_gradient, accepts_gather_nd_gradient);
  add("scatter_nd", scatter_nd, accepts_scatter_nd);
}
