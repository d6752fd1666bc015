// Convolution and its gradients on channel-blocked images, (batch, channels / kBlock, *space,
// kBlock), over one or two spatial axes. Data of few channels may come plane by plane.
#include <algorithm>

#include "../kernel.h"
#include "../parallel.h"
#include "blocked_pack.h"
#include "blocked_product.h"
#include "blocked_weight.h"
#include "winograd_weight.h"

namespace baryon::BARYON_ISA {
namespace {

constexpr Int kFewChannels = 8;

// The sizes, from blocked `out` and `data` that is blocked or not.
ConvShape shape_of(const Call& call, const Tensor& data, const Tensor& out) {
  Tensor space = data, result = out;
  const bool blocked = data.ndim == out.ndim;
  const auto plain = [](Tensor& t) {
    t.shape[1] *= t.shape[t.ndim - 1];
    --t.ndim;
  };
  if (blocked) plain(space);
  plain(result);
  return conv_shape(call, space, result);
}

bool is_blocked(const Tensor& t, int rank) {
  return t.ndim == rank + 3 && t.shape[t.ndim - 1] == kBlock;
}

// params: groups, then four numbers an axis.
int rank_of(const Call& call) { return (call.n_params - 1) / 4; }

// One number more than the axes have: whether windows of 3 x 3 may be computed by Winograd's
// method.
bool by_winograd(const Call& call, const ConvShape& s) {
  return call.n_params % 4 == 2 && call.params[call.n_params - 1] != 0 && winograd_pays(s);
}

// A product of images of `channels` with weights that are transformed here.
void winograd(const ConvShape& s, const Tensor& data, const Tensor& out, const float* weight,
              const float* bias, bool turned) {
  WinogradProduct p{};
  const Int channels = turned ? s.filters : s.channels, filters = turned ? s.channels : s.filters;
  p.channel_blocks = channels / kBlock;
  p.filter_blocks = filters / kBlock;
  ConvShape results = s;  // whose tiles are computed
  if (turned) results.out = s.in;
  for (int i = 0; i < 2; ++i) {
    p.pad[i] = turned ? 2 - s.pad[1 + i] : s.pad[1 + i];
    p.size[i] = turned ? s.out[1 + i] : s.in[1 + i];
    p.out_size[i] = results.out[1 + i];
  }
  const Scratch<float> spread(kTilePlaces * channels * filters);
  spread_weights(s, weight, turned, spread.get());
  p.data = data.as<float>();
  p.weights = spread.get();
  p.bias = bias;
  p.out = out.as<float>();
  WinogradRunner(p, TileGrid(results, p.channel_blocks + p.filter_blocks)).run();
}

bool simple(const Call& call) {
  return same_dtype<DType::f32>(call) && call.params[0] == 1 && rank_of(call) <= 2;
}
bool data_fits(const Tensor& data, int rank) {
  return is_blocked(data, rank) || (data.ndim == rank + 2 && data.shape[1] <= kFewChannels);
}

BlockedProduct product_of(const Tensor& data, const Tensor& out) {
  BlockedProduct p{};
  p.batch = data.shape[0];
  p.data = data.as<float>();
  p.out = out.as<float>();
  return p;
}

void forward(const Call& call) {
  const Tensor &data = call.in[0], &out = call.out[0];
  const ConvShape s = shape_of(call, data, out);
  if (s.batch == 0 || volume(s.out) == 0) return;
  const float* bias = call.n_in == 3 ? call.in[2].as<float>() : nullptr;
  if (data.ndim == out.ndim && by_winograd(call, s))
    return winograd(s, data, out, call.in[1].as<float>(), bias, false);
  BlockedProduct p = product_of(data, out);
  p.blocked = data.ndim == out.ndim;
  p.groups = p.blocked ? s.channels / kBlock : s.channels;
  p.filter_blocks = s.filters / kBlock;
  p.size = s.in;
  p.grid = p.out_size = s.out;
  p.step = s.stride;
  p.out_step = {1, 1, 1};
  p.taps = taps_of(s);
  const Scratch<float> packed(s.filters * s.depth());
  pack_forward(s, call.in[1].as<float>(), p.inner(), packed.get());
  p.weights = packed.get();
  p.bias = bias;
  BlockedRunner(p).run();
}

// head, weight -> gradient by data: a product for each phase of the stride.
void backward_data(const Call& call) {
  const ConvShape s = shape_of(call, call.out[0], call.in[0]);
  if (s.batch == 0 || volume(s.in) == 0) return;
  if (by_winograd(call, s))
    return winograd(s, call.in[0], call.out[0], call.in[1].as<float>(), nullptr, true);
  const Scratch<float> packed(s.filters * s.depth());
  for_each_place(s.stride, [&](Int, const Int3& phase) {
    BlockedProduct p = product_of(call.in[0], call.out[0]);
    p.blocked = true;
    p.groups = s.filters / kBlock;
    p.filter_blocks = s.channels / kBlock;
    p.size = s.out;
    p.out_size = s.in;
    p.step = {1, 1, 1};
    p.out_step = s.stride;
    p.out_begin = phase;
    for (int i = 0; i < 3; ++i) p.grid[i] = parts(s.in[i] - phase[i], s.stride[i]);
    std::vector<Int> chosen;
    for_each_place(s.kernel, [&](Int index, const Int3& at) {
      Int3 tap;
      for (int i = 0; i < 3; ++i) {
        const Int reach = phase[i] + s.pad[i] - at[i] * s.dilate[i];
        if (reach % s.stride[i] != 0) return;
        tap[i] = reach / s.stride[i];
      }
      p.taps.push_back(tap);
      chosen.push_back(index);
    });
    if (volume(p.grid) <= 0) return;
    pack_backward(s, call.in[1].as<float>(), chosen, packed.get());
    p.weights = packed.get();
    BlockedRunner(p).run();
  });
}

// head, data -> gradients by weight and bias (where there is one).
void backward_weight(const Call& call) {
  const Tensor &head = call.in[0], &data = call.in[1];
  const ConvShape s = shape_of(call, data, head);
  float* weight = call.out[0].as<float>();
  if (s.batch == 0 || volume(s.out) == 0) {
    std::fill_n(weight, s.filters * s.depth(), 0.0f);
  } else if (data.ndim == head.ndim && by_winograd(call, s)) {
    WinogradWeights(s, head.as<float>(), data.as<float>()).run(weight);
  } else {
    BlockedWeights(s, head.as<float>(), data.as<float>(), data.ndim == head.ndim).run(weight);
  }
  if (call.n_out == 2) blocked_bias(s, head.as<float>(), call.out[1].as<float>());
}

bool forward_fits(const Call& call) {
  const int rank = rank_of(call);
  return simple(call) && is_blocked(call.out[0], rank) && data_fits(call.in[0], rank);
}
bool data_gradient_fits(const Call& call) {
  const int rank = rank_of(call);
  return simple(call) && is_blocked(call.in[0], rank) && is_blocked(call.out[0], rank);
}
bool weight_gradient_fits(const Call& call) {
  const int rank = rank_of(call);
  return simple(call) && is_blocked(call.in[0], rank) && data_fits(call.in[1], rank);
}

}  // namespace
}  // namespace baryon::BARYON_ISA

BARYON_REGISTER(blocked_convolution) {
  using namespace baryon;
  using namespace baryon::BARYON_ISA;
  add("_blocked_Convolution", forward, forward_fits);
  add("_blocked__backward_Convolution_data", backward_data, data_gradient_fits);
  add("_blocked__backward_Convolution_weight", backward_weight, weight_gradient_fits);
}
