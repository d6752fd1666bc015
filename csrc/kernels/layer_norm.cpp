// Normalisation of rows: LayerNorm along the last axis, GroupNorm and InstanceNorm.

#include <cmath>

#include "rows.h"

namespace baryon::BARYON_ISA {
namespace {

constexpr Index kParts =
    16;  // partial sums over rows, fixed so that results do not depend on threads

template <class T>
struct Moments {
  T mean, std;
};

// Mean and sqrt(var + eps) of a row, which is read once: sums of blocks in the row's own type,
// joined in double (Chan, Golub and LeVeque 1979).
template <class T>
Moments<T> moments(const T* x, Index n, double eps) {
  double mean = 0, squares = 0;
  for (Index from = 0; from < n; from += kBlock) {
    const Index count = std::min(kBlock, n - from);
    const T* block = x + from;
    const T own = total<T>(count, [&](Index i, auto c) { return load_part(block + i, c); }) /
                  static_cast<T>(count);
    const T rest = total<T>(count, [&](Index i, auto c) {
      fetch(block + kBlock + i);
      const Vector<T> off = load_part(block + i, c) - own;
      return Vector<T>(off * off);
    });
    const double before = static_cast<double>(from), added = static_cast<double>(count);
    const double step = static_cast<double>(own) - mean;
    mean += step * added / (before + added);
    squares += static_cast<double>(rest) + step * step * before * added / (before + added);
  }
  return {static_cast<T>(mean), static_cast<T>(std::sqrt(squares / static_cast<double>(n) + eps))};
}

Index rows_at_once(Index n) { return std::max<Index>(1, kGrain / 4 / std::max<Index>(1, n)); }

// ---- LayerNorm: params = {rows, n, 1, eps} ------------------------------------------------------

template <class T>
void layer_norm(const Call& call) {
  const Index rows = static_cast<Index>(call.params[0]), n = static_cast<Index>(call.params[1]);
  const double eps = call.params[3];
  const T *x = call.in[0].as<T>(), *gamma = call.in[1].as<T>(), *beta = call.in[2].as<T>();
  T *y = call.out[0].as<T>(), *mean = call.out[1].as<T>(), *std = call.out[2].as<T>();
  if (n == 0) return;
  const bool stream = streams_rows(call.out[0], n);
  parallel_for(rows, rows_at_once(n), [&](Index begin, Index end) {
    for (Index r = begin; r < end; ++r) {
      const T* from = x + r * n;
      T* to = y + r * n;
      const Moments<T> m = moments(from, n, eps);
      const T centre = m.mean, factor = 1 / m.std;
      mean[r] = m.mean;
      std[r] = m.std;
      write_elements(
          to, n, stream, [=](Index i) { return (from[i] - centre) * factor * gamma[i] + beta[i]; },
          [=](Index i) { fetch(from + n + i); });
    }
    stream_end();
  });
}

// One row's data gradient; its share of the gradients of gamma and beta is added.
template <class T>
void backward_row(const T* dy, const T* x, const T* gamma, T mean, T factor, T* dx, T* d_gamma,
                  T* d_beta, Index n, bool stream) {
  const auto [flat, slope] = totals<T, 2>(n, [&](Index i, auto count, Vector<T>* terms) {
    fetch(dy + n + i);
    fetch(x + n + i);
    const Vector<T> d = load_part(dy + i, count), unit = (load_part(x + i, count) - mean) * factor;
    store_part(d_gamma + i, Vector<T>(load_part(d_gamma + i, count) + d * unit), count);
    store_part(d_beta + i, Vector<T>(load_part(d_beta + i, count) + d), count);
    const Vector<T> g = d * load_part(gamma + i, count);
    terms[0] = g;
    terms[1] = g * unit;
  });
  const T level = flat / static_cast<T>(n), steep = slope / static_cast<T>(n) * factor;
  write_elements(
      dx, n, stream,
      [=](Index i) { return (dy[i] * gamma[i] - level - (x[i] - mean) * steep) * factor; },
      [](Index) {});
}

template <class T>
void backward_layer_norm(const Call& call) {
  const Index rows = static_cast<Index>(call.params[0]), n = static_cast<Index>(call.params[1]);
  const T *dy = call.in[0].as<T>(), *x = call.in[1].as<T>(), *gamma = call.in[2].as<T>();
  const T *mean = call.in[3].as<T>(), *std = call.in[4].as<T>();
  T *dx = call.out[0].as<T>(), *d_gamma = call.out[1].as<T>(), *d_beta = call.out[2].as<T>();
  const Index parts = std::max<Index>(1, std::min(kParts, rows * n / kBlock));
  Scratch<T> partial(2 * n * parts);
  T* sums = partial.get();
  const bool stream = streams_rows(call.out[0], n);
  parallel_for(parts, 1, [&](Index begin, Index end) {
    for (Index p = begin; p < end; ++p) {
      T *dg = sums + 2 * n * p, *db = dg + n;
      std::fill(dg, dg + 2 * n, T(0));
      for (Index r = rows * p / parts; r < rows * (p + 1) / parts; ++r)
        backward_row(dy + r * n, x + r * n, gamma, mean[r], 1 / std[r], dx + r * n, dg, db, n,
                     stream);
    }
    stream_end();
  });
  for (Index i = 0; i < n; ++i) d_gamma[i] = d_beta[i] = 0;
  for (Index p = 0; p < parts; ++p)
#pragma GCC ivdep
    for (Index i = 0; i < n; ++i) {
      d_gamma[i] += sums[2 * n * p + i];
      d_beta[i] += sums[2 * n * p + n + i];
    }
}

// ---- GroupNorm: params = {groups a sample, elements a group, eps} -------------------------------

template <class T>
void group_norm(const Call& call) {
  const Index groups = static_cast<Index>(call.params[0]), n = static_cast<Index>(call.params[1]);
  const double eps = call.params[2];
  const T *x = call.in[0].as<T>(), *gamma = call.in[1].as<T>(), *beta = call.in[2].as<T>();
  T *y = call.out[0].as<T>(), *mean = call.out[1].as<T>(), *std = call.out[2].as<T>();
  if (n == 0) return;
  const bool stream = streams_rows(call.out[0], n);
  const Index ahead = ahead_of<T>(n, 1);
  parallel_for(call.out[1].size(), rows_at_once(n), [&](Index begin, Index end) {
    for (Index r = begin; r < end; ++r) {
      const T* from = x + r * n;
      T* to = y + r * n;
      const Moments<T> m = moments(from, n, eps);
      const T centre = m.mean, factor = gamma[r % groups] / m.std, shift = beta[r % groups];
      mean[r] = m.mean;
      std[r] = m.std;
      write_elements(
          to, n, stream, [=](Index i) { return (from[i] - centre) * factor + shift; },
          [=](Index i) { fetch(from + ahead + i); });
    }
    stream_end();
  });
}

template <class T>
void backward_group_norm(const Call& call) {
  const Index groups = static_cast<Index>(call.params[0]), n = static_cast<Index>(call.params[1]);
  const T *dy = call.in[0].as<T>(), *x = call.in[1].as<T>(), *gamma = call.in[2].as<T>();
  const T *mean = call.in[3].as<T>(), *std = call.in[4].as<T>();
  T *dx = call.out[0].as<T>(), *d_gamma = call.out[1].as<T>(), *d_beta = call.out[2].as<T>();
  const Index rows = call.in[3].size();
  Scratch<T> sums(2 * rows);
  T *flat = sums.get(), *slope = flat + rows;
  const bool stream = streams_rows(call.out[0], n);
  const Index ahead = ahead_of<T>(n, 2);
  parallel_for(rows, rows_at_once(n), [&](Index begin, Index end) {
    for (Index r = begin; r < end; ++r) {
      const T *d = dy + r * n, *from = x + r * n;
      T* to = dx + r * n;
      const T centre = mean[r], factor = 1 / std[r];
      double one = 0, two = 0;
      for (Index first = 0; first < n; first += kBlock) {
        const Index last = std::min(n, first + kBlock);
        const auto [a, b] = totals<T, 2>(last - first, [&](Index i, auto count, Vector<T>* terms) {
          fetch(d + first + i + kBlock);
          fetch(from + first + i + kBlock);
          const Vector<T> head = load_part(d + first + i, count);
          const Vector<T> off = load_part(from + first + i, count) - centre;
          terms[0] = head;
          terms[1] = head * off;
        });
        one += static_cast<double>(a);
        two += static_cast<double>(b);
      }
      flat[r] = static_cast<T>(one);
      slope[r] = static_cast<T>(two) * factor;
      const T level = flat[r] / static_cast<T>(n), steep = slope[r] * factor / static_cast<T>(n);
      const T scale = gamma[r % groups] * factor;
      write_elements(
          to, n, stream,
          [=](Index i) { return (d[i] - level - (from[i] - centre) * steep) * scale; },
          [=](Index i) {
            fetch(d + ahead + i);
            fetch(from + ahead + i);
          });
    }
    stream_end();
  });
  for (Index g = 0; g < groups; ++g) d_gamma[g] = d_beta[g] = 0;
  for (Index r = 0; r < rows; ++r) {
    d_gamma[r % groups] += slope[r];
    d_beta[r % groups] += flat[r];
  }
}

template <auto single, auto dual>
void by_dtype(const Call& call) {
  call.out[0].dtype == DType::f32 ? single(call) : dual(call);
}

bool accepts_layer(const Call& call) {  // the last axis
  return call.params[2] == 1 && same_dtype<DType::f32, DType::f64>(call);
}

}  // namespace
}  // namespace baryon::BARYON_ISA

BARYON_REGISTER(layer_norm) {
  using namespace baryon;
  using namespace baryon::BARYON_ISA;
  add("LayerNorm", by_dtype<layer_norm<float>, layer_norm<double>>, accepts_layer);
  add("_backward_LayerNorm", by_dtype<backward_layer_norm<float>, backward_layer_norm<double>>,
      accepts_layer);
  add("GroupNorm", by_dtype<group_norm<float>, group_norm<double>>,
      same_dtype<DType::f32, DType::f64>);
  add("_backward_GroupNorm", by_dtype<backward_group_norm<float>, backward_group_norm<double>>,
      same_dtype<DType::f32, DType::f64>);
}
