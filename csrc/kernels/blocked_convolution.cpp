// Convolution and its gradients on channel-blocked images, (batch, channels / kBlock, *space,
// kBlock), over one or two spatial axes. Data of few channels may come plane by plane. Forward, the
// last block may have unused lanes, which become 0.
#include <algorithm>
#include <numeric>

#include "../kernel.h"
#include "../parallel.h"
#include "blocked_call.h"
#include "blocked_depthwise.h"
#include "blocked_finish.h"
#include "blocked_pack.h"
#include "blocked_product.h"
#include "blocked_weight.h"
#include "winograd.h"
#include "winograd_weight.h"

namespace baryon::BARYON_ISA {
namespace {

constexpr Int kFewChannels = 8;

// params: groups, then four numbers an axis, then others.
int given(const Call& call, int rank) { return call.n_params - 1 - 4 * rank; }

// The last two numbers: whether windows of 3 x 3 may be computed by Winograd's method, and whether
// what is made of weights may be kept. All samples of a call share what that saves, and the more
// there are, the more must be saved for it to count: what is kept shrinks with their square.
bool keeps(const Call& call, const ConvShape& s) {
  constexpr double kMost = 576 << 20;  // bytes of a call of one sample
  const bool small_windows = s.taps() == 9 && s.groups == 1;
  const Int numbers = small_windows ? LargeTiles::kPlaces * s.channels : s.depth();
  const auto bytes = static_cast<double>(s.filters * numbers) * sizeof(float);
  const auto samples = static_cast<double>(s.batch);
  return call.params[call.n_params - 1] != 0 && bytes * samples * samples <= kMost;
}

// The side of the tiles of Winograd's method, or 0.
int winograd_step(const Call& call, const ConvShape& s) {
  const bool may = call.params[call.n_params - 2] != 0 && s.groups == 1 && is_whole(s);
  return may ? winograd_step(s, keeps(call, s)) : 0;
}

// What a convolution does to its filters and to its results, and what it is to say of these.
struct Ending {
  const float *bias = nullptr, *scale = nullptr;
  Finish finish;
  const Moments* moments = nullptr;
  const OnLoad* norm = nullptr;  // of the data
};

// Calls `run` with the kind of tiles that have this side.
template <class Run>
auto with_tiles(int step, const Run& run) {
  return step == LargeTiles::kStep ? run(LargeTiles()) : run(SmallTiles());
}

// Floats of transformed weights.
Int spread_size(int step, const ConvShape& s) {
  return with_tiles(
      step, [&](auto tiles) { return SpreadWeights<decltype(tiles)>(s, nullptr, false).all(); });
}

// A product of images of `channels` with weights that are transformed.
void winograd(int step, const Call& call, const ConvShape& s, const Tensor& data, const Tensor& out,
              const Ending& ending, bool turned) {
  WinogradProduct p{};
  const Int channels = turned ? s.filters : s.channels, filters = turned ? s.channels : s.filters;
  ConvShape results = s;  // whose tiles are computed
  if (turned) results.out = s.in;
  const Int3& size = turned ? s.out : s.in;
  p.data = {data.as<float>(), channels / kBlock, size[1], size[2]};
  p.data.pad_y = turned ? 2 - s.pad[1] : s.pad[1];
  p.data.pad_x = turned ? 2 - s.pad[2] : s.pad[2];
  p.results = {out.as<float>(), filters / kBlock, results.out[1], results.out[2]};
  p.spread = static_cast<const float*>(call.kept);
  p.bias = ending.bias;
  p.scale = ending.scale;
  p.finish = ending.finish;
  p.data.norm = ending.norm;
  p.out = out.as<float>();
  with_tiles(step, [&](auto tiles) {
    using Tiles = decltype(tiles);
    const TileGrid grid(results, step);
    const SpreadWeights<Tiles> spread(s, call.in[1].as<float>(), turned);
    if (call.kept != nullptr && !call.filled) spread.spread_all(static_cast<float*>(call.kept));
    const PartMoments parts(ending.moments == nullptr ? 0 : grid.all(), filters);
    if (ending.moments != nullptr) p.parts = &parts;
    WinogradRunner<Tiles>(p, grid, spread).run();
    if (ending.moments != nullptr) parts.join(*ending.moments);
  });
}

bool simple(const Call& call, int rank) {
  return same_dtype<DType::f32>(call) && (rank == 1 || rank == 2);
}
// One group, or a channel and a filter each, both tensors blocked.
bool groups_fit(const ConvShape& s, const Tensor& data, const Tensor& out) {
  return s.groups == 1 || (s.groups == s.channels && s.groups == s.filters &&
                           data.ndim == out.ndim && data.shape[1] == out.shape[1]);
}
// Blocked, or of few channels; as many as the weights say.
bool data_fits(const ConvShape& s, const Tensor& data, int rank) {
  if (is_blocked(data, rank)) return data.shape[1] == parts(s.channels, kBlock);
  return data.ndim == rank + 2 && data.shape[1] == s.channels && s.channels <= kFewChannels;
}
bool sizes_fit(const Call& call, const Tensor& data, const Tensor& weight, const Tensor& out) {
  const int rank = out.ndim - 3;
  if (!simple(call, rank) || !is_blocked(out, rank) || weight.ndim != rank + 2) return false;
  const ConvShape s = shape_of(call, data, weight, out);
  return out.shape[1] == parts(s.filters, kBlock) && data_fits(s, data, rank) &&
         groups_fit(s, data, out);
}

BlockedProduct product_of(const Tensor& data, const Tensor& out) {
  BlockedProduct p{};
  p.batch = data.shape[0];
  p.data = data.as<float>();
  p.out = out.as<float>();
  return p;
}

std::vector<Int> all_taps(const ConvShape& s) {
  std::vector<Int> all(static_cast<std::size_t>(s.taps()));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

void convolve_directly(const Call& call, const ConvShape& s, const Ending& ending) {
  const Tensor &data = call.in[0], &out = call.out[0];
  BlockedProduct p = product_of(data, out);
  p.blocked = data.ndim == out.ndim;
  p.channels = s.channels;
  p.filter_blocks = out.shape[1];
  p.size = s.in;
  p.grid = p.out_size = s.out;
  p.step = s.stride;
  p.out_step = {1, 1, 1};
  p.taps = taps_of(s);
  const ByLanes bias(ending.bias, s.filters), scale(ending.scale, s.filters);
  p.bias = bias.get();
  p.scale = scale.get();
  p.finish = ending.finish;
  const float* weight = call.in[1].as<float>();
  const bool lasts = call.kept != nullptr;
  const Int numbers = p.filter_blocks * kBlock * s.depth();  // of packed weights
  if (s.groups > 1) {
    const Scratch<float> packed(lasts ? 0 : numbers);
    p.weights = made(call, packed, [&](float* to) { pack_depthwise(s, weight, all_taps(s), to); });
    return DepthwiseRunner(p).run();
  }
  const Int inner = p.inner();
  p.pack = [&](Int block, float* to) { pack_pair(s, weight, inner, block, to); };
  // Weights that are read once or twice are packed by who reads them, and stay in its cache.
  const BlockedRunner alone(p);
  if (!lasts && alone.chunks() <= 2) return alone.run();
  const Scratch<float> packed(lasts ? 0 : numbers);
  p.weights = made(call, packed, [&](float* to) { pack_forward(s, weight, inner, to); });
  BlockedRunner(p).run();
}

void convolve(const Call& call, const Ending& ending) {
  const Tensor &data = call.in[0], &out = call.out[0];
  const ConvShape s = shape_of(call, data, call.in[1], out);
  const bool empty = s.batch == 0 || volume(s.out) == 0;
  const int step = data.ndim == out.ndim && !empty ? winograd_step(call, s) : 0;
  if (step != 0) return winograd(step, call, s, data, out, ending, false);
  if (!empty) convolve_directly(call, s, ending);
  if (ending.moments != nullptr)
    measure({s.batch, s.filters / kBlock, volume(s.out), s.filters}, out.as<float>(),
            *ending.moments);
}

// Floats of packed or transformed weights, in bytes.
std::int64_t kept_bytes(const Call& call) {
  const Tensor &data = call.in[0], &out = call.out[0];
  const ConvShape s = shape_of(call, data, call.in[1], out);
  if (!keeps(call, s)) return 0;
  const int step = data.ndim == out.ndim ? winograd_step(call, s) : 0;
  const Int count = step != 0 ? spread_size(step, s) : out.shape[1] * kBlock * s.depth();
  return count * static_cast<Int>(sizeof(float));
}

// data, weight[, bias] -> out.
void forward(const Call& call) {
  Ending ending;
  if (call.n_in == 3) ending.bias = call.in[2].as<float>();
  convolve(call, ending);
}

// data, weight, bias, scale[, addend] -> out; behind the convolution's params: low, high, whether
// there is an addend, and the last two of all convolutions.
void forward_fused(const Call& call) {
  Ending ending;
  ending.bias = call.in[2].as<float>();
  ending.scale = call.in[3].as<float>();
  ending.finish = finish_of(call, call.n_params - 5, 4);
  convolve(call, ending);
}

void measured(const Call& call, int bias, int eps, const OnLoad* norm) {
  const Moments moments{call.out[1].as<float>(), call.out[2].as<float>(), call.params[eps]};
  Ending ending;
  if (call.n_in > bias) ending.bias = call.in[bias].as<float>();
  ending.moments = &moments;
  ending.norm = norm;
  convolve(call, ending);
}

// data, weight[, bias] -> out, mean and scale of its channels; behind the convolution's params:
// eps, and the last two of all convolutions.
void forward_measured(const Call& call) { measured(call, 2, call.n_params - 3, nullptr); }

// data, weight, four vectors of a batch norm of the data[, bias] -> the same; behind eps: whether
// gamma is 1, and bounds of the normalised data.
void forward_normed(const Call& call) {
  const NormOfCall norm(call, 2, call.n_params - 5);
  measured(call, 6, call.n_params - 6, &norm.get());
}

// head, weight -> gradient by data: a product for each phase of the stride.
void backward_data(const Call& call) {
  const ConvShape s = shape_of(call, call.out[0], call.in[1], call.in[0]);
  if (s.batch == 0 || volume(s.in) == 0) return;
  if (const int step = winograd_step(call, s); step != 0)
    return winograd(step, call, s, call.in[0], call.out[0], Ending(), true);
  const Scratch<float> packed(s.filters * s.depth());
  for_each_place(s.stride, [&](Int, const Int3& phase) {
    BlockedProduct p = product_of(call.in[0], call.out[0]);
    p.blocked = true;
    p.channels = s.filters;
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
    p.weights = packed.get();
    if (s.groups > 1) {
      pack_depthwise(s, call.in[1].as<float>(), chosen, packed.get());
      DepthwiseRunner(p).run();
    } else {
      pack_backward(s, call.in[1].as<float>(), chosen, packed.get());
      BlockedRunner(p).run();
    }
  });
}

// head, data -> gradients by weight and bias (where there is one).
void backward_weight(const Call& call) {
  const Tensor &head = call.in[0], &data = call.in[1];
  const ConvShape s = shape_of(call, data, call.out[0], head);
  float* weight = call.out[0].as<float>();
  if (s.batch == 0 || volume(s.out) == 0) {
    std::fill_n(weight, s.filters * s.depth(), 0.0f);
  } else if (s.groups > 1) {
    blocked_depthwise_weights(s, head.as<float>(), data.as<float>(), weight);
  } else if (data.ndim == head.ndim && winograd_step(call, s) == LargeTiles::kStep) {
    if (LocalWeights::fits(s))
      LocalWeights(s, head.as<float>(), data.as<float>()).run(weight);
    else
      WinogradWeights(s, head.as<float>(), data.as<float>()).run(weight);
  } else {
    BlockedWeights(s, head.as<float>(), data.as<float>(), data.ndim == head.ndim).run(weight);
  }
  if (call.n_out == 2) blocked_bias(s, head.as<float>(), call.out[1].as<float>());
}

// head, data, four vectors of a batch norm of the data -> the same; behind the convolution's
// params: whether gamma is 1, and bounds of the normalised data.
void backward_weight_normed(const Call& call) {
  const Tensor &head = call.in[0], &data = call.in[1];
  const ConvShape s = shape_of(call, data, call.out[0], head);
  const NormOfCall norm(call, 2, call.n_params - 5);
  LocalWeights(s, head.as<float>(), data.as<float>(), &norm.get()).run(call.out[0].as<float>());
  if (call.n_out == 2) blocked_bias(s, head.as<float>(), call.out[1].as<float>());
}

// `more` numbers stand behind those of a convolution.
template <int more>
bool forward_fits(const Call& call) {
  return given(call, call.out[0].ndim - 3) == more &&
         sizes_fit(call, call.in[0], call.in[1], call.out[0]);
}
bool measured_fits(const Call& call) {
  return forward_fits<3>(call) && call.in[1].shape[0] % kBlock == 0;
}
bool data_gradient_fits(const Call& call) {
  const Tensor &head = call.in[0], &weight = call.in[1], &data = call.out[0];
  return data.ndim == head.ndim && sizes_fit(call, data, weight, head) &&
         is_whole(shape_of(call, data, weight, head));
}
bool weight_gradient_fits(const Call& call) {
  const Tensor &head = call.in[0], &data = call.in[1], &weight = call.out[0];
  if (!sizes_fit(call, data, weight, head)) return false;
  const ConvShape s = shape_of(call, data, weight, head);
  return s.filters % kBlock == 0 && (data.ndim < head.ndim || is_whole(s));
}

// Data is normalised as it is read where that is done for one core's cache.
bool normed_fits(const Call& call) {
  const Tensor &data = call.in[0], &out = call.out[0];
  const int rank = out.ndim - 3;
  if (!simple(call, rank) || given(call, rank) != 6 || !is_blocked(data, rank)) return false;
  const ConvShape s = shape_of(call, data, call.in[1], out);
  const int step = winograd_step(call, s);
  return step != 0 && spread_size(step, s) <= kLocalWeights;
}
bool normed_weight_gradient_fits(const Call& call) {
  const Tensor &head = call.in[0], &data = call.in[1];
  const int rank = head.ndim - 3;
  if (!simple(call, rank) || given(call, rank) != 5 || !is_blocked(data, rank)) return false;
  const ConvShape s = shape_of(call, data, call.out[0], head);
  return s.batch > 0 && winograd_step(call, s) == LargeTiles::kStep && LocalWeights::fits(s);
}

}  // namespace
}  // namespace baryon::BARYON_ISA

BARYON_REGISTER(blocked_convolution) {
  using namespace baryon;
  using namespace baryon::BARYON_ISA;
  add("_blocked_Convolution", forward, forward_fits<2>, kept_bytes);
  add("_blocked__fused_Convolution", forward_fused, forward_fits<5>, kept_bytes);
  add("_blocked__measured_Convolution", forward_measured, measured_fits, kept_bytes);
  add("_blocked__normed_Convolution", forward_normed, normed_fits, kept_bytes);
  add("_blocked__backward_Convolution_data", backward_data, data_gradient_fits);
  add("_blocked__backward_Convolution_weight", backward_weight, weight_gradient_fits);
  add("_blocked__backward_normed_Convolution_weight", backward_weight_normed,
      normed_weight_gradient_fits);
}
