// Softmax and log-softmax along one axis, forward and backward: a row at a time, so that the passes
// over it stay in cache, or a block of columns in two passes.
//
// params = {sizes before, at and after the axis, factor applied before exp}.

#include "exp_row.h"

namespace baryon::BARYON_ISA {
namespace {

struct Split {
  Index before, n, after;
  double scale;

  explicit Split(const Call& call)
      : before(static_cast<Index>(call.params[0])),
        n(static_cast<Index>(call.params[1])),
        after(static_cast<Index>(call.params[2])),
        scale(call.n_params > 3 ? call.params[3] : 1.0) {}

  Index size() const { return before * n * after; }
};

// ---- rows; `next` is what will be read after this one -------------------------------------------

template <class T>
void softmax_row(const T* x, T* y, Index n, T scale, const T* next) {
  const T factor = 1 / exp_row<true>(x, row_max(x, n, scale), y, n, scale, next);
  each_vector<T>(n, [&](Index i, auto count) {
    store_part(y + i, Vector<T>(load_part(y + i, count) * factor), count);
  });
}

template <class T>
void log_softmax_row(const T* x, T* y, Index n, T scale, const T* next) {
  const Vector<T> top = row_max(x, n, scale);
  const T shift = vm::log(exp_row<false>(x, top, y, n, scale, next));
  each_vector<T>(n, [&](Index i, auto count) {
    const Vector<T> below = load_part(x + i, count) * scale - top;
    store_part(y + i, Vector<T>(below - shift), count);
  });
}

template <class T>
void backward_softmax_row(const T* dy, const T* y, T* dx, Index n, T scale, const T* next_dy,
                          const T* next_y) {
  const T sum = total<T>(n, [&](Index i, auto count) {
    fetch(next_dy + i);
    fetch(next_y + i);
    return Vector<T>(load_part(dy + i, count) * load_part(y + i, count));
  });
  each_vector<T>(n, [&](Index i, auto count) {
    const Vector<T> centred = load_part(dy + i, count) - sum;
    store_part(dx + i, Vector<T>(load_part(y + i, count) * centred * scale), count);
  });
}

template <class T>
void backward_log_softmax_row(const T* dy, const T* y, T* dx, Index n, T scale, const T* next_dy,
                              const T* next_y) {
  const T sum = total<T>(n, [&](Index i, auto count) {
    fetch(next_dy + i);
    return load_part(dy + i, count);
  });
  each_vector<T>(n, [&](Index i, auto count) {
    fetch(next_y + i);
    const Vector<T> share = exp_below<T>(load_part(y + i, count)) * sum;
    store_part(dx + i, Vector<T>((load_part(dy + i, count) - share) * scale), count);
  });
}

// ---- columns; element (i, j) at i * stride + j --------------------------------------------------

constexpr Index kColumns = 512;       // that go together, at most
constexpr Index kRows = 8;            // that go together
constexpr Index kCached = 512 << 10;  // bytes that stay in the second cache from pass to pass

// The greatest number of each column, times scale, and the sum of e^(x scale - top): as rows come,
// what has been summed is taken down to the new greatest.
template <class T>
void top_and_sum(const T* x, T* tops, T* sums, Index n, Index stride, Index m, T scale) {
  std::fill_n(tops, m, std::numeric_limits<T>::lowest());  // which may be subtracted from -inf
  std::fill_n(sums, m, T(0));
  for (Index i = 0; i < n; i += kRows, x += kRows * stride) {
    const Index rows = std::min(kRows, n - i);
    each_vector<T>(m, [&](Index j, auto count) {
      Vector<T> value[kRows], top = load_part(tops + j, count), sum{};
      const Vector<T> before = top;
      for (Index k = 0; k < rows; ++k) {
        fetch(x + (k + kRows) * stride + j);
        value[k] = load_part(x + k * stride + j, count) * scale;
        top = larger<T>(value[k], top);
      }
      for (Index k = 0; k < rows; ++k) sum += exp_below<T>(value[k] - top);
      sum += load_part(sums + j, count) * exp_below<T>(before - top);
      store_part(tops + j, top, count);
      store_part(sums + j, sum, count);
    });
  }
}

template <class T>
inline void put(T* to, Vector<T> value, bool stream, Whole) {
  stream ? stream_vector(to, value) : store(to, value);
}
template <class T>
inline void put(T* to, Vector<T> value, bool, Index count) {
  store_part(to, value, count);
}

// Turns sums into what is subtracted, or multiplied with, in the end.
template <class T, bool log>
void finish_sums(T* sums, Index m) {
  for (Index j = 0; j < m; ++j) sums[j] = log ? vm::log(sums[j]) : 1 / sums[j];
}

template <class T, bool log>
void apply(const T* x, const T* top, const T* last, T* y, Index n, Index stride, Index m, T scale,
           bool stream) {
  for (Index i = 0; i < n; ++i, x += stride, y += stride)
    each_vector<T>(m, [&](Index j, auto count) {
      fetch(x + stride + j);
      const Vector<T> below = load_part(x + j, count) * scale - load_part(top + j, count);
      const Vector<T> end = load_part(last + j, count);
      put<T>(y + j, log ? below - end : exp_below<T>(below) * end, stream, count);
    });
}

template <class T, bool log>
void forward_columns(const T* x, T* y, Index n, Index stride, Index m, T scale, bool stream) {
  alignas(64) T top[kColumns], sum[kColumns];
  top_and_sum(x, top, sum, n, stride, m, scale);
  finish_sums<T, log>(sum, m);
  apply<T, log>(x, top, sum, y, n, stride, m, scale, stream);
}

// Whole rows, where columns are too long to stay in cache: parts of them are summed and joined.
template <class T, bool log>
void forward_tall(const T* x, T* y, Index n, Index m, T scale, bool stream) {
  constexpr Index kParts = 16;  // whatever the number of threads
  Scratch<T> room(2 * kParts * m);
  T *tops = room.get(), *sums = tops + kParts * m;
  parallel_for(kParts, 1, [&](Index begin, Index end) {
    for (Index p = begin; p < end; ++p) {
      const Index from = n * p / kParts, to = n * (p + 1) / kParts;
      top_and_sum(x + from * m, tops + p * m, sums + p * m, to - from, m, m, scale);
    }
  });
  for (Index p = 1; p < kParts; ++p)
    each_vector<T>(m, [&](Index j, auto count) {
      const Vector<T> a = load_part(tops + j, count), b = load_part(tops + p * m + j, count);
      const Vector<T> top = larger<T>(a, b);
      const Vector<T> sum = load_part(sums + j, count) * exp_below<T>(a - top) +
                            load_part(sums + p * m + j, count) * exp_below<T>(b - top);
      store_part(tops + j, top, count);
      store_part(sums + j, sum, count);
    });
  finish_sums<T, log>(sums, m);
  parallel_for(n, std::max<Index>(1, kGrain / m), [&](Index begin, Index end) {
    apply<T, log>(x + begin * m, tops, sums, y + begin * m, end - begin, m, m, scale, stream);
    stream_end();
  });
}

template <class T, bool log>
void backward_columns(const T* dy, const T* y, T* dx, Index n, Index stride, Index m, T scale,
                      bool stream) {
  alignas(64) T sums[kColumns] = {};
  for (Index i = 0; i < n; ++i)
    each_vector<T>(m, [&](Index j, auto count) {
      const Index at = i * stride + j;
      fetch(dy + at + stride);
      Vector<T> term = load_part(dy + at, count);
      if (!log) {
        fetch(y + at + stride);
        term *= load_part(y + at, count);
      }
      store_part(sums + j, Vector<T>(load_part(sums + j, count) + term), count);
    });
  for (Index i = 0; i < n; ++i)
    each_vector<T>(m, [&](Index j, auto count) {
      const Index at = i * stride + j;
      fetch(dy + at + stride);
      fetch(y + at + stride);
      const Vector<T> d = load_part(dy + at, count), p = load_part(y + at, count),
                      sum = load_part(sums + j, count);
      put<T>(dx + at, (log ? d - exp_below<T>(p) * sum : p * (d - sum)) * scale, stream, count);
    });
}

// ---- drivers --------------------------------------------------------------------------------

// Calls row(offset) for all rows.
template <class Row>
void each_row(const Split& s, const Row& row) {
  parallel_for(s.before, std::max<Index>(1, kGrain / 4 / s.n), [&](Index begin, Index end) {
    for (Index r = begin; r < end; ++r) row(r * s.n);
    stream_end();
  });
}

// Columns of `arrays` arrays that stay in cache together.
template <class T>
Index columns_in_cache(const Split& s, Index arrays) {
  return kCached / (arrays * s.n * static_cast<Index>(sizeof(T)));
}

template <class T>
bool streams(const Split& s, const T* result) {
  constexpr Index kSize = sizeof(T);
  return s.size() * kSize >= kStreamBytes && on_line(result) && s.after * kSize % kLineBytes == 0;
}

// Calls columns(offset, how many) for blocks of columns, such as stay in cache if that is worth it.
template <class T, class Block>
void each_block(const Split& s, Index arrays, const Block& columns) {
  constexpr Index line = kLineBytes / static_cast<Index>(sizeof(T));
  const Index fit = columns_in_cache<T>(s, arrays) / line * line;
  const Index most = fit >= 4 * line ? std::min(fit, kColumns) : kColumns;
  const Index width = std::clamp(round_up(s.after / 8, line), 4 * line, most);
  const Index blocks = parts(s.after, width), work = s.n * std::min(s.after, width);
  parallel_for(s.before * blocks, std::max<Index>(1, kGrain / 4 / work),
               [&](Index begin, Index end) {
                 for (Index b = begin; b < end; ++b) {
                   const Index from = b % blocks * width;
                   columns(b / blocks * s.n * s.after + from, std::min(width, s.after - from));
                 }
                 stream_end();
               });
}

// Rows of large results are made in a buffer and written past the caches.
constexpr Index kRowBuffer = 4096;

template <class T, class Row>
void write_row(T* to, Index n, bool stream, const Row& row) {
  if (!stream) return row(to);
  alignas(64) T buffer[kRowBuffer];
  row(buffer);
  stream_copy(to, buffer, n * static_cast<Index>(sizeof(T)));
}

template <class T, auto row, bool log>
void forward(const Call& call) {
  const Split s(call);
  const T* x = call.in[0].as<T>();
  T* y = call.out[0].as<T>();
  const T scale = static_cast<T>(s.scale);
  if (s.size() == 0) return;
  if (s.after == 1) {
    const bool stream = s.n <= kRowBuffer && streams_rows(call.out[0], s.n);
    return each_row(s, [&](Index o) {
      write_row(y + o, s.n, stream, [&](T* to) { row(x + o, to, s.n, scale, x + o + s.n); });
    });
  }
  const bool stream = streams(s, y);
  if (s.after >= kColumns / 2 && columns_in_cache<T>(s, 1) < kColumns / 4) {
    for (Index b = 0; b < s.before; ++b, x += s.n * s.after, y += s.n * s.after)
      forward_tall<T, log>(x, y, s.n, s.after, scale, stream);
    return;
  }
  each_block<T>(s, 1, [&](Index o, Index m) {
    forward_columns<T, log>(x + o, y + o, s.n, s.after, m, scale, stream);
  });
}

template <class T, auto row, bool log>
void backward(const Call& call) {
  const Split s(call);
  const T *dy = call.in[0].as<T>(), *y = call.in[1].as<T>();
  T* dx = call.out[0].as<T>();
  const T scale = static_cast<T>(s.scale);
  if (s.size() == 0) return;
  if (s.after == 1) {
    const bool stream = s.n <= kRowBuffer && streams_rows(call.out[0], s.n);
    return each_row(s, [&](Index o) {
      write_row(dx + o, s.n, stream,
                [&](T* to) { row(dy + o, y + o, to, s.n, scale, dy + o + s.n, y + o + s.n); });
    });
  }
  const bool stream = streams(s, dx);
  each_block<T>(s, 2, [&](Index o, Index m) {
    backward_columns<T, log>(dy + o, y + o, dx + o, s.n, s.after, m, scale, stream);
  });
}

template <auto single, auto dual>
void by_dtype(const Call& call) {
  call.out[0].dtype == DType::f32 ? single(call) : dual(call);
}
constexpr auto softmax = by_dtype<forward<float, softmax_row<float>, false>,
                                  forward<double, softmax_row<double>, false>>;
constexpr auto log_softmax = by_dtype<forward<float, log_softmax_row<float>, true>,
                                      forward<double, log_softmax_row<double>, true>>;
constexpr auto backward_softmax = by_dtype<backward<float, backward_softmax_row<float>, false>,
                                           backward<double, backward_softmax_row<double>, false>>;
constexpr auto backward_log_softmax =
    by_dtype<backward<float, backward_log_softmax_row<float>, true>,
             backward<double, backward_log_softmax_row<double>, true>>;

bool plain(const Call& call) {  // without lengths
  return call.n_in == 1 && same_dtype<DType::f32, DType::f64>(call);
}
bool labelled(const Call& call) {
  const DType dtype = call.in[0].dtype;
  return (dtype == DType::f32 || dtype == DType::f64) && call.out[0].dtype == dtype;
}

}  // namespace
}  // namespace baryon::BARYON_ISA

BARYON_REGISTER(softmax) {
  using namespace baryon;
  using namespace baryon::BARYON_ISA;
  add("softmax", softmax, plain);
  add("SoftmaxOutput", softmax, labelled);
  add("log_softmax", log_softmax, plain);
  add("_backward_softmax", backward_softmax, same_dtype<DType::f32, DType::f64>);
  add("_backward_log_softmax", backward_log_softmax, same_dtype<DType::f32, DType::f64>);
}
