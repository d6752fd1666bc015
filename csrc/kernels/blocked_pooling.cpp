// Pooling of channel-blocked images, its gradient, and what changes the layout of images.
#include <algorithm>
#include <vector>

#include "../kernel.h"
#include "../parallel.h"
#include "blocked_tile.h"
#include "transpose.h"

namespace baryon::BARYON_ISA {
namespace {

enum Kind { kMax, kAvg, kSum };
constexpr Int kWork = 16384;  // elements that are worth another thread

// One or two spatial axes; a missing one has size 1.
struct Pool {
  Kind kind;
  bool count_pad;
  Int planes, in[2], out[2], kernel[2], stride[2], pad[2];

  Pool(const Call& call, const Tensor& data, const Tensor& result)
      : kind(static_cast<Kind>(call.params[0])),
        count_pad(call.params[1] != 0),
        planes(data.shape[0] * data.shape[1]) {
    const int rank = data.ndim - 3;
    for (int i = 0; i < 2; ++i) {
      const int axis = i - (2 - rank);
      const auto param = [&](int which) {
        return static_cast<Int>(call.params[2 + which * rank + axis]);
      };
      in[i] = axis < 0 ? 1 : data.shape[2 + axis];
      out[i] = axis < 0 ? 1 : result.shape[2 + axis];
      kernel[i] = axis < 0 ? 1 : param(0);
      stride[i] = axis < 0 ? 1 : param(1);
      pad[i] = axis < 0 ? 0 : param(2);
    }
  }

  // The places of one axis that window `at` covers, and how many a mean counts.
  struct Span {
    Int from, to, counted;
  };
  Span span(int axis, Int at) const {
    const Int from = at * stride[axis] - pad[axis];
    const Int to = std::min(from + kernel[axis], in[axis] + pad[axis]);
    const Int first = std::max<Int>(from, 0), last = std::min(to, in[axis]);
    return {first, last, std::max<Int>(count_pad ? to - from : last - first, 1)};
  }
};

constexpr float kLowest = -3.40282346638528859812e+38f;

// Whether `value` takes a maximum's place: lane by lane all ones or zero; NaN passes on.
inline auto takes(Lane value, Lane best) {
  return (value > best) | ((value != value) & (best == best));
}

// Calls body(span of rows, span of columns, index of the window) for all windows of a plane.
template <class Body>
void each_window(const Pool& p, const Body& body) {
  for (Int y = 0, at = 0; y < p.out[0]; ++y) {
    const Pool::Span rows = p.span(0, y);
    for (Int x = 0; x < p.out[1]; ++x, ++at) body(rows, p.span(1, x), at);
  }
}

template <class Body>
void each_plane(const Pool& p, const Body& body) {
  parallel_for(p.planes, 1 + kWork / (1 + p.in[0] * p.in[1] * kBlock), [&](Int begin, Int end) {
    for (Int i = begin; i < end; ++i)
      body(i * p.in[0] * p.in[1] * kBlock, i * p.out[0] * p.out[1] * kBlock);
  });
}

void forward(const Call& call) {
  const Pool p(call, call.in[0], call.out[0]);
  const float* data = call.in[0].as<float>();
  float* out = call.out[0].as<float>();
  each_plane(p, [&](Int in_at, Int out_at) {
    const float* plane = data + in_at;
    each_window(p, [&](Pool::Span rows, Pool::Span columns, Int at) {
      Lane joined = broadcast(p.kind == kMax ? kLowest : 0.0f);
      for (Int y = rows.from; y < rows.to; ++y)
        for (Int x = columns.from; x < columns.to; ++x) {
          const Lane value = load(plane + (y * p.in[1] + x) * kBlock);
          joined = p.kind != kMax ? joined + value : takes(value, joined) ? value : joined;
        }
      if (p.kind == kAvg) joined /= static_cast<float>(rows.counted * columns.counted);
      store(out + out_at + at * kBlock, joined);
    });
  });
}

// The head gradient of a maximum goes to the first largest place of its window.
void spread_maximum(const Pool& p, const float* plane, const Pool::Span& rows,
                    const Pool::Span& columns, Lane head, float* to) {
  Lane best = broadcast(kLowest);
  decltype(best > best) chosen{};
  chosen -= 1;
  for (Int y = rows.from; y < rows.to; ++y)
    for (Int x = columns.from; x < columns.to; ++x) {
      const Int place = y * p.in[1] + x;
      const Lane value = load(plane + place * kBlock);
      const auto take = takes(value, best);
      best = take ? value : best;
      chosen = take ? decltype(chosen){} + static_cast<int>(place) : chosen;
    }
  for (Int y = rows.from; y < rows.to; ++y)
    for (Int x = columns.from; x < columns.to; ++x) {
      const Int place = y * p.in[1] + x;
      float* at = to + place * kBlock;
      store(at, load(at) + (chosen == static_cast<int>(place) ? head : Lane{}));
    }
}

// head[, data] -> gradient by data.
void backward(const Call& call) {
  const Pool p(call, call.out[0], call.in[0]);
  const float* heads = call.in[0].as<float>();
  const float* data = p.kind == kMax ? call.in[1].as<float>() : nullptr;
  float* out = call.out[0].as<float>();
  each_plane(p, [&](Int in_at, Int out_at) {
    float* to = out + in_at;
    std::fill_n(to, p.in[0] * p.in[1] * kBlock, 0.0f);
    each_window(p, [&](Pool::Span rows, Pool::Span columns, Int at) {
      Lane head = load(heads + out_at + at * kBlock);
      if (p.kind == kMax) return spread_maximum(p, data + in_at, rows, columns, head, to);
      if (p.kind == kAvg) head /= static_cast<float>(rows.counted * columns.counted);
      for (Int y = rows.from; y < rows.to; ++y)
        for (Int x = columns.from; x < columns.to; ++x) {
          float* place = to + (y * p.in[1] + x) * kBlock;
          store(place, load(place) + head);
        }
    });
  });
}

bool fits(const Call& call) {
  const Tensor& data = call.in[0];
  return same_dtype<DType::f32>(call) && (data.ndim == 4 || data.ndim == 5) &&
         data.shape[data.ndim - 1] == kBlock;
}

// ---- layouts -----------------------------------------------------------------------------------

// (batch, channels, *space) -> (batch, channels / kBlock, *space, kBlock), or back. Unused lanes of
// the last block become 0.
template <bool blocks>
void reorder(const Call& call) {
  const Tensor &blocked = blocks ? call.out[0] : call.in[0],
               &plain = blocks ? call.in[0] : call.out[0];
  const Int count = blocked.shape[1], channels = plain.shape[1];
  Int pixels = 1;
  for (int i = 2; i < blocked.ndim - 1; ++i) pixels *= blocked.shape[i];
  const float* from = call.in[0].as<float>();
  float* to = call.out[0].as<float>();
  const Int plane = pixels * kBlock;
  parallel_for(blocked.shape[0] * count, 1 + kWork / (1 + plane), [&](Int begin, Int end) {
    for (Int i = begin; i < end; ++i) {
      const Int at = i * plane, first = i % count * kBlock;
      const Int plain_at = (i / count * channels + first) * pixels;
      const Int used = std::min<Int>(kBlock, channels - first);
      if (blocks) {
        if (used < kBlock) std::fill_n(to + at, plane, 0.0f);
        transpose_block(to + at, kBlock, from + plain_at, pixels, pixels, used);
      } else {
        transpose_block(to + plain_at, pixels, from + at, kBlock, used, pixels);
      }
    }
  });
}

template <bool blocks>
bool reorders(const Call& call) {
  const Tensor &blocked = blocks ? call.out[0] : call.in[0],
               &plain = blocks ? call.in[0] : call.out[0];
  return same_dtype<DType::f32>(call) && plain.ndim >= 2 && blocked.ndim == plain.ndim + 1 &&
         blocked.shape[blocked.ndim - 1] == kBlock &&
         blocked.shape[1] == parts(plain.shape[1], kBlock);
}

}  // namespace
}  // namespace baryon::BARYON_ISA

BARYON_REGISTER(blocked_pooling) {
  using namespace baryon;
  using namespace baryon::BARYON_ISA;
  add("_blocked_Pooling", forward, fits);
  add("_blocked__backward_Pooling", backward, fits);
  add("_to_blocked", reorder<true>, reorders<true>);
  add("_from_blocked", reorder<false>, reorders<false>);
}
