// Optimizer updates. Each is a step of one element: from weight, gradient and states to the new
// weight, the states changed in place. Params are in the order of `numbers(...)` in ops/update*.py.
//
// Inputs: weight, gradient, states..., float32 weight with mixed precision. Outputs: weight, then
// what changes, aliasing the inputs.
#include "update_rules.h"

namespace baryon::BARYON_ISA {
namespace {

// Elements that are worth another thread: it computed their gradient, and multiplies by them next.
constexpr Index kShare = kGrain / 4;

// One block: states are read from `from` and written to `to` (the same memory, or another).
template <class T, class Rule>
void update_block(const Rule& rule, const T* w, const T* g, T* out, const T* const* from,
                  T* const* to, Index n) {
  if constexpr (Rule::states == 0) {
#pragma GCC ivdep
    for (Index i = 0; i < n; ++i) out[i] = rule(w[i], g[i]);
  } else if constexpr (Rule::states == 1) {
    const T* a = from[0];
    T* ta = to[0];
#pragma GCC ivdep
    for (Index i = 0; i < n; ++i) {
      T s = a[i];
      out[i] = rule(w[i], g[i], s);
      ta[i] = s;
    }
  } else if constexpr (Rule::states == 2) {
    const T *a = from[0], *b = from[1];
    T *ta = to[0], *tb = to[1];
#pragma GCC ivdep
    for (Index i = 0; i < n; ++i) {
      T s = a[i], t = b[i];
      out[i] = rule(w[i], g[i], s, t);
      ta[i] = s;
      tb[i] = t;
    }
  } else {
    const T *a = from[0], *b = from[1], *c = from[2];
    T *ta = to[0], *tb = to[1], *tc = to[2];
#pragma GCC ivdep
    for (Index i = 0; i < n; ++i) {
      T s = a[i], t = b[i], u = c[i];
      out[i] = rule(w[i], g[i], s, t, u);
      ta[i] = s;
      tb[i] = t;
      tc[i] = u;
    }
  }
}

// Elements [begin, end) of an update of weights of type T.
template <class T, template <class> class Rule>
void plain_range(const Rule<T>& rule, const Tensor* in, const Tensor* out, const Tensor* changed,
                 Index begin, Index end) {
  const T* from[4] = {};
  T* to[4] = {};
  for (int k = 0; k < Rule<T>::states; ++k) {
    from[k] = in[2 + k].as<T>() + begin;
    to[k] = changed[k].as<T>() + begin;
  }
  update_block<T>(rule, in[0].as<T>() + begin, in[1].as<T>() + begin, out->as<T>() + begin, from,
                  to, end - begin);
}

// The same for 16-bit weights, through their float32 copy, which follows the states.
template <template <class> class Rule>
void mixed_range(const Rule<float>& rule, const Tensor* in, const Tensor* out,
                 const Tensor* changed, Index begin, Index end) {
  constexpr int states = Rule<float>::states;
  alignas(64) float grad[kBlock];
  const float* from[4] = {};
  float* to[4] = {};
  for (Index i = begin; i < end; i += kBlock) {
    const Index n = std::min(kBlock, end - i);
    for (int k = 0; k < states; ++k) {
      from[k] = in[2 + k].as<float>() + i;
      to[k] = changed[k].as<float>() + i;
    }
    float* weight = changed[states].as<float>() + i;
    widen(in[1].dtype, at(in[1].data, 2 * i), grad, n);
    update_block<float>(rule, in[2 + states].as<float>() + i, grad, weight, from, to, n);
    narrow(out->dtype, weight, at(out->data, 2 * i), n);
  }
}

template <template <class> class Rule>
void update(const Call& call) {
  const Index n = call.out[0].size();
  parallel_for(n, kShare, [&](Index begin, Index end) {
    if (call.out[0].dtype == DType::f32)
      plain_range<float, Rule>(Rule<float>(call.params), call.in, call.out, call.out + 1, begin,
                               end);
    else
      plain_range<double, Rule>(Rule<double>(call.params), call.in, call.out, call.out + 1, begin,
                                end);
  });
}

template <template <class> class Rule>
void update_mixed(const Call& call) {
  const Rule<float> rule(call.params);
  parallel_for(call.out[0].size(), kShare, [&](Index begin, Index end) {
    mixed_range<Rule>(rule, call.in, call.out, call.out + 1, begin, end);
  });
}

// Half-width weights and gradients, everything else float32.
bool accepts_mixed(const Call& call) {
  for (int i = 0; i < call.n_in; ++i)
    if (i < 2 ? !is_half(call.in[i].dtype) || call.in[i].dtype != call.in[0].dtype
              : call.in[i].dtype != DType::f32)
      return false;
  return call.out[0].dtype == call.in[0].dtype;
}

bool accepts_plain(const Call& call) { return same_dtype<DType::f32, DType::f64>(call); }

// ---- many weights -------------------------------------------------------------------------------

// params = {momentum, rescale_grad, clip_gradient, learning rates..., weight decays...}
template <template <class> class Rule, bool mixed>
void update_many(const Call& call) {
  constexpr int states = Rule<float>::states, changed = states + mixed, stride = 2 + changed;
  const int count = call.n_in / stride;
  Index total = 0;
  for (int k = 0; k < count; ++k) total += call.out[k].size();
  parallel_for(total, kShare, [&](Index begin, Index end) {
    Index first = 0;  // of tensor k among all elements
    for (int k = 0; k < count && first < end; ++k) {
      const Index size = call.out[k].size();
      const Index from = std::max(begin - first, Index{0}), to = std::min(end - first, size);
      first += size;
      if (from >= to) continue;
      const double p[] = {call.params[3 + k], call.params[3 + count + k], call.params[1],
                          call.params[2], call.params[0]};
      const Tensor *in = call.in + k * stride, *states_out = call.out + count + k * changed;
      if constexpr (mixed) {
        mixed_range<Rule>(Rule<float>(p), in, call.out + k, states_out, from, to);
      } else if (call.out[k].dtype == DType::f32) {
        plain_range<float, Rule>(Rule<float>(p), in, call.out + k, states_out, from, to);
      } else {
        plain_range<double, Rule>(Rule<double>(p), in, call.out + k, states_out, from, to);
      }
    }
  });
}

template <int stride>
bool accepts_many_mixed(const Call& call) {
  for (int i = 0; i < call.n_in; ++i)
    if (i % stride < 2 ? !is_half(call.in[i].dtype) || call.in[i].dtype != call.in[0].dtype
                       : call.in[i].dtype != DType::f32)
      return false;
  return true;
}

// ---- AdamW: the gradient's scale is a tensor ----------------------------------------------------

// params = {lr, wd, eta, clip_gradient, beta1, beta2, epsilon}
template <class T>
struct AdamW {
  static constexpr int states = 2;
  T lr, wd, eta, beta1, beta2, epsilon, rest1, rest2;
  Clip<T> clip;
  AdamW(const double* p, double scale)
      : lr(static_cast<T>(p[0])),
        wd(static_cast<T>(p[1])),
        eta(static_cast<T>(p[2])),
        beta1(static_cast<T>(p[4])),
        beta2(static_cast<T>(p[5])),
        epsilon(static_cast<T>(p[6])),
        rest1(static_cast<T>(1 - p[4])),
        rest2(static_cast<T>(1 - p[5])),
        clip(scale, p[3]) {}
  T operator()(T w, T g, T& m, T& v) const {
    g = clip(g);
    m = beta1 * m + rest1 * g;
    v = beta2 * v + rest2 * (g * g);
    return w - eta * (lr * m / (std::sqrt(v) + epsilon) + wd * w);
  }
};

double scale_of(const Tensor& t) {
  return t.dtype == DType::f32 ? static_cast<double>(*t.as<float>()) : *t.as<double>();
}

void copy(const Tensor& from, const Tensor& to) {
  if (from.data != to.data)
    std::memcpy(to.data, from.data, static_cast<std::size_t>(from.size() * item_size(from.dtype)));
}

// A gradient's elements [begin, end), scaled and clipped, to where they are kept.
template <class T>
void keep_scaled(const Clip<T>& clip, const Tensor& grad, const Tensor& kept, Index begin,
                 Index end) {
  const T* from = grad.as<T>();
  T* to = kept.as<T>();
  for (Index i = begin; i < end; ++i) to[i] = clip(from[i]);
}

template <class T>
void adamw_range(const Call& call, double scale, Index begin, Index end) {
  const AdamW<T> rule(call.params, scale);
  plain_range<T, AdamW>(rule, call.in, call.out, call.out + 1, begin, end);
  if (scale == 1 && call.params[3] < 0 && call.in[1].data == call.out[3].data) return;
  keep_scaled<T>(rule.clip, call.in[1], call.out[3], begin, end);
}

// Whether to update at all; if not, everything stays.
bool proceed(const Call& call, double scale, int changed) {
  if (scale != 0 && scale - scale == 0) return true;
  copy(call.in[0], call.out[0]);
  for (int k = 0; k < changed; ++k) copy(call.in[2 + k], call.out[1 + k]);
  return false;
}

void adamw(const Call& call) {
  const double scale = scale_of(call.in[4]);
  if (!proceed(call, scale, 2)) return copy(call.in[1], call.out[3]);
  parallel_for(call.out[0].size(), kShare, [&](Index begin, Index end) {
    if (call.out[0].dtype == DType::f32)
      adamw_range<float>(call, scale, begin, end);
    else
      adamw_range<double>(call, scale, begin, end);
  });
}

void mp_adamw(const Call& call) {
  const double scale = scale_of(call.in[5]);
  if (!proceed(call, scale, 3)) return;
  const AdamW<float> rule(call.params, scale);
  parallel_for(call.out[0].size(), kShare, [&](Index begin, Index end) {
    mixed_range<AdamW>(rule, call.in, call.out, call.out + 1, begin, end);
  });
}

bool real(DType dtype) { return dtype == DType::f32 || dtype == DType::f64; }

bool accepts_adamw(const Call& call) {
  for (int i = 0; i < 4; ++i)
    if (call.in[i].dtype != call.in[0].dtype) return false;
  return real(call.in[0].dtype) && real(call.in[4].dtype) && call.in[4].size() == 1;
}

bool accepts_mp_adamw(const Call& call) {
  for (int i = 2; i < 5; ++i)
    if (call.in[i].dtype != DType::f32) return false;
  return is_half(call.in[0].dtype) && call.in[1].dtype == call.in[0].dtype &&
         real(call.in[5].dtype) && call.in[5].size() == 1;
}

}  // namespace
}  // namespace baryon::BARYON_ISA

BARYON_REGISTER(update) {
  using namespace baryon::BARYON_ISA;
  add("sgd_update", update<Sgd>, accepts_plain);
  add("sgd_mom_update", update<Momentum>, accepts_plain);
  add("nag_mom_update", update<Nesterov>, accepts_plain);
  add("signsgd_update", update<SignSgd>, accepts_plain);
  add("signum_update", update<Signum>, accepts_plain);
  add("mp_sgd_update", update_mixed<Sgd>, accepts_mixed);
  add("mp_sgd_mom_update", update_mixed<Momentum>, accepts_mixed);
  add("mp_nag_mom_update", update_mixed<Nesterov>, accepts_mixed);
  add("adam_update", update<Adam>, accepts_plain);
  add("rmsprop_update", update<RmsProp>, accepts_plain);
  add("rmspropalex_update", update<RmsPropAlex>, accepts_plain);
  add("_sparse_adagrad_update", update<AdaGrad>, accepts_plain);
  add("ftrl_update", update<Ftrl>, accepts_plain);
  add("ftml_update", update<Ftml>, accepts_plain);
  add("lamb_update_phase1", update<Lamb>, accepts_plain);
  add("_adamw_update", adamw, accepts_adamw);
  add("_mp_adamw_update", mp_adamw, accepts_mp_adamw);
  add("multi_sgd_update", update_many<Sgd, false>, accepts_plain);
  add("multi_sgd_mom_update", update_many<Momentum, false>, accepts_plain);
  add("multi_mp_sgd_update", update_many<Sgd, true>, accepts_many_mixed<3>);
  add("multi_mp_sgd_mom_update", update_many<Momentum, true>, accepts_many_mixed<4>);
}
