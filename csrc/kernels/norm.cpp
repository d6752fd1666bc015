// Batch normalisation, forward and backward.
//
// data is (outer, channels, inner). A task takes a segment of neighbouring channels through all
// its passes, so that they find it in cache. Statistics are sums of differences from the channel's
// first element, in double from run to run.

#include <cmath>

#include "rows.h"
#include "widened.h"

namespace baryon::BARYON_ISA {
namespace {

constexpr Index kRun = 16;       // inner sizes from here on are summed run by run
constexpr Index kSegment = 256;  // elements of a segment of channels with shorter runs
constexpr Index kChunk = 4096;   // elements summed in the data's own type

struct Layout {
  Index outer, channels, inner;

  explicit Layout(const double* p)
      : outer(static_cast<Index>(p[0])),
        channels(static_cast<Index>(p[1])),
        inner(static_cast<Index>(p[2])) {}

  double count() const { return static_cast<double>(std::max<Index>(outer * inner, 1)); }
  // Channels that one task takes.
  Index width() const { return inner >= kRun ? 1 : std::max<Index>(1, kSegment / inner); }
};

// Calls task(first channel, end channel) for segments, in parallel.
template <class Task>
void each_segment(const Layout& l, const Task& task) {
  if (l.outer * l.channels * l.inner == 0) return;
  const Index width = l.width();
  const Index work = l.outer * l.inner * width;
  parallel_for((l.channels + width - 1) / width, std::max<Index>(1, kGrain / 2 / work),
               [&](Index begin, Index end) {
                 for (Index s = begin; s < end; ++s)
                   task(s * width, std::min(l.channels, (s + 1) * width));
               });
}

// Calls body(offset, k) for the elements of channels whose runs are short, by rows of all of them.
template <class Body>
void each_short(const Layout& l, Index first, Index last, const Body& body) {
  Index channel[kSegment];
  const Index length = (last - first) * l.inner;
  for (Index e = 0; e < length; ++e) channel[e] = first + e / l.inner;
  for (Index o = 0; o < l.outer; ++o) {
    const Index at = (o * l.channels + first) * l.inner;
    if (l.inner == 1) {
#pragma GCC ivdep
      for (Index e = 0; e < length; ++e) body(at + e, first + e, e);
    } else {
#pragma GCC ivdep
      for (Index e = 0; e < length; ++e) body(at + e, channel[e], e);
    }
  }
}

// Two sums a channel over its elements: terms(elements, k, u, v) sets the two terms of some
// elements of channel k, which it takes from arrays by elements(array).
template <class T, class Terms>
void two_sums(const Layout& l, Index first, Index last, double* one, double* two,
              const Terms& terms) {
  for (Index k = first; k < last; ++k) one[k] = two[k] = 0;
  if (l.inner >= kRun) {
    for (Index k = first; k < last; ++k)
      for (Index o = 0; o < l.outer; ++o) {
        const Index at = (o * l.channels + k) * l.inner;
        for (Index from = 0; from < l.inner; from += kChunk) {
          const Index start = at + from, count = std::min(l.inner - from, kChunk);
          const auto [a, b] = totals<T, 2>(count, [&](Index i, auto c, Vector<T>* sums) {
            const auto elements = [=](const T* x) {
              fetch(x + start + i + kBlock);
              return load_part(x + start + i, c);
            };
            terms(elements, k, sums[0], sums[1]);
          });
          one[k] += static_cast<double>(a);
          two[k] += static_cast<double>(b);
        }
      }
    return;
  }
  double a[kSegment] = {}, b[kSegment] = {};
  each_short(l, first, last, [&](Index at, Index k, Index e) {
    T u, v;
    terms([=](const T* x) { return x[at]; }, k, u, v);
    a[e] += static_cast<double>(u);
    b[e] += static_cast<double>(v);
  });
  for (Index e = 0; e < (last - first) * l.inner; ++e) {
    one[first + e / l.inner] += a[e];
    two[first + e / l.inner] += b[e];
  }
}

// y[offset] = value(offset, k) for every element of the channels; fetch_at as in write_elements.
template <class T, class Value, class Fetch>
void each_element(const Layout& l, Index first, Index last, T* y, bool stream, const Value& value,
                  const Fetch& fetch_at) {
  if (l.inner >= kRun) {
    for (Index k = first; k < last; ++k)
      for (Index o = 0; o < l.outer; ++o) {
        const Index at = (o * l.channels + k) * l.inner;
        write_elements(
            y + at, l.inner, stream, [&](Index i) { return value(at + i, k); },
            [&](Index i) { fetch_at(at + i); });
      }
    if (stream) stream_end();
    return;
  }
  each_short(l, first, last, [&](Index at, Index k, Index) { y[at] = value(at, k); });
}

template <class T>
void forward(const Call& call) {
  const Layout l(call.params);
  const bool batch = call.params[3] != 0, fixed = call.params[4] != 0;
  const double eps = call.params[5];
  const T *x = call.in[0].as<T>(), *gamma = call.in[1].as<T>(), *beta = call.in[2].as<T>();
  const T *moving_mean = call.in[3].as<T>(), *moving_var = call.in[4].as<T>();
  T *y = call.out[0].as<T>(), *mean = call.out[1].as<T>(), *scale = call.out[2].as<T>();
  if (fixed)
    for (Index k = 0; k < l.channels; ++k) call.out[3].as<T>()[k] = 1;
  Scratch<double> sums(2 * l.channels);
  Scratch<T> factors(l.channels);
  double *one = sums.get(), *two = one + l.channels;
  T* factor = factors.get();
  const bool stream = streams_rows(call.out[0], l.inner);
  constexpr Index ahead = kBlock;
  each_segment(l, [&](Index first, Index last) {
    if (batch)
      two_sums<T>(l, first, last, one, two, [=](const auto& elements, Index k, auto& u, auto& v) {
        u = elements(x) - x[k * l.inner];
        v = u * u;
      });
    for (Index k = first; k < last; ++k) {
      double m = static_cast<double>(moving_mean[k]), var = static_cast<double>(moving_var[k]);
      if (batch) {
        const double shift = one[k] / l.count();
        m = static_cast<double>(x[k * l.inner]) + shift;
        var = std::max(0.0, two[k] / l.count() - shift * shift);
        if (two[k] != two[k]) var = two[k];
      }
      mean[k] = static_cast<T>(m);
      scale[k] = static_cast<T>(1 / std::sqrt(var + eps));
      factor[k] = fixed ? scale[k] : scale[k] * gamma[k];
    }
    each_element(
        l, first, last, y, stream,
        [=](Index at, Index k) { return (x[at] - mean[k]) * factor[k] + beta[k]; },
        [=](Index at) { fetch(x + at + ahead); });
  });
}

template <class T>
void backward(const Call& call) {
  const Layout l(call.params);
  const bool batch = call.params[3] != 0, fixed = call.params[4] != 0;
  const T eps = static_cast<T>(call.params[5]), momentum = static_cast<T>(call.params[6]);
  const T *dy = call.in[0].as<T>(), *x = call.in[1].as<T>(), *gamma = call.in[2].as<T>();
  const T *mean = call.in[3].as<T>(), *scale = call.in[4].as<T>();
  T *dx = call.out[0].as<T>(), *d_gamma = call.out[1].as<T>(), *d_beta = call.out[2].as<T>();
  T *moving_mean = call.out[3].as<T>(), *moving_var = call.out[4].as<T>();
  Scratch<double> sums(2 * l.channels);
  Scratch<T> factors(3 * l.channels);
  double *one = sums.get(), *two = one + l.channels;
  T *factor = factors.get(), *flat = factor + l.channels, *slope = flat + l.channels;
  const bool stream = streams_rows(call.out[0], l.inner);
  constexpr Index ahead = kBlock;
  each_segment(l, [&](Index first, Index last) {
    two_sums<T>(l, first, last, one, two, [=](const auto& elements, Index k, auto& u, auto& v) {
      u = elements(dy);
      v = u * (elements(x) - mean[k]);
    });
    for (Index k = first; k < last; ++k) {
      const double unit = static_cast<double>(scale[k]);
      d_beta[k] = static_cast<T>(one[k]);
      d_gamma[k] = fixed ? T(0) : static_cast<T>(two[k] * unit);
      factor[k] = fixed ? scale[k] : scale[k] * gamma[k];
      flat[k] = batch ? static_cast<T>(one[k] / l.count()) : T(0);
      slope[k] = batch ? static_cast<T>(two[k] * unit * unit / l.count()) : T(0);
      if (!batch) continue;
      moving_mean[k] = moving_mean[k] * momentum + mean[k] * (1 - momentum);
      moving_var[k] = moving_var[k] * momentum + (1 / (scale[k] * scale[k]) - eps) * (1 - momentum);
    }
    each_element(
        l, first, last, dx, stream,
        [=](Index at, Index k) {
          return (dy[at] - flat[k] - (x[at] - mean[k]) * slope[k]) * factor[k];
        },
        [=](Index at) {
          fetch(dy + at + ahead);
          fetch(x + at + ahead);
        });
  });
}

void batch_norm(const Call& call) {
  call.out[0].dtype == DType::f32 ? forward<float>(call) : forward<double>(call);
}
void backward_batch_norm(const Call& call) {
  call.out[0].dtype == DType::f32 ? backward<float>(call) : backward<double>(call);
}

// Data may have 16 bits, and what has as many numbers; states, some of which change, have 32.
bool data_may_be_half(const Call& call) {
  const auto states_are_wide = [&](const Tensor* tensors, int count) {
    for (int i = 0; i < count; ++i)
      if (is_half(tensors[i].dtype) && tensors[i].ndim < 2) return false;
    return true;
  };
  return accepts_floats(call) && states_are_wide(call.in, call.n_in) &&
         states_are_wide(call.out, call.n_out);
}

}  // namespace
}  // namespace baryon::BARYON_ISA

BARYON_REGISTER(norm) {
  using namespace baryon;
  using namespace baryon::BARYON_ISA;
  add("BatchNorm", by_float_type<batch_norm, batch_norm>, data_may_be_half);
  add("_backward_BatchNorm", by_float_type<backward_batch_norm, backward_batch_norm>,
      data_may_be_half);
}
