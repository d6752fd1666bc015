// Pooling of planes, and its gradient. Maxima pass NaN on and start from the lowest finite value.
#include <algorithm>
#include <vector>

#include "../kernel.h"
#include "../parallel.h"
#include "pool_pairs.h"
#include "room.h"
#include "widened.h"

namespace baryon::BARYON_ISA {
namespace {

enum Kind { kMax, kAvg, kSum };

struct PoolShape {
  Kind kind;
  bool count_pad;
  Int planes;
  Int3 in, out, kernel, stride, pad;

  // One window over all of a plane.
  bool whole() const { return kernel == in && pad == Int3{0, 0, 0} && volume(out) == 1; }
  // Maxima of windows of 2 x 2 that cover every plane exactly.
  bool pairs() const {
    return kind == kMax && kernel == Int3{1, 2, 2} && stride == kernel && pad == Int3{0, 0, 0} &&
           in == Int3{out[0], 2 * out[1], 2 * out[2]};
  }
  // Rows of results in all planes.
  Int out_rows() const { return planes * out[0] * out[1]; }
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
  }
  return s;
}

// What each place of a window adds to where the window begins.
std::vector<Int3> taps_of(const PoolShape& s) {
  std::vector<Int3> taps;
  for (Int z = 0; z < s.kernel[0]; ++z)
    for (Int y = 0; y < s.kernel[1]; ++y)
      for (Int x = 0; x < s.kernel[2]; ++x)
        taps.push_back({z - s.pad[0], y - s.pad[1], x - s.pad[2]});
  return taps;
}

template <class T>
inline bool takes(T value, T best) {
  return (value > best) | ((value != value) & (best == best));
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

// Calls body(pooling, first, count) for ranges of the rows of results in all planes.
template <class T, class Body>
void for_row_pairs(const PoolShape& s, const Body& body) {
  parallel_for(s.out_rows(), 1 + 4096 / s.out[2],
               [&](Int begin, Int end) { body(PairPooling<T>(s.out[2]), begin, end - begin); });
}

// The divisors of a mean: one a row of windows, and a row of them for the last axis.
template <class T>
class Counts {
 public:
  explicit Counts(const PoolShape& s)
      : counts_{counts_of<T>(s, 0), counts_of<T>(s, 1), counts_of<T>(s, 2)} {
    counts_[2].resize(counts_[2].size() + kLanes<T>, T(1));
  }
  Vector<T> at(Int z, Int y, Int x) const {
    return load(counts_[2].data() + x) * (counts_[0][z] * counts_[1][y]);
  }

 private:
  std::vector<T> counts_[3];
};

// Calls body(z, y, x, lanes) for every vector of windows.
template <class T, class Body>
void for_each_vector(const PoolShape& s, const Body& body) {
  for (Int z = 0; z < s.out[0]; ++z)
    for (Int y = 0; y < s.out[1]; ++y)
      for (Int x = 0; x < s.out[2]; x += kLanes<T>)
        body(z, y, x, std::min<Int>(kLanes<T>, s.out[2] - x));
}

// data -> out.
template <class T>
void forward(const Call& call) {
  const PoolShape s = pool_shape(call, call.in[0], call.out[0]);
  const T* data = call.in[0].as<T>();
  T* out = call.out[0].as<T>();
  if (volume(s.out) == 0) return;
  if (s.pairs())
    return for_row_pairs<T>(s, [&](const PairPooling<T>& pooling, Int row, Int count) {
      pooling.forward(data + row * 4 * s.out[2], count, out + row * s.out[2]);
    });
  const bool max = s.kind == kMax;
  const std::vector<Int3> taps = taps_of(s);
  const Counts<T> counts(s);
  parallel_for(s.planes, grain_of(s), [&](Int begin, Int end) {
    if (s.whole()) {
      for (Int i = begin; i < end; ++i) {
        out[i] = join_all(data + i * volume(s.in), volume(s.in), max);
        if (s.kind == kAvg) out[i] /= static_cast<T>(volume(s.in));
      }
      return;
    }
    Room<T> room(s.in, s.stride, s.out, taps, max ? kLowest<T> : T(0));
    for (Int i = begin; i < end; ++i) {
      const T* from = room.fill(data + i * volume(s.in));
      T* to = out + i * volume(s.out);
      for_each_vector<T>(s, [&](Int z, Int y, Int x, Int lanes) {
        const T* at = from + room.row(z, y) + x;
        Vector<T> joined = broadcast(max ? kLowest<T> : T(0));
        for (const Int place : room.places()) {
          const Vector<T> value = load(at + place);
          const auto take = (value > joined) | (value != value);
          joined = !max ? joined + value : take ? value : joined;
        }
        if (s.kind == kAvg) joined /= counts.at(z, y, x);
        store_part(to, joined, lanes);
        to += lanes;
      });
    }
  });
}

// Adds the head gradient of a vector of windows: to each first largest place, or to all places.
template <class T>
void spread(const std::vector<Int>& places, const T* data, Vector<T> head, T* sums) {
  decltype(head > head) chosen{};
  if (data != nullptr) {
    Vector<T> best = broadcast(kLowest<T>);
    chosen -= 1;
    for (std::size_t p = 0; p < places.size(); ++p) {
      const Vector<T> value = load(data + places[p]);
      const auto take = replaces<T>(value, best);
      best = take ? value : best;
      chosen = take ? decltype(chosen){} + static_cast<int>(p) : chosen;
    }
  }
  for (std::size_t p = 0; p < places.size(); ++p) {
    T* to = sums + places[p];
    const auto here = chosen == static_cast<int>(p);
    store(to, load(to) + (data == nullptr ? head : here ? head : Vector<T>{}));
  }
}

// head[, data] -> gradient by data.
template <class T>
void backward(const Call& call) {
  const PoolShape s = pool_shape(call, call.out[0], call.in[0]);
  const T* heads = call.in[0].as<T>();
  const T* data = s.kind == kMax ? call.in[1].as<T>() : nullptr;
  T* out = call.out[0].as<T>();
  const Int size = volume(s.in);
  if (size == 0) return;
  if (s.pairs())
    return for_row_pairs<T>(s, [&](const PairPooling<T>& pooling, Int row, Int count) {
      pooling.backward(heads + row * s.out[2], data + row * 4 * s.out[2], count,
                       out + row * 4 * s.out[2]);
    });
  const std::vector<Int3> taps = taps_of(s);
  const Counts<T> counts(s);
  parallel_for(s.planes, grain_of(s), [&](Int begin, Int end) {
    if (s.whole()) {
      for (Int i = begin; i < end; ++i)
        spread_all(s, data == nullptr ? nullptr : data + i * size,
                   s.kind == kAvg ? heads[i] / static_cast<T>(size) : heads[i], out + i * size);
      return;
    }
    Room<T> room(s.in, s.stride, s.out, taps, kLowest<T>), sums(s.in, s.stride, s.out, taps, T(0));
    for (Int i = begin; i < end; ++i) {
      const T* plane = data == nullptr ? nullptr : room.fill(data + i * size);
      const T* head = heads + i * volume(s.out);
      sums.clear();
      for_each_vector<T>(s, [&](Int z, Int y, Int x, Int lanes) {
        const Int at = room.row(z, y) + x;
        Vector<T> share = load_part(head, lanes);
        if (s.kind == kAvg) share /= counts.at(z, y, x);
        spread(room.places(), plane == nullptr ? nullptr : plane + at, share, sums.values() + at);
        head += lanes;
      });
      sums.drain(out + i * size);
    }
  });
}

}  // namespace
}  // namespace baryon::BARYON_ISA

BARYON_REGISTER(pooling) {
  using namespace baryon;
  using namespace baryon::BARYON_ISA;
  add("Pooling", by_float_type<forward<float>, forward<double>>, accepts_floats);
  add("_backward_Pooling", by_float_type<backward<float>, backward<double>>, accepts_floats);
}
