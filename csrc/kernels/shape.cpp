// Permutations, slices, repetition and padding, most of them as copies of strided views.
#include "strided.h"

namespace baryon::BARYON_ISA {
namespace {

bool same_dtypes(const Call& call) {
  for (int i = 0; i < call.n_in; ++i)
    if (call.in[i].dtype != call.out[0].dtype) return false;
  return true;
}

// ---- _strided_read: out = view of in -----------------------------------------------------------

bool accepts_read(const Call& call) {
  View view;
  return call.n_in >= 1 && call.n_out == 1 && call.in[0].dtype == call.out[0].dtype &&
         read_view(call.params, call.n_params, &view) && view.count() == call.out[0].size() &&
         within(view, call.in[0].size());
}

void strided_read(const Call& call) {
  View view;
  read_view(call.params, call.n_params, &view);
  by_size(call.out[0].dtype, [&](auto kind) {
    using T = decltype(kind);
    move_view<true>(view, call.out[0].as<T>(), call.in[0].as<T>());
  });
}

// ---- _strided_write: out = the base (or a constant) but for a view, which is the last input
// ------

bool accepts_write(const Call& call) {
  View view;
  if (call.n_in < 1 || call.n_in > 2 || call.n_out != 1 || call.n_params < 1) return false;
  return same_dtypes(call) && read_view(call.params + 1, call.n_params - 1, &view) &&
         view.count() == call.in[call.n_in - 1].size() && within(view, call.out[0].size()) &&
         (call.n_in == 1 || call.in[0].size() == call.out[0].size());
}

void strided_write(const Call& call) {
  View view;
  read_view(call.params + 1, call.n_params - 1, &view);
  if (call.n_in == 2) {
    copy(call.in[0], call.out[0]);
  } else if (view.count() != call.out[0].size()) {
    fill(call.out[0], call.params[0]);
  }
  by_size(call.out[0].dtype, [&](auto kind) {
    using T = decltype(kind);
    move_view<false>(view, call.in[call.n_in - 1].as<T>(), call.out[0].as<T>());
  });
}

// ---- _strided_fill: out = in but for a view, which is a constant --------------------------------

bool accepts_fill(const Call& call) {
  View view;
  return call.n_in == 1 && call.n_out == 1 && call.n_params >= 1 && same_dtypes(call) &&
         read_view(call.params + 1, call.n_params - 1, &view) &&
         call.in[0].size() == call.out[0].size() && within(view, call.out[0].size());
}

void strided_fill(const Call& call) {
  View view;
  read_view(call.params + 1, call.n_params - 1, &view);
  copy(call.in[0], call.out[0]);
  if (view.count() == 0) return;
  view = collapsed(view);
  const int outer = view.ndim - 1;
  const std::int64_t n = view.shape[outer], step = view.step[outer];
  const std::uint64_t bits = encode(call.params[0], call.out[0].dtype);
  by_size(call.out[0].dtype, [&](auto kind) {
    using T = decltype(kind);
    T* to = call.out[0].as<T>();
    parallel_for(view.count() / n, kChunkBytes / n + 1, [&](std::int64_t begin, std::int64_t end) {
      Walk walk(view, outer, begin);
      for (std::int64_t i = begin; i < end; ++i, walk.next())
        for (std::int64_t j = 0; j < n; ++j) to[walk.strided + j * step] = static_cast<T>(bits);
    });
  });
}

// ---- Pad ----------------------------------------------------------------------------------------

enum PadMode { kConstant = 0, kEdge = 1, kReflect = 2 };

// Parameters: mode, [constant,] padding before each axis of `padded`, which holds `inner`.
bool accepts_pad_of(const Call& call, const Tensor& padded, const Tensor& inner, int first) {
  if (call.n_in != 1 || call.n_out != 1 || !same_dtypes(call)) return false;
  if (padded.ndim != inner.ndim || call.n_params != first + inner.ndim) return false;
  const int mode = static_cast<int>(call.params[0]);
  if (mode < kConstant || mode > kReflect) return false;
  for (int i = 0; i < inner.ndim; ++i) {
    const double before = call.params[first + i];
    if (!is_integer(before, 0, 0x1p40)) return false;
    const std::int64_t after = padded.shape[i] - inner.shape[i] - integer(before);
    const std::int64_t most = std::max(integer(before), after);
    if (after < 0 || (mode == kEdge && most > 0 && inner.shape[i] == 0)) return false;
    if (mode == kReflect && most >= std::max<std::int64_t>(inner.shape[i], 1)) return false;
  }
  return true;
}

bool accepts_pad(const Call& call) {
  return call.n_in == 1 && call.n_out == 1 && accepts_pad_of(call, call.out[0], call.in[0], 2);
}

// Where a padded position comes from in an axis of `size` elements.
inline std::int64_t source(std::int64_t at, std::int64_t size, int mode) {
  if (mode == kEdge) return std::min(std::max<std::int64_t>(at, 0), size - 1);
  if (at < 0) return -at;
  return at < size ? at : 2 * (size - 1) - at;
}

View middle(const Tensor& padded, const Tensor& inner, const double* before) {
  View view;
  view.ndim = inner.ndim;
  std::int64_t step = 1, dense = 1;
  for (int i = inner.ndim - 1; i >= 0; --i) {
    view.shape[i] = inner.shape[i];
    view.step[i] = step;
    view.dense[i] = dense;
    view.offset += integer(before[i]) * step;
    step *= padded.shape[i];
    dense *= inner.shape[i];
  }
  return view;
}

// Each row of the result reads one row of the input, found axis by axis.
template <class T>
void pad_mirrored(const Tensor& in, const Tensor& out, int mode, const double* before) {
  const int last = out.ndim - 1;
  const std::int64_t n = out.shape[last], size = in.shape[last], left = integer(before[last]);
  const std::int64_t rows = n == 0 ? 0 : out.size() / n;
  parallel_for(rows, kChunkBytes / (n * 4 + 1) + 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      std::int64_t rest = row, offset = 0, step = size;
      for (int i = last - 1; i >= 0; --i) {
        const std::int64_t at = rest % out.shape[i] - integer(before[i]);
        rest /= out.shape[i];
        offset += source(at, in.shape[i], mode) * step;
        step *= in.shape[i];
      }
      const T* from = in.as<T>() + offset;
      T* to = out.as<T>() + row * n;
      for (std::int64_t j = 0; j < left; ++j) to[j] = from[source(j - left, size, mode)];
      copy_run(to + left, from, size);
      for (std::int64_t j = left + size; j < n; ++j) to[j] = from[source(j - left, size, mode)];
    }
  });
}

void pad(const Call& call) {
  const Tensor &in = call.in[0], &out = call.out[0];
  const int mode = static_cast<int>(call.params[0]);
  const double* before = call.params + 2;
  by_size(out.dtype, [&](auto kind) {
    using T = decltype(kind);
    if (mode == kConstant || out.ndim == 0) {
      const View view = middle(out, in, before);
      if (view.count() != out.size()) fill(out, call.params[1]);
      move_view<false>(view, in.as<T>(), out.as<T>());
    } else {
      pad_mirrored<T>(in, out, mode, before);
    }
  });
}

// ---- _backward_Pad: every element collects what it was copied to --------------------------------

bool accepts_unpad(const Call& call) {
  const DType dtype = call.n_in == 1 ? call.in[0].dtype : DType::b8;
  return (dtype == DType::f32 || dtype == DType::f64) && call.n_out == 1 && call.in[0].ndim > 0 &&
         accepts_pad_of(call, call.in[0], call.out[0], 1) && call.params[0] >= 1;
}

// The leading axes whose padding is zero separate independent pieces; each is summed in order.
template <class T>
void unpad_as(const Call& call) {
  const Tensor &in = call.in[0], &out = call.out[0];
  const int mode = static_cast<int>(call.params[0]);
  const double* before = call.params + 1;
  int split = 0;
  std::int64_t pieces = 1;
  while (split < in.ndim - 1 && in.shape[split] == out.shape[split]) pieces *= in.shape[split++];
  if (pieces == 0) return;
  const std::int64_t from_size = in.size() / pieces, to_size = out.size() / pieces;
  const int last = in.ndim - 1;
  const std::int64_t n = in.shape[last], size = out.shape[last], left = integer(before[last]);
  const std::int64_t rows = n == 0 ? 0 : from_size / n;
  parallel_for(pieces, kChunkBytes / (from_size * 4 + 1) + 1,
               [&](std::int64_t begin, std::int64_t end) {
                 std::fill(out.as<T>() + begin * to_size, out.as<T>() + end * to_size, T(0));
                 for (std::int64_t k = begin * rows; k < end * rows; ++k) {
                   const std::int64_t piece = k / rows;
                   std::int64_t rest = k % rows, offset = 0, step = size;
                   for (int i = last - 1; i >= split; --i) {
                     const std::int64_t at = rest % in.shape[i] - integer(before[i]);
                     rest /= in.shape[i];
                     offset += source(at, out.shape[i], mode) * step;
                     step *= out.shape[i];
                   }
                   const T* from = in.as<T>() + k * n;
                   T* to = out.as<T>() + piece * to_size + offset;
                   for (std::int64_t j = 0; j < left; ++j)
                     to[source(j - left, size, mode)] += from[j];
                   for (std::int64_t j = 0; j < size; ++j) to[j] += from[left + j];
                   for (std::int64_t j = left + size; j < n; ++j)
                     to[source(j - left, size, mode)] += from[j];
                 }
               });
}

void unpad(const Call& call) {
  call.in[0].dtype == DType::f32 ? unpad_as<float>(call) : unpad_as<double>(call);
}

// ---- creation -----------------------------------------------------------------------------------

bool accepts_full(const Call& call) { return call.n_out == 1 && call.n_params == 1; }

void full(const Call& call) { fill(call.out[0], call.params[0]); }

bool accepts_eye(const Call& call) {
  return call.n_out == 1 && call.n_params == 1 && call.out[0].ndim == 2 &&
         is_integer(call.params[0], -0x1p53, 0x1p53);
}

void eye(const Call& call) {
  const Tensor& out = call.out[0];
  fill(out, 0);
  const std::int64_t k = integer(call.params[0]), columns = out.shape[1];
  by_size(out.dtype, [&](auto kind) {
    using T = decltype(kind);
    const T one = static_cast<T>(encode(1, out.dtype));
    for (std::int64_t i = std::max<std::int64_t>(0, -k); i < out.shape[0] && i + k < columns; ++i)
      out.as<T>()[i * columns + i + k] = one;
  });
}

// Parameters: start, step, how often each number is repeated.
bool accepts_arange(const Call& call) {
  if (call.n_out != 1 || call.n_params != 3 || !is_integer(call.params[2], 1, 0x1p53)) return false;
  const DType dtype = call.out[0].dtype;
  return dtype == DType::f32 || dtype == DType::f64 || dtype == DType::i32 || dtype == DType::i64;
}

template <class T>
void arange_as(const Call& call) {
  T* to = call.out[0].as<T>();
  const double start = call.params[0], step = call.params[1];
  const std::int64_t repeat = integer(call.params[2]);
  parallel_for(call.out[0].size(), 1 << 14, [=](std::int64_t begin, std::int64_t end) {
    const auto number = [=](std::int64_t k) {
      return static_cast<T>(start + step * static_cast<double>(k));
    };
    if (repeat == 1) {
#pragma GCC ivdep
      for (std::int64_t i = begin; i < end; ++i) to[i] = number(i);
    } else {
      for (std::int64_t i = begin; i < end; ++i) to[i] = number(i / repeat);
    }
  });
}

void arange(const Call& call) {
  switch (call.out[0].dtype) {
    case DType::f32:
      return arange_as<float>(call);
    case DType::f64:
      return arange_as<double>(call);
    case DType::i32:
      return arange_as<std::int32_t>(call);
    default:
      return arange_as<std::int64_t>(call);
  }
}

}  // namespace
}  // namespace baryon::BARYON_ISA

BARYON_REGISTER(shape) {
  using namespace baryon::BARYON_ISA;
  add("_strided_read", strided_read, accepts_read);
  add("_strided_write", strided_write, accepts_write);
  add("_strided_fill", strided_fill, accepts_fill);
  add("Pad", pad, accepts_pad);
  add("_backward_Pad", unpad, accepts_unpad);
  add("_full", full, accepts_full);
  add("_eye", eye, accepts_eye);
  add("_arange", arange, accepts_arange);
}
