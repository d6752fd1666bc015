// Positions of extremes along an axis.
#include <type_traits>

#include "loops.h"

namespace baryon::BARYON_ISA {
namespace {

constexpr Index kColumns = 256;

struct Greatest {
  template <class T>
  static bool better(T a, T b) {
    return a > b;
  }
};
struct Least {
  template <class T>
  static bool better(T a, T b) {
    return a < b;
  }
};

// Position of the best of n contiguous elements; the first NaN wins over everything.
template <class Order, class T>
Index along(const T* x, Index n) {
  constexpr int lanes = 32;
  T lane[lanes];
  for (int k = 0; k < lanes; ++k) lane[k] = x[0];
  Index i = 0;
  int nan = x[0] != x[0];
  for (; i + lanes <= n; i += lanes) {
    int here = 0;
    for (int k = 0; k < lanes; ++k) {
      const T v = x[i + k];
      lane[k] = Order::better(v, lane[k]) ? v : lane[k];
      here |= v != v;
    }
    nan |= here;
  }
  T best = lane[0];
  for (int k = 1; k < lanes; ++k) best = Order::better(lane[k], best) ? lane[k] : best;
  for (; i < n; ++i) {
    best = Order::better(x[i], best) ? x[i] : best;
    nan |= x[i] != x[i];
  }
  Index at = 0;
  if (nan) {
    while (x[at] == x[at]) ++at;
  } else {
    while (x[at] != best) ++at;
  }
  return at;
}

// Positions for `width` neighbouring columns, `stride` elements from row to row.
template <class Order, class T>
void across(const T* x, Index rows, Index stride, Index width, std::int32_t* found) {
  T best[kColumns];
  for (Index k = 0; k < width; ++k) {
    best[k] = x[k];
    found[k] = 0;
  }
  for (Index row = 1; row < rows; ++row) {
    const T* v = x + row * stride;
#pragma GCC ivdep
    for (Index k = 0; k < width; ++k) {
      const bool nan = v[k] != v[k] && best[k] == best[k];
      const bool wins = Order::better(v[k], best[k]) || nan;
      best[k] = wins ? v[k] : best[k];
      found[k] = wins ? static_cast<std::int32_t>(row) : found[k];
    }
  }
}

// The input as [outer, rows, inner] around params[0]; all of it when there are several params.
template <class Order, class T>
void search(const Call& call) {
  const Tensor& in = call.in[0];
  const bool flat = call.n_params != 1;
  const int axis = flat ? 0 : static_cast<int>(call.params[0]);
  Index outer = 1, inner = 1;
  if (!flat) {
    for (int i = 0; i < axis; ++i) outer *= in.shape[i];
    for (int i = axis + 1; i < in.ndim; ++i) inner *= in.shape[i];
  }
  const Index rows = flat ? in.size() : in.shape[axis];
  const T* x = in.as<T>();
  T* out = call.out[0].as<T>();
  if (inner == 1) {
    parallel_for(outer, std::max<Index>(1, kGrain / rows), [&](Index begin, Index end) {
      for (Index i = begin; i < end; ++i) out[i] = static_cast<T>(along<Order>(x + i * rows, rows));
    });
    return;
  }
  const Index tiles = (inner + kColumns - 1) / kColumns;
  const Index work = rows * std::min(inner, kColumns);
  parallel_for(outer * tiles, std::max<Index>(1, kGrain / work), [&](Index begin, Index end) {
    std::int32_t found[kColumns];
    for (Index t = begin; t < end; ++t) {
      const Index column = t % tiles * kColumns, width = std::min(kColumns, inner - column);
      across<Order>(x + t / tiles * rows * inner + column, rows, inner, width, found);
      T* to = out + t / tiles * inner + column;
      for (Index k = 0; k < width; ++k) to[k] = static_cast<T>(found[k]);
    }
  });
}

template <class Order>
void positions(const Call& call) {
  if (call.out[0].size() == 0) return;
  switch (call.in[0].dtype) {
    case DType::f64:
      return search<Order, double>(call);
    case DType::i32:
      return search<Order, std::int32_t>(call);
    case DType::i64:
      return search<Order, std::int64_t>(call);
    default:
      return search<Order, float>(call);
  }
}

// An empty axis is the body's to refuse; a row number must fit in 32 bits.
bool accepts(const Call& call) {
  if (!same_dtype<DType::f32, DType::f64, DType::i32, DType::i64>(call)) return false;
  if (call.out[0].size() > 0 && call.in[0].size() == 0) return false;
  for (int i = 0; i < call.in[0].ndim; ++i)
    if (call.in[0].shape[i] > 0x7fffffff) return false;
  return true;
}

}  // namespace
}  // namespace baryon::BARYON_ISA

BARYON_REGISTER(select) {
  using namespace baryon::BARYON_ISA;
  add("argmax", positions<Greatest>, accepts);
  add("argmin", positions<Least>, accepts);
}
