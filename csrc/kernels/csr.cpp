// Products of sparse matrices by rows (csr) with dense ones.
#include <algorithm>
#include <stdexcept>

#include "loops.h"

namespace baryon::BARYON_ISA {
namespace {

constexpr Index kWork = 1 << 15;  // multiply-adds below which another thread does not pay

// Parameters: none. Inputs: values (nnz), columns or slots (nnz), row bounds (rows + 1), matrix
// (n, k). Output: (m, k).
bool accepts(const Call& call) {
  if (call.n_in != 4 || call.n_out != 1 || call.n_params != 0) return false;
  const Tensor &values = call.in[0], &columns = call.in[1], &bounds = call.in[2];
  const Tensor &matrix = call.in[3], &out = call.out[0];
  if (values.dtype != DType::f32 && values.dtype != DType::f64) return false;
  return matrix.dtype == values.dtype && out.dtype == values.dtype && columns.dtype == DType::i64 &&
         bounds.dtype == DType::i64 && values.ndim == 1 && columns.ndim == 1 && bounds.ndim == 1 &&
         matrix.ndim == 2 && out.ndim == 2 && columns.shape[0] == values.shape[0] &&
         bounds.shape[0] >= 1 && matrix.shape[1] == out.shape[1];
}

bool accepts_product(const Call& call) {
  return accepts(call) && call.in[2].shape[0] == call.out[0].shape[0] + 1;
}

bool accepts_transposed(const Call& call) {
  return accepts(call) && call.in[2].shape[0] == call.in[3].shape[0] + 1;
}

// Positions come from users' arrays: nothing may point outside.
void check(const Call& call, Index limit) {
  const Index count = call.in[0].shape[0], rows = call.in[2].shape[0] - 1;
  const auto *columns = call.in[1].as<const Index>(), *bounds = call.in[2].as<const Index>();
  for (Index p = 0; p < count; ++p)
    if (columns[p] < 0 || columns[p] >= limit) {
      throw std::out_of_range("csr: an index lies outside the matrix");
    }
  for (Index r = 0; r < rows; ++r)
    if (bounds[r] < 0 || bounds[r] > bounds[r + 1]) {
      throw std::out_of_range("csr: indptr must not fall");
    }
  if (bounds[0] != 0 || bounds[rows] > count) {
    throw std::out_of_range("csr: indptr does not fit the indices");
  }
}

// to[0:k] += value * from[0:k]
template <class T>
inline void add_scaled(T* to, T value, const T* from, Index k) {
  for (Index j = 0; j < k; ++j) to[j] += value * from[j];
}

Index rows_a_chunk(Index rows, Index count, Index k) {
  const Index work = std::max<Index>(1, count * k / std::max<Index>(rows, 1));
  return kWork / work + 1;
}

template <class T>
void product_of(const Call& call) {
  const Index k = call.out[0].shape[1], rows = call.out[0].shape[0];
  const T *values = call.in[0].as<const T>(), *matrix = call.in[3].as<const T>();
  const auto *columns = call.in[1].as<const Index>(), *bounds = call.in[2].as<const Index>();
  T* out = call.out[0].as<T>();
  parallel_for(rows, rows_a_chunk(rows, call.in[0].shape[0], k), [=](Index begin, Index end) {
    for (Index r = begin; r < end; ++r) {
      T* to = out + r * k;
      std::fill(to, to + k, T(0));
      for (Index p = bounds[r]; p < bounds[r + 1]; ++p)
        add_scaled(to, values[p], matrix + columns[p] * k, k);
    }
  });
}

void product(const Call& call) {
  check(call, call.in[3].shape[0]);
  call.out[0].dtype == DType::f32 ? product_of<float>(call) : product_of<double>(call);
}

// Each row of the result gathers its elements in the order of the matrix's rows: sums do not depend
// on the number of threads.
template <class T>
void transposed_of(const Call& call) {
  const Index k = call.out[0].shape[1], slots = call.out[0].shape[0];
  const Index rows = call.in[3].shape[0], count = call.in[0].shape[0];
  const T *values = call.in[0].as<const T>(), *matrix = call.in[3].as<const T>();
  const auto *slot = call.in[1].as<const Index>(), *bounds = call.in[2].as<const Index>();
  T* out = call.out[0].as<T>();
  Scratch<Index> first(slots + 1), element(count), row(count);
  Index *starts = first.get(), *elements = element.get(), *owners = row.get();
  std::fill(starts, starts + slots + 1, 0);
  for (Index p = 0; p < bounds[rows]; ++p) ++starts[slot[p] + 1];
  for (Index s = 0; s < slots; ++s) starts[s + 1] += starts[s];
  for (Index r = 0; r < rows; ++r)
    for (Index p = bounds[r]; p < bounds[r + 1]; ++p) {
      const Index at = starts[slot[p]]++;
      elements[at] = p;
      owners[at] = r;
    }
  // starts[s] is now where slot s ends.
  parallel_for(slots, rows_a_chunk(slots, count, k), [=](Index begin, Index end) {
    for (Index s = begin; s < end; ++s) {
      T* to = out + s * k;
      std::fill(to, to + k, T(0));
      for (Index q = s == 0 ? 0 : starts[s - 1]; q < starts[s]; ++q)
        add_scaled(to, values[elements[q]], matrix + owners[q] * k, k);
    }
  });
}

void transposed(const Call& call) {
  check(call, call.out[0].shape[0]);
  call.out[0].dtype == DType::f32 ? transposed_of<float>(call) : transposed_of<double>(call);
}

}  // namespace
}  // namespace baryon::BARYON_ISA

BARYON_REGISTER(csr) {
  using namespace baryon::BARYON_ISA;
  add("_csr_product", product, accepts_product);
  add("_csr_transposed_product", transposed, accepts_transposed);
}
