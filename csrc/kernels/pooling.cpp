// Pooling of planes, and its gradient. Maxima pass NaN on and start from the lowest finite value.
#include <algorithm>
#include <limits>
#include <type_traits>
#include <vector>

#include "../kernel.h"
#include "../parallel.h"
#include "windows.h"

namespace baryon::BARYON_ISA {
namespace {

enum Kind { kMax, kAvg, kSum };

struct PoolShape {
  Kind kind;
  bool count_pad;
  Int planes;
  Int3 in, out, kernel, stride, pad, padded;

  bool fits() const { return padded == in; }
  // One window over all of a plane.
  bool whole() const { return fits() && kernel == in && volume(out) == 1; }
};

// params: kind, whether padding counts, then kernel, stride and padding of each axis.
PoolShape pool_shape(const Call& call, const Tensor& data, const Tensor& out) {
  PoolShape s{};
  const int rank = data.ndim - 2;
  s.kind = static_cast<Kind>(call.params[0]);
  s.count_pad = call.params[1] != 0;
  s.planes = data.shape[0] * data.shape[1];
  for (int i = 0; i < 3; ++i) {
    const int axis = i - (3 - rank);
    const auto param = [&](int which) {
      return static_cast<Int>(call.params[2 + which * rank + axis]);
    };
    const bool real = axis >= 0;
    s.in[i] = real ? data.shape[2 + axis] : 1;
    s.out[i] = real ? out.shape[2 + axis] : 1;
    s.kernel[i] = real ? param(0) : 1;
    s.stride[i] = real ? param(1) : 1;
    s.pad[i] = real ? param(2) : 0;
    s.padded[i] = std::max(s.in[i] + 2 * s.pad[i], (s.out[i] - 1) * s.stride[i] + s.kernel[i]);
  }
  return s;
}

template <class T>
constexpr T kLowest = std::numeric_limits<T>::lowest();

template <class T>
inline bool takes(T value, T best) {
  return value > best || (value != value && best == best);
}

// ---- a plane with its padding ---------------------------------------------------------------

template <class T>
void copy_rows(const PoolShape& s, const T* plane, T* padded) {
  for (Int z = 0; z < s.in[0]; ++z)
    for (Int y = 0; y < s.in[1]; ++y)
      std::copy_n(plane + (z * s.in[1] + y) * s.in[2], s.in[2],
                  padded + ((z + s.pad[0]) * s.padded[1] + y + s.pad[1]) * s.padded[2] + s.pad[2]);
}

template <class T>
void copy_rows_back(const PoolShape& s, const T* padded, T* plane) {
  for (Int z = 0; z < s.in[0]; ++z)
    for (Int y = 0; y < s.in[1]; ++y)
      std::copy_n(padded + ((z + s.pad[0]) * s.padded[1] + y + s.pad[1]) * s.padded[2] + s.pad[2],
                  s.in[2], plane + (z * s.in[1] + y) * s.in[2]);
}

// Distances of a window's places from its first, in a padded plane.
std::vector<Int> places_of(const PoolShape& s) {
  std::vector<Int> places;
  for (Int z = 0; z < s.kernel[0]; ++z)
    for (Int y = 0; y < s.kernel[1]; ++y)
      for (Int x = 0; x < s.kernel[2]; ++x)
        places.push_back((z * s.padded[1] + y) * s.padded[2] + x);
  return places;
}

// Elements that the windows of one axis average over.
template <class T>
std::vector<T> counts_of(const PoolShape& s, int axis) {
  std::vector<T> counts;
  for (Int i = 0; i < s.out[axis]; ++i) {
    Int begin = i * s.stride[axis] - s.pad[axis];
    Int end = std::min(begin + s.kernel[axis], s.in[axis] + s.pad[axis]);
    if (!s.count_pad) {
      begin = std::max<Int>(begin, 0);
      end = std::min(end, s.in[axis]);
    }
    counts.push_back(static_cast<T>(std::max<Int>(end - begin, 1)));
  }
  return counts;
}

// ---- one row of windows ---------------------------------------------------------------------

// Places are compile-time constants for square windows of `side` (0: any window, stride not 0).
template <class T, int side, int step>
struct Rows {
  // Places in the order of the window; body(place, distance) for each.
  template <class Body>
  static inline __attribute__((always_inline)) void each(const std::vector<Int>& places, Int line,
                                                         const Body& body) {
    if constexpr (side > 0) {
#pragma GCC unroll 3
      for (int y = 0; y < side; ++y)
#pragma GCC unroll 3
        for (int x = 0; x < side; ++x) body(y * side + x, y * line + x);
    } else {
      for (std::size_t i = 0; i < places.size(); ++i) body(static_cast<int>(i), places[i]);
    }
  }

  static void join(bool max, const std::vector<Int>& places, Int line, Int stride, const T* from,
                   T* to, Int count) {
    const Int s = step > 0 ? step : stride;
    if (side > 0) {
      if (max) {
        for (Int x = 0; x < count; ++x) {
          T best = kLowest<T>;
          each(places, line, [&](int, Int at) {
            const T value = from[at + x * s];
            best = takes(value, best) ? value : best;
          });
          to[x] = best;
        }
      } else {
        for (Int x = 0; x < count; ++x) {
          T total = 0;
          each(places, line, [&](int, Int at) { total += from[at + x * s]; });
          to[x] = total;
        }
      }
      return;
    }
    std::fill_n(to, count, max ? kLowest<T> : T(0));
    each(places, line, [&](int, Int at) {
      const T* row = from + at;
      if (max) {
        for (Int x = 0; x < count; ++x) to[x] = takes(row[x * s], to[x]) ? row[x * s] : to[x];
      } else {
        for (Int x = 0; x < count; ++x) to[x] += row[x * s];
      }
    });
  }

  // Spreads the head gradient of a row of windows: to the first largest place, or to all.
  using Place = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;
  static void spread(const std::vector<Int>& places, Int line, Int stride, const T* data,
                     const T* head, T* to, Int count, T* best, Place* chosen) {
    const Int s = step > 0 ? step : stride;
    if (data != nullptr) {
      for (Int x = 0; x < count; ++x) {
        best[x] = kLowest<T>;
        chosen[x] = -1;
      }
      each(places, line, [&](int place, Int at) {
        for (Int x = 0; x < count; ++x) {
          const T value = data[at + x * s];
          const bool take = takes(value, best[x]);
          best[x] = take ? value : best[x];
          chosen[x] = take ? static_cast<Place>(place) : chosen[x];
        }
      });
    }
    each(places, line, [&](int place, Int at) {
      T* row = to + at;
      if (data == nullptr) {
#pragma GCC ivdep
        for (Int x = 0; x < count; ++x) row[x * s] += head[x];
      } else {
#pragma GCC ivdep
        for (Int x = 0; x < count; ++x) row[x * s] += chosen[x] == place ? head[x] : T(0);
      }
    });
  }
};

// Calls body with the Rows that suit the windows.
template <class T, class Body>
void with_rows(const PoolShape& s, const Body& body) {
  const bool flat = s.kernel[0] == 1 && s.kernel[1] == s.kernel[2];
  const Int side = flat ? s.kernel[2] : 0, step = s.stride[2];
  if (side == 2 && step == 2) return body(Rows<T, 2, 2>());
  if (side == 3 && step == 2) return body(Rows<T, 3, 2>());
  if (side == 3 && step == 1) return body(Rows<T, 3, 1>());
  if (step == 1) return body(Rows<T, 0, 1>());
  body(Rows<T, 0, 0>());
}

// ---- one window over all of a plane -----------------------------------------------------------

template <class T>
T join_all(const T* plane, Int size, bool max) {
  constexpr Int kParts = kLanes<T>;
  T best[kParts];
  std::fill_n(best, kParts, max ? kLowest<T> : T(0));
  for (Int i = 0; i + kParts <= size; i += kParts)
    for (Int j = 0; j < kParts; ++j) {
      const T value = plane[i + j];
      best[j] = !max ? best[j] + value : takes(value, best[j]) ? value : best[j];
    }
  T total = max ? kLowest<T> : T(0);
  const auto add = [&](T value) {
    total = !max ? total + value : takes(value, total) ? value : total;
  };
  for (Int j = 0; j < kParts; ++j) add(best[j]);
  for (Int i = size - size % kParts; i < size; ++i) add(plane[i]);
  return total;
}

template <class T>
void spread_all(const PoolShape& s, const T* data, T head, T* to) {
  const Int size = volume(s.in);
  if (data == nullptr) return std::fill_n(to, size, head), void();
  std::fill_n(to, size, T(0));
  const T best = join_all(data, size, true);
  for (Int i = 0; i < size; ++i) {
    if (data[i] == best || (best != best && data[i] != data[i])) {
      if (takes(data[i], kLowest<T>)) to[i] = head;
      return;
    }
  }
}

// ---- the kernels ------------------------------------------------------------------------------

Int grain_of(const PoolShape& s) { return 1 + 16384 / (1 + volume(s.in)); }

// Calls body(oz, oy) for every row of windows with its first place in a padded plane.
template <class Body>
void for_each_row(const PoolShape& s, const Body& body) {
  for (Int z = 0; z < s.out[0]; ++z)
    for (Int y = 0; y < s.out[1]; ++y)
      body(z, y, (z * s.stride[0] * s.padded[1] + y * s.stride[1]) * s.padded[2]);
}

// data -> out.
template <class T>
void forward(const Call& call) {
  const PoolShape s = pool_shape(call, call.in[0], call.out[0]);
  const T* data = call.in[0].as<T>();
  T* out = call.out[0].as<T>();
  if (volume(s.out) == 0) return;
  const std::vector<Int> places = places_of(s);
  const std::vector<T> counts[3] = {counts_of<T>(s, 0), counts_of<T>(s, 1), counts_of<T>(s, 2)};
  const bool max = s.kind == kMax;
  const auto plane_of = [&](auto rows, const T* plane, T* to) {
    for_each_row(s, [&](Int z, Int y, Int at) {
      rows.join(max, places, s.padded[2], s.stride[2], plane + at, to, s.out[2]);
      if (s.kind == kAvg) {
        const T count = counts[0][z] * counts[1][y];
        for (Int x = 0; x < s.out[2]; ++x) to[x] /= count * counts[2][x];
      }
      to += s.out[2];
    });
  };
  with_rows<T>(s, [&](auto rows) {
    parallel_for(s.planes, grain_of(s), [&](Int begin, Int end) {
      const Scratch<T> padded(s.fits() ? 0 : volume(s.padded));
      if (!s.fits()) std::fill_n(padded.get(), volume(s.padded), max ? kLowest<T> : T(0));
      for (Int i = begin; i < end; ++i) {
        const T* plane = data + i * volume(s.in);
        T* to = out + i * volume(s.out);
        if (s.whole()) {
          *to = join_all(plane, volume(s.in), max);
          if (s.kind == kAvg) *to /= static_cast<T>(volume(s.in));
          continue;
        }
        if (!s.fits()) copy_rows(s, plane, padded.get());
        plane_of(rows, s.fits() ? plane : padded.get(), to);
      }
    });
  });
}

// head[, data] -> gradient by data.
template <class T>
void backward(const Call& call) {
  const PoolShape s = pool_shape(call, call.out[0], call.in[0]);
  const T* heads = call.in[0].as<T>();
  const T* data = s.kind == kMax ? call.in[1].as<T>() : nullptr;
  T* out = call.out[0].as<T>();
  if (volume(s.in) == 0) return;
  const std::vector<Int> places = places_of(s);
  const std::vector<T> counts[3] = {counts_of<T>(s, 0), counts_of<T>(s, 1), counts_of<T>(s, 2)};
  const Int size = volume(s.padded);
  with_rows<T>(s, [&](auto rows) {
    using Place = typename decltype(rows)::Place;
    parallel_for(s.planes, grain_of(s), [&](Int begin, Int end) {
      const Scratch<T> padded(s.fits() ? 0 : 2 * size), row(2 * s.out[2]);
      const Scratch<Place> chosen(s.out[2]);
      if (!s.fits()) std::fill_n(padded.get(), size, kLowest<T>);
      for (Int i = begin; i < end; ++i) {
        const T* plane = data == nullptr ? nullptr : data + i * volume(s.in);
        const T* head = heads + i * volume(s.out);
        T* to = out + i * volume(s.in);
        if (s.whole()) {
          spread_all(s, plane, s.kind == kAvg ? *head / static_cast<T>(size) : *head, to);
          continue;
        }
        T* sums = s.fits() ? to : padded.get() + size;
        std::fill_n(sums, size, T(0));
        if (!s.fits() && plane != nullptr) {
          copy_rows(s, plane, padded.get());
          plane = padded.get();
        }
        for_each_row(s, [&](Int z, Int y, Int at) {
          const T* share = head;
          if (s.kind == kAvg) {
            const T count = counts[0][z] * counts[1][y];
            for (Int x = 0; x < s.out[2]; ++x) row.get()[x] = head[x] / (count * counts[2][x]);
            share = row.get();
          }
          rows.spread(places, s.padded[2], s.stride[2], plane == nullptr ? nullptr : plane + at,
                      share, sums + at, s.out[2], row.get() + s.out[2], chosen.get());
          head += s.out[2];
        });
        if (!s.fits()) copy_rows_back(s, sums, to);
      }
    });
  });
}

template <KernelFn of_float, KernelFn of_double>
void by_dtype(const Call& call) {
  call.in[0].dtype == DType::f32 ? of_float(call) : of_double(call);
}

}  // namespace
}  // namespace baryon::BARYON_ISA

BARYON_REGISTER(pooling) {
  using namespace baryon;
  using namespace baryon::BARYON_ISA;
  constexpr auto floats = same_dtype<DType::f32, DType::f64>;
  add("Pooling", by_dtype<forward<float>, forward<double>>, floats);
  add("_backward_Pooling", by_dtype<backward<float>, backward<double>>, floats);
}
