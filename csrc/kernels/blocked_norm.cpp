// Batch normalisation of channel-blocked images, (batch, channels / kBlock, pixels, kBlock). With
// moving statistics, the last block may have unused lanes.
#include <algorithm>
#include <cmath>

#include "../kernel.h"
#include "../parallel.h"
#include "blocked_finish.h"
#include "blocked_moments.h"

namespace baryon::BARYON_ISA {
namespace {

using Layout = BlockedLayout;

Layout layout_of(const Call& call) {
  const double* p = call.params;
  const Int given = static_cast<Int>(p[1]);
  return {static_cast<Int>(p[0]), parts(given, kBlock), static_cast<Int>(p[2]), given};
}

// body(offset of a plane, block) for all planes.
template <class Body>
void each_plane(const Layout& l, const Body& body) {
  parallel_for(l.batch * l.blocks, 1 + kWork / (1 + l.plane()), [&](Int begin, Int end) {
    for (Int i = begin; i < end; ++i) body(i * l.plane(), i % l.blocks);
  });
}

// Of each channel.
struct Line {
  const float *middle, *factor, *start;
};

void place(const Layout& l, const float* x, const Line& line, float* y, const Finish& finish) {
  each_plane(l, [&](Int at, Int block) {
    const Int k = block * kBlock, used = l.given - k;
    const Lane middle = load_part(line.middle + k, used);
    const Lane factor = load_part(line.factor + k, used), start = load_part(line.start + k, used);
    for (Int i = at; i < at + l.plane(); i += kBlock)
      store(y + i, finish((load(x + i) - middle) * factor + start, y + i));
  });
}

// data, gamma, beta, moving mean and variance -> out, mean, scale (1 over the deviation).
void normalise(const Call& call, const Finish& finish) {
  const Layout l = layout_of(call);
  const bool batch = call.params[3] != 0, fixed = call.params[4] != 0;
  const double eps = call.params[5];
  const float *x = call.in[0].as<float>(), *gamma = call.in[1].as<float>();
  const float *beta = call.in[2].as<float>(), *moving_mean = call.in[3].as<float>();
  const float* moving_var = call.in[4].as<float>();
  float *y = call.out[0].as<float>(), *mean = call.out[1].as<float>();
  float* scale = call.out[2].as<float>();
  const Int channels = l.given;
  if (fixed) std::fill_n(call.out[3].as<float>(), channels, 1.0f);
  const Moments moments{mean, scale, eps};
  const Scratch<float> factors(channels);
  if (batch) measure(l, x, moments);
  for (Int k = 0; k < channels; ++k) {
    if (!batch) moments.set(k, moving_mean[k], moving_var[k]);
    factors.get()[k] = fixed ? scale[k] : scale[k] * gamma[k];
  }
  place(l, x, {mean, factors.get(), beta}, y, finish);
}

void forward(const Call& call) { normalise(call, Finish()); }

// The same with a tensor that is added, or without; behind the params: low, high, whether there is.
void forward_fused(const Call& call) { normalise(call, finish_of(call, 6, 5)); }

// data, gamma, beta, mean, scale[, addend] -> out, the same numbers once more; behind the sizes:
// whether gamma is 1, low, high, whether there is an addend.
void again(const Call& call) {
  const Layout l = layout_of(call);
  const float *gamma = call.in[1].as<float>(), *scale = call.in[4].as<float>();
  const Scratch<float> factors(l.channels());
  for (Int k = 0; k < l.channels(); ++k)
    factors.get()[k] = call.params[3] != 0 ? scale[k] : scale[k] * gamma[k];
  const Line line{call.in[3].as<float>(), factors.get(), call.in[2].as<float>()};
  place(l, call.in[0].as<float>(), line, call.out[0].as<float>(), finish_of(call, 4, 5));
}

// gamma, beta, moving mean and variance, bias -> scale and shift that do what adding the bias and
// normalising do.
void affine(const Call& call) {
  const double eps = call.params[0];
  const bool fixed = call.params[1] != 0;
  const auto in = [&](int i) { return call.in[i].as<float>(); };
  const float *gamma = in(0), *beta = in(1), *mean = in(2), *var = in(3), *bias = in(4);
  float *scale = call.out[0].as<float>(), *shift = call.out[1].as<float>();
  const Int count = call.in[0].size();
#pragma omp simd
  for (Int k = 0; k < count; ++k) {
    const double factor = (fixed ? 1.0 : gamma[k]) / std::sqrt(var[k] + eps);
    scale[k] = static_cast<float>(factor);
    shift[k] = static_cast<float>(beta[k] + (static_cast<double>(bias[k]) - mean[k]) * factor);
  }
  if (fixed) std::fill_n(call.out[2].as<float>(), count, 1.0f);
}

// dy, data, gamma, mean, scale, moving mean and variance[, beta] -> gradients by data, gamma and
// beta; `masked`: of the norm and the relu behind it.
template <bool masked>
void backward(const Call& call) {
  const Layout l = layout_of(call);
  const bool batch = call.params[3] != 0, fixed = call.params[4] != 0;
  const float eps = static_cast<float>(call.params[5]);
  const float momentum = static_cast<float>(call.params[6]);
  const float *dy = call.in[0].as<float>(), *x = call.in[1].as<float>();
  const float *gamma = call.in[2].as<float>(), *mean = call.in[3].as<float>();
  const float* scale = call.in[4].as<float>();
  float *dx = call.out[0].as<float>(), *d_gamma = call.out[1].as<float>();
  float *d_beta = call.out[2].as<float>(), *moving_mean = call.out[3].as<float>();
  float* moving_var = call.out[4].as<float>();
  const Int channels = l.channels();
  const Scratch<double> sums(2 * channels);
  const Scratch<float> factors(3 * channels);
  double *one = sums.get(), *two = one + channels;
  float *factor = factors.get(), *flat = factor + channels, *slope = flat + channels;
  const float* beta = masked ? call.in[7].as<float>() : nullptr;
  for (Int k = 0; k < channels; ++k) factor[k] = fixed ? scale[k] : scale[k] * gamma[k];
  // The head gradient, where `apart` is what the data is from the mean.
  const auto head = [=](Int at, Int block, Lane apart) {
    const Lane d = load(dy + at);
    if constexpr (!masked) return d;
    return apart * load(factor + block * kBlock) + load(beta + block * kBlock) <= 0 ? Lane{} : d;
  };
  two_sums(l, one, two, [=](Int at, Int block, Lane& u, Lane& v) {
    const Lane apart = load(x + at) - load(mean + block * kBlock), d = head(at, block, apart);
    u += d;
    v += d * apart;
  });
  for (Int k = 0; k < channels; ++k) {
    const double unit = static_cast<double>(scale[k]);
    d_beta[k] = static_cast<float>(one[k]);
    d_gamma[k] = fixed ? 0.0f : static_cast<float>(two[k] * unit);
    flat[k] = batch ? static_cast<float>(one[k] / l.count()) : 0.0f;
    slope[k] = batch ? static_cast<float>(two[k] * unit * unit / l.count()) : 0.0f;
    if (!batch) continue;
    moving_mean[k] = moving_mean[k] * momentum + mean[k] * (1 - momentum);
    moving_var[k] = moving_var[k] * momentum + (1 / (scale[k] * scale[k]) - eps) * (1 - momentum);
  }
  each_plane(l, [&](Int at, Int block) {
    const Int k = block * kBlock;
    const Lane f = load(factor + k), s = load(slope + k), m = load(mean + k), b = load(flat + k);
    for (Int i = at; i < at + l.plane(); i += kBlock) {
      const Lane apart = load(x + i) - m;
      store(dx + i, (head(i, block, apart) - b - apart * s) * f);
    }
  });
}

template <bool learns>
bool fits(const Call& call) {
  const Tensor& data = call.in[0];
  if (!same_dtype<DType::f32>(call) || data.ndim < 3 || data.shape[data.ndim - 1] != kBlock)
    return false;
  const Layout l = layout_of(call);
  const bool batch = call.params[3] != 0;
  return l.blocks == data.shape[1] && (l.given % kBlock == 0 || !(batch || learns));
}

}  // namespace
}  // namespace baryon::BARYON_ISA

BARYON_REGISTER(blocked_norm) {
  using namespace baryon;
  using namespace baryon::BARYON_ISA;
  add("_blocked_BatchNorm", forward, fits<false>);
  add("_blocked__fused_BatchNorm", forward_fused, fits<false>);
  add("_blocked__again_BatchNorm", again, fits<true>);
  add("_BatchNorm_affine", affine, same_dtype<DType::f32>);
  add("_blocked__backward_masked_BatchNorm", backward<true>, fits<true>);
  add("_blocked__backward_BatchNorm", backward<false>, fits<true>);
}
