// Batch normalisation of channel-blocked images, (batch, channels / kBlock, pixels, kBlock). With
// moving statistics, the last block may have unused lanes.
//
// Statistics are sums of differences from the channel's first element: in float over runs of
// pixels, in double from run to run. How they are cut depends on the shapes alone.
#include <algorithm>
#include <cmath>

#include "../kernel.h"
#include "../parallel.h"
#include "blocked_finish.h"

namespace baryon::BARYON_ISA {
namespace {

constexpr Int kRun = 256;     // pixels summed in float
constexpr Int kParts = 8;     // of the batch at most, each with sums of its own
constexpr Int kWork = 16384;  // elements that are worth another thread

struct Layout {
  Int batch, blocks, pixels, given;  // (the channels in use)

  explicit Layout(const double* p)
      : batch(static_cast<Int>(p[0])),
        blocks(parts(static_cast<Int>(p[1]), kBlock)),
        pixels(static_cast<Int>(p[2])),
        given(static_cast<Int>(p[1])) {}
  double count() const { return static_cast<double>(std::max<Int>(batch * pixels, 1)); }
  Int plane() const { return pixels * kBlock; }
  Int channels() const { return blocks * kBlock; }
};

// Two sums a channel: terms(offset of a vector, block, u, v) gives their terms.
template <class Terms>
void two_sums(const Layout& l, double* one, double* two, const Terms& terms) {
  const Int cuts = std::clamp<Int>(l.batch, 1, kParts), channels = l.channels();
  const Scratch<double> sums(2 * cuts * channels);
  parallel_for(cuts * l.blocks, 1 + kWork / (1 + l.batch / cuts * l.plane()),
               [&](Int begin, Int end) {
                 for (Int i = begin; i < end; ++i) {
                   const Int cut = i / l.blocks, block = i % l.blocks;
                   double a[kBlock] = {}, b[kBlock] = {};
                   for (Int n = l.batch * cut / cuts; n < l.batch * (cut + 1) / cuts; ++n)
                     for (Int p = 0; p < l.pixels; p += kRun) {
                       const Int at = (n * l.blocks + block) * l.plane() + p * kBlock;
                       const Int count = std::min(kRun, l.pixels - p);
                       Lane u[2] = {}, v[2] = {};
                       for (Int k = 0; k + 1 < count; k += 2) {
                         terms(at + k * kBlock, block, u[0], v[0]);
                         terms(at + k * kBlock + kBlock, block, u[1], v[1]);
                       }
                       if (count % 2 != 0) terms(at + (count - 1) * kBlock, block, u[0], v[0]);
                       for (int c = 0; c < kBlock; ++c) {
                         a[c] += static_cast<double>(u[0][c] + u[1][c]);
                         b[c] += static_cast<double>(v[0][c] + v[1][c]);
                       }
                     }
                   std::copy_n(a, kBlock, sums.get() + (2 * cut) * channels + block * kBlock);
                   std::copy_n(b, kBlock, sums.get() + (2 * cut + 1) * channels + block * kBlock);
                 }
               });
  for (Int k = 0; k < channels; ++k) {
    one[k] = two[k] = 0;
    for (Int cut = 0; cut < cuts; ++cut) {
      one[k] += sums.get()[2 * cut * channels + k];
      two[k] += sums.get()[(2 * cut + 1) * channels + k];
    }
  }
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
  const Layout l(call.params);
  const bool batch = call.params[3] != 0, fixed = call.params[4] != 0;
  const double eps = call.params[5];
  const float *x = call.in[0].as<float>(), *gamma = call.in[1].as<float>();
  const float *beta = call.in[2].as<float>(), *moving_mean = call.in[3].as<float>();
  const float* moving_var = call.in[4].as<float>();
  float *y = call.out[0].as<float>(), *mean = call.out[1].as<float>();
  float* scale = call.out[2].as<float>();
  const Int channels = l.given;
  if (fixed) std::fill_n(call.out[3].as<float>(), channels, 1.0f);
  const Scratch<double> sums(2 * channels);
  const Scratch<float> factors(channels);
  double *one = sums.get(), *two = one + channels;
  if (batch)
    two_sums(l, one, two, [=](Int at, Int block, Lane& u, Lane& v) {
      const Lane apart = load(x + at) - load(x + block * l.plane());
      u += apart;
      v += apart * apart;
    });
  for (Int k = 0; k < channels; ++k) {
    double m = static_cast<double>(moving_mean[k]), var = static_cast<double>(moving_var[k]);
    if (batch) {
      const double shift = one[k] / l.count();
      const float first = l.batch * l.pixels == 0 ? 0 : x[k / kBlock * l.plane() + k % kBlock];
      m = static_cast<double>(first) + shift;
      var = std::max(0.0, two[k] / l.count() - shift * shift);
      if (two[k] != two[k]) var = two[k];
    }
    mean[k] = static_cast<float>(m);
    scale[k] = static_cast<float>(1 / std::sqrt(var + eps));
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
  const Layout l(call.params);
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

// dy, data, gamma, mean, scale, moving mean and variance -> gradients by data, gamma and beta.
void backward(const Call& call) {
  const Layout l(call.params);
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
  two_sums(l, one, two, [=](Int at, Int block, Lane& u, Lane& v) {
    const Lane d = load(dy + at);
    u += d;
    v += d * (load(x + at) - load(mean + block * kBlock));
  });
  for (Int k = 0; k < channels; ++k) {
    const double unit = static_cast<double>(scale[k]);
    d_beta[k] = static_cast<float>(one[k]);
    d_gamma[k] = fixed ? 0.0f : static_cast<float>(two[k] * unit);
    factor[k] = fixed ? scale[k] : scale[k] * gamma[k];
    flat[k] = batch ? static_cast<float>(one[k] / l.count()) : 0.0f;
    slope[k] = batch ? static_cast<float>(two[k] * unit * unit / l.count()) : 0.0f;
    if (!batch) continue;
    moving_mean[k] = moving_mean[k] * momentum + mean[k] * (1 - momentum);
    moving_var[k] = moving_var[k] * momentum + (1 / (scale[k] * scale[k]) - eps) * (1 - momentum);
  }
  each_plane(l, [&](Int at, Int block) {
    const Int k = block * kBlock;
    const Lane f = load(factor + k), s = load(slope + k), m = load(mean + k), b = load(flat + k);
    for (Int i = at; i < at + l.plane(); i += kBlock)
      store(dx + i, (load(dy + i) - b - (load(x + i) - m) * s) * f);
  });
}

template <bool learns>
bool fits(const Call& call) {
  const Tensor& data = call.in[0];
  if (!same_dtype<DType::f32>(call) || data.ndim < 3 || data.shape[data.ndim - 1] != kBlock)
    return false;
  const Layout l(call.params);
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
  add("_blocked__backward_BatchNorm", backward, fits<true>);
}
