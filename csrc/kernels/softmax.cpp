// Softmax and log-softmax along one axis, forward and backward: a row or a few columns at a time,
// so that the passes over them stay in cache.
//
// params = {sizes before, at and after the axis, factor applied before exp}.

#include "loops.h"
#include "vmath.h"

namespace baryon::BARYON_ISA {
namespace {

constexpr Index kColumns = 128;  // neighbouring columns that go together when the axis is not last

struct Split {
  Index before, n, after;
  double scale;

  explicit Split(const Call& call)
      : before(static_cast<Index>(call.params[0])),
        n(static_cast<Index>(call.params[1])),
        after(static_cast<Index>(call.params[2])),
        scale(call.n_params > 3 ? call.params[3] : 1.0) {}
};

// ---- rows -----------------------------------------------------------------------------------

template <class T>
inline T row_max(const T* x, Index n, T scale) {
  T top = -vm::kInf<T>;
#pragma omp simd reduction(max : top)
  for (Index i = 0; i < n; ++i) {
    const T v = x[i] * scale;
    top = v > top ? v : top;
  }
  return top;
}

template <class T>
void softmax_row(const T* x, T* y, Index n, T scale) {
  const T top = row_max(x, n, scale);
  T sum = 0;
#pragma omp simd reduction(+ : sum)
  for (Index i = 0; i < n; ++i) {
    const T e = vm::exp(x[i] * scale - top);
    y[i] = e;
    sum += e;
  }
  const T factor = T(1) / sum;
#pragma GCC ivdep
  for (Index i = 0; i < n; ++i) y[i] *= factor;
}

template <class T>
void log_softmax_row(const T* x, T* y, Index n, T scale) {
  const T top = row_max(x, n, scale);
  T sum = 0;
#pragma omp simd reduction(+ : sum)
  for (Index i = 0; i < n; ++i) sum += vm::exp(x[i] * scale - top);
  const T shift = vm::log(sum);
#pragma GCC ivdep
  for (Index i = 0; i < n; ++i) y[i] = (x[i] * scale - top) - shift;
}

template <class T>
void backward_softmax_row(const T* dy, const T* y, T* dx, Index n, T scale) {
  T sum = 0;
#pragma omp simd reduction(+ : sum)
  for (Index i = 0; i < n; ++i) sum += dy[i] * y[i];
#pragma GCC ivdep
  for (Index i = 0; i < n; ++i) dx[i] = y[i] * (dy[i] - sum) * scale;
}

template <class T>
void backward_log_softmax_row(const T* dy, const T* y, T* dx, Index n, T scale) {
  T sum = 0;
#pragma omp simd reduction(+ : sum)
  for (Index i = 0; i < n; ++i) sum += dy[i];
#pragma GCC ivdep
  for (Index i = 0; i < n; ++i) dx[i] = (dy[i] - vm::exp(y[i]) * sum) * scale;
}

// ---- columns: element (i, j) at i * stride + j, m columns ------------------------------------

template <class T>
void column_max(const T* x, T* top, Index n, Index stride, Index m, T scale) {
  for (Index j = 0; j < m; ++j) top[j] = -vm::kInf<T>;
  for (Index i = 0; i < n; ++i)
#pragma GCC ivdep
    for (Index j = 0; j < m; ++j) {
      const T v = x[i * stride + j] * scale;
      top[j] = v > top[j] ? v : top[j];
    }
}

template <class T>
void softmax_columns(const T* x, T* y, Index n, Index stride, Index m, T scale) {
  alignas(64) T top[kColumns], sum[kColumns] = {};
  column_max(x, top, n, stride, m, scale);
  for (Index i = 0; i < n; ++i)
#pragma GCC ivdep
    for (Index j = 0; j < m; ++j) {
      const T e = vm::exp(x[i * stride + j] * scale - top[j]);
      y[i * stride + j] = e;
      sum[j] += e;
    }
  for (Index j = 0; j < m; ++j) sum[j] = T(1) / sum[j];
  for (Index i = 0; i < n; ++i)
#pragma GCC ivdep
    for (Index j = 0; j < m; ++j) y[i * stride + j] *= sum[j];
}

template <class T>
void log_softmax_columns(const T* x, T* y, Index n, Index stride, Index m, T scale) {
  alignas(64) T top[kColumns], sum[kColumns] = {};
  column_max(x, top, n, stride, m, scale);
  for (Index i = 0; i < n; ++i)
#pragma GCC ivdep
    for (Index j = 0; j < m; ++j) sum[j] += vm::exp(x[i * stride + j] * scale - top[j]);
  for (Index j = 0; j < m; ++j) sum[j] = vm::log(sum[j]);
  for (Index i = 0; i < n; ++i)
#pragma GCC ivdep
    for (Index j = 0; j < m; ++j) y[i * stride + j] = (x[i * stride + j] * scale - top[j]) - sum[j];
}

template <class T>
void backward_softmax_columns(const T* dy, const T* y, T* dx, Index n, Index stride, Index m,
                              T scale) {
  alignas(64) T sum[kColumns] = {};
  for (Index i = 0; i < n; ++i)
#pragma GCC ivdep
    for (Index j = 0; j < m; ++j) sum[j] += dy[i * stride + j] * y[i * stride + j];
  for (Index i = 0; i < n; ++i)
#pragma GCC ivdep
    for (Index j = 0; j < m; ++j)
      dx[i * stride + j] = y[i * stride + j] * (dy[i * stride + j] - sum[j]) * scale;
}

template <class T>
void backward_log_softmax_columns(const T* dy, const T* y, T* dx, Index n, Index stride, Index m,
                                  T scale) {
  alignas(64) T sum[kColumns] = {};
  for (Index i = 0; i < n; ++i)
#pragma GCC ivdep
    for (Index j = 0; j < m; ++j) sum[j] += dy[i * stride + j];
  for (Index i = 0; i < n; ++i)
#pragma GCC ivdep
    for (Index j = 0; j < m; ++j)
      dx[i * stride + j] = (dy[i * stride + j] - vm::exp(y[i * stride + j]) * sum[j]) * scale;
}

// ---- drivers --------------------------------------------------------------------------------

// Cuts a call into rows, or into blocks of columns: row(offset), columns(offset, how many).
template <class Row, class Columns>
void each_part(const Split& s, const Row& row, const Columns& columns) {
  if (s.before * s.n * s.after == 0) return;
  if (s.after == 1) {
    parallel_for(s.before, std::max<Index>(1, kGrain / 4 / s.n), [&](Index begin, Index end) {
      for (Index r = begin; r < end; ++r) row(r * s.n);
    });
    return;
  }
  const Index blocks = (s.after + kColumns - 1) / kColumns;
  const Index work = s.n * std::min(s.after, kColumns);
  parallel_for(s.before * blocks, std::max<Index>(1, kGrain / 4 / work),
               [&](Index begin, Index end) {
                 for (Index b = begin; b < end; ++b) {
                   const Index from = b % blocks * kColumns;
                   columns(b / blocks * s.n * s.after + from, std::min(kColumns, s.after - from));
                 }
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
  stream_end();
}

template <class T, auto row, auto columns>
void forward(const Call& call) {
  const Split s(call);
  const T* x = call.in[0].as<T>();
  T* y = call.out[0].as<T>();
  const T scale = static_cast<T>(s.scale);
  const bool stream = s.n <= kRowBuffer && s.n >= 64 && x != y &&
                      s.before * s.n * static_cast<Index>(sizeof(T)) >= kStreamBytes;
  each_part(
      s,
      [&](Index o) { write_row(y + o, s.n, stream, [&](T* to) { row(x + o, to, s.n, scale); }); },
      [&](Index o, Index m) { columns(x + o, y + o, s.n, s.after, m, scale); });
}

template <class T, auto row, auto columns>
void backward(const Call& call) {
  const Split s(call);
  const T *dy = call.in[0].as<T>(), *y = call.in[1].as<T>();
  T* dx = call.out[0].as<T>();
  const T scale = static_cast<T>(s.scale);
  each_part(
      s, [&](Index o) { row(dy + o, y + o, dx + o, s.n, scale); },
      [&](Index o, Index m) { columns(dy + o, y + o, dx + o, s.n, s.after, m, scale); });
}

void softmax(const Call& call) {
  call.out[0].dtype == DType::f32
      ? forward<float, softmax_row<float>, softmax_columns<float>>(call)
      : forward<double, softmax_row<double>, softmax_columns<double>>(call);
}
void log_softmax(const Call& call) {
  call.out[0].dtype == DType::f32
      ? forward<float, log_softmax_row<float>, log_softmax_columns<float>>(call)
      : forward<double, log_softmax_row<double>, log_softmax_columns<double>>(call);
}
void backward_softmax(const Call& call) {
  call.out[0].dtype == DType::f32
      ? backward<float, backward_softmax_row<float>, backward_softmax_columns<float>>(call)
      : backward<double, backward_softmax_row<double>, backward_softmax_columns<double>>(call);
}
void backward_log_softmax(const Call& call) {
  call.out[0].dtype == DType::f32
      ? backward<float, backward_log_softmax_row<float>, backward_log_softmax_columns<float>>(call)
      : backward<double, backward_log_softmax_row<double>, backward_log_softmax_columns<double>>(
            call);
}

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
