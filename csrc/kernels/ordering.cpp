// Sorting, ranking and selecting along the middle axis of (outer, length, inner). The order is
// stable and NaN counts as larger than every number.
#include "move.h"

namespace baryon::BARYON_ISA {
namespace {

template <class T>
struct Item {
  T value;
  std::int32_t index;
};

template <class T>
struct Ascending {
  bool operator()(const Item<T>& a, const Item<T>& b) const {
    if (a.value < b.value) return true;
    if (b.value < a.value) return false;
    const bool a_nan = a.value != a.value, b_nan = b.value != b.value;
    return a_nan == b_nan ? a.index < b.index : b_nan;
  }
};

template <class T>
struct Descending {
  bool operator()(const Item<T>& a, const Item<T>& b) const {
    if (a.value > b.value) return true;
    if (b.value > a.value) return false;
    const bool a_nan = a.value != a.value, b_nan = b.value != b.value;
    return a_nan == b_nan ? a.index < b.index : a_nan;
  }
};

// The first k of n items in order.
template <class T, class Less>
void select(Item<T>* items, std::int64_t n, std::int64_t k, const Less& less) {
  if (k * 8 < n) {
    std::partial_sort(items, items + k, items + n, less);
  } else {
    if (k < n) std::nth_element(items, items + k, items + n, less);
    std::sort(items, items + k, less);
  }
}

struct Runs {
  std::int64_t outer, length, inner, k;
  bool ascending;
};

// Parameters: outer, length, inner, ascending, k.
bool read_runs(const Call& call, Runs* r) {
  if (call.n_params < 5) return false;
  for (int i = 0; i < 5; ++i)
    if (!is_integer(call.params[i], 0, 0x1p53)) return false;
  *r = {integer(call.params[0]), integer(call.params[1]), integer(call.params[2]),
        integer(call.params[4]), call.params[3] != 0};
  return r->outer * r->length * r->inner == call.in[0].size() && r->k <= r->length &&
         r->length < (std::int64_t{1} << 31);
}

// Calls body(run's first element, position of its first result, sorted items) for every run.
template <class T, class Body>
void ordered(const Tensor& in, const Runs& r, const Body& body) {
  const T* data = in.as<const T>();
  const std::int64_t runs = in.size() == 0 ? 0 : r.outer * r.inner;
  parallel_for(runs, 4096 / (r.length + 1) + 1, [&](std::int64_t begin, std::int64_t end) {
    Scratch<Item<T>> scratch(r.length);
    Item<T>* items = scratch.get();
    for (std::int64_t run = begin; run < end; ++run) {
      const std::int64_t o = run / r.inner, i = run % r.inner;
      const T* from = data + o * r.length * r.inner + i;
      for (std::int64_t j = 0; j < r.length; ++j)
        items[j] = {from[j * r.inner], static_cast<std::int32_t>(j)};
      if (r.ascending) {
        select(items, r.length, r.k, Ascending<T>());
      } else {
        select(items, r.length, r.k, Descending<T>());
      }
      body(o * r.length * r.inner + i, o * r.k * r.inner + i, items);
    }
  });
}

template <class Body>
void by_value(DType dtype, const Body& body) {
  switch (dtype) {
    case DType::f32:
      return body(float{});
    case DType::f64:
      return body(double{});
    case DType::i32:
      return body(std::int32_t{});
    case DType::i64:
      return body(std::int64_t{});
    case DType::i8:
      return body(std::int8_t{});
    default:
      return body(std::uint8_t{});
  }
}

// Calls body(pointer) with the tensor's data, which is_index allows, in its own type.
template <class Body>
void by_output(const Tensor& t, const Body& body) {
  by_value(t.dtype, [&](auto kind) { body(t.as<decltype(kind)>()); });
}

// ---- argsort and topk of indices ----------------------------------------------------------------

bool accepts_indices(const Call& call) {
  Runs r;
  return call.n_in == 1 && call.n_out == 1 && is_index(call.in[0].dtype) &&
         is_index(call.out[0].dtype) && read_runs(call, &r) &&
         call.out[0].size() == r.outer * r.k * r.inner;
}

// The places of the first k items. (Output types are told apart run by run: sorting is compiled
// once for each type of values.)
template <class T>
void write_indices(const Tensor& out, const Runs& r, std::int64_t at, const Item<T>* items) {
  by_output(out, [&](auto* to) {
    using I = std::remove_pointer_t<decltype(to)>;
    for (std::int64_t j = 0; j < r.k; ++j) to[at + j * r.inner] = static_cast<I>(items[j].index);
  });
}

void indices(const Call& call) {
  Runs r;
  read_runs(call, &r);
  by_value(call.in[0].dtype, [&](auto kind) {
    using T = decltype(kind);
    ordered<T>(call.in[0], r, [&](std::int64_t, std::int64_t at, const Item<T>* items) {
      write_indices(call.out[0], r, at, items);
    });
  });
}

// ---- topk: one output is indices or, with a sixth parameter set, a mask; two are values, indices
// --

bool is_mask(const Call& call) { return call.n_params == 6 && call.params[5] != 0; }

bool accepts_topk(const Call& call) {
  Runs r;
  if (call.n_in != 1 || call.n_out < 1 || call.n_out > 2 || !read_runs(call, &r)) return false;
  if (is_mask(call))
    return call.n_out == 1 && is_index(call.in[0].dtype) && call.out[0].dtype == call.in[0].dtype &&
           call.out[0].size() == call.in[0].size();
  if (call.n_out == 1) return accepts_indices(call);
  const std::int64_t size = r.outer * r.k * r.inner;
  return is_index(call.in[0].dtype) && call.out[0].dtype == call.in[0].dtype &&
         is_index(call.out[1].dtype) && call.out[0].size() == size && call.out[1].size() == size;
}

void mask(const Call& call, const Runs& r) {
  fill(call.out[0], 0);
  by_value(call.in[0].dtype, [&](auto kind) {
    using T = decltype(kind);
    T* to = call.out[0].as<T>();
    ordered<T>(call.in[0], r, [=](std::int64_t run, std::int64_t, const Item<T>* items) {
      for (std::int64_t j = 0; j < r.k; ++j) to[run + items[j].index * r.inner] = T(1);
    });
  });
}

void values_and_indices(const Call& call, const Runs& r) {
  by_value(call.in[0].dtype, [&](auto kind) {
    using T = decltype(kind);
    T* to = call.out[0].as<T>();
    ordered<T>(call.in[0], r, [&](std::int64_t, std::int64_t at, const Item<T>* items) {
      for (std::int64_t j = 0; j < r.k; ++j) to[at + j * r.inner] = items[j].value;
      write_indices(call.out[1], r, at, items);
    });
  });
}

void topk(const Call& call) {
  Runs r;
  read_runs(call, &r);
  if (is_mask(call)) return mask(call, r);
  if (call.n_out == 1) return indices(call);
  values_and_indices(call, r);
}

// ---- _backward_topk: zeros but for values put at indices ----------------------------------------

// Parameters: outer, length, inner of the output.
bool accepts_put(const Call& call) {
  if (call.n_in != 2 || call.n_out != 1 || call.n_params != 3) return false;
  for (int i = 0; i < 3; ++i)
    if (!is_integer(call.params[i], 0, 0x1p53)) return false;
  const std::int64_t outer = integer(call.params[0]), inner = integer(call.params[2]);
  return call.in[0].dtype == call.out[0].dtype && is_index(call.in[1].dtype) &&
         call.in[0].size() == call.in[1].size() &&
         outer * integer(call.params[1]) * inner == call.out[0].size() &&
         (call.out[0].size() == 0 || call.in[0].size() % (outer * inner) == 0);
}

void put(const Call& call) {
  const std::int64_t outer = integer(call.params[0]), length = integer(call.params[1]),
                     inner = integer(call.params[2]);
  fill(call.out[0], 0);
  if (call.out[0].size() == 0) return;
  const std::int64_t k = call.in[0].size() / (outer * inner);
  by_size(call.out[0].dtype, [&](auto kind) {
    using T = decltype(kind);
    const T* from = call.in[0].as<const T>();
    T* to = call.out[0].as<T>();
    by_index(call.in[1], [&](const auto* index) {
      parallel_for(outer, (1 << 13) / (k * inner + 1) + 1,
                   [=](std::int64_t begin, std::int64_t end) {
                     for (std::int64_t at = begin * k * inner; at < end * k * inner; ++at) {
                       const std::int64_t o = at / (k * inner), i = at % inner;
                       const std::int64_t j = to_index(index[at]);
                       if (j >= 0 && j < length) to[(o * length + j) * inner + i] = from[at];
                     }
                   });
    });
  });
}

}  // namespace
}  // namespace baryon::BARYON_ISA

BARYON_REGISTER(ordering) {
  using namespace baryon::BARYON_ISA;
  add("argsort", indices, accepts_indices);
  add("topk", topk, accepts_topk);
  add("_backward_topk", put, accepts_put);
}
