// Activation and LeakyReLU, forward and backward.

#include <cmath>

#include "pointwise.h"
#include "vmath.h"

namespace baryon::BARYON_ISA {
namespace {

// The orders are those of ACTIVATIONS and RECTIFIERS in ops/activation.py.
enum Act { kRelu, kSigmoid, kSoftrelu, kSoftsign, kTanh };
enum Rectifier { kElu, kGelu, kLeaky, kPrelu, kRrelu, kSelu };

constexpr double kSeluAlpha = 1.6732632423543772, kSeluScale = 1.0507009873554805;
constexpr double kRootHalf = 0.70710678118654752440, kRootTwoPi = 2.50662827463100050242;

void activation(const Call& call) {
  switch (static_cast<int>(call.params[0])) {
    case kRelu:  // NaN passes
      return map_inputs<1>(call, [](auto x) { return x < 0 ? decltype(x)(0) : x; });
    case kSigmoid:
      return map_inputs<1>(call, [](auto x) { return vm::sigmoid(x); });
    case kSoftrelu:
      return map_inputs<1>(call, [](auto x) {
        const auto tail = vm::log1p_of_unit(vm::exp_of_negative(-vm::absolute(x)));
        return (x < 0 ? decltype(x)(0) : x) + tail;
      });
    case kSoftsign:
      return map_inputs<1>(call, [](auto x) { return x / (1 + vm::absolute(x)); });
    default:
      return map_inputs<1>(call, [](auto x) { return vm::tanh(x); });
  }
}

void backward_activation(const Call& call) {
  switch (static_cast<int>(call.params[0])) {
    case kRelu:  // NaN passes
      return map_inputs<2>(call, [](auto dy, auto y) { return dy * (y > 0 ? decltype(y)(1) : y); });
    case kSigmoid:
      return map_inputs<2>(call, [](auto dy, auto y) { return dy * (y * (1 - y)); });
    case kSoftrelu:
      return map_inputs<2>(call, [](auto dy, auto y) { return -dy * vm::expm1(-y); });
    case kSoftsign:
      return map_inputs<2>(call, [](auto dy, auto y) {
        const auto rest = 1 - vm::absolute(y);
        return dy * (rest * rest);
      });
    default:
      return map_inputs<2>(call, [](auto dy, auto y) { return dy * (1 - y * y); });
  }
}

inline float erf_of(float x) { return vm::erf(x); }
inline double erf_of(double x) { return std::erf(x); }

template <class T>
inline T gelu_share(T x) {  // the normal distribution function
  return T(0.5) * (1 + erf_of(x * T(kRootHalf)));
}

// `slope` for negative x, and what elu and selu multiply by.
template <class T>
inline T elu(T x, T alpha, T scale) {
  return scale * (x > 0 ? x : alpha * vm::expm1(x > 0 ? T(0) : x));
}
template <class T>
inline T elu_slope(T x, T alpha, T scale) {
  return scale * (x > 0 ? T(1) : alpha * vm::exp(x > 0 ? T(0) : x));
}

// prelu: f(k, slope of its channel) for runs of `inner` elements that share a channel.
template <class T, class F>
void each_run(const Call& call, const T* slopes, const F& f) {
  const Index channels = static_cast<Index>(call.params[2]);
  const Index inner = static_cast<Index>(call.params[3]);
  const Index runs = inner > 0 ? call.out[0].size() / inner : 0;
  parallel_for(runs, std::max<Index>(1, kGrain / std::max<Index>(1, inner)),
               [&](Index begin, Index end) {
                 for (Index r = begin; r < end; ++r) f(r * inner, inner, slopes[r % channels]);
               });
}

template <class T>
void prelu(const Call& call) {
  const T* x = call.in[0].as<T>();
  T* y = call.out[0].as<T>();
  each_run(call, call.in[1].as<T>(), [=](Index at, Index n, T slope) {
#pragma GCC ivdep
    for (Index i = at; i < at + n; ++i) y[i] = x[i] > 0 ? x[i] : slope * x[i];
  });
}

template <class T>
void backward_prelu(const Call& call) {
  const T *dy = call.in[0].as<T>(), *x = call.in[1].as<T>();
  T* dx = call.out[0].as<T>();
  each_run(call, call.in[2].as<T>(), [=](Index at, Index n, T slope) {
#pragma GCC ivdep
    for (Index i = at; i < at + n; ++i) dx[i] = x[i] > 0 ? dy[i] : slope * dy[i];
  });
}

void leaky_relu(const Call& call) {
  const double slope = call.params[1];
  switch (static_cast<int>(call.params[0])) {
    case kElu:
      return map_inputs<1>(call, [=](auto x) { return elu<decltype(x)>(x, slope, 1); });
    case kSelu:
      return map_inputs<1>(call,
                           [](auto x) { return elu<decltype(x)>(x, kSeluAlpha, kSeluScale); });
    case kGelu:
      return map_inputs<1>(call, [](auto x) { return x * gelu_share(x); });
    case kPrelu:
      return call.out[0].dtype == DType::f32 ? prelu<float>(call) : prelu<double>(call);
    default:
      return map_inputs<1>(call, [=](auto x) {
        const auto low = static_cast<decltype(x)>(slope) * x;
        return x > 0 ? x : low;
      });
  }
}

void backward_leaky_relu(const Call& call) {
  const double slope = call.params[1];
  switch (static_cast<int>(call.params[0])) {
    case kElu:
      return map_inputs<2>(
          call, [=](auto dy, auto x) { return dy * elu_slope<decltype(x)>(x, slope, 1); });
    case kSelu:
      return map_inputs<2>(call, [](auto dy, auto x) {
        return dy * elu_slope<decltype(x)>(x, kSeluAlpha, kSeluScale);
      });
    case kGelu:
      return map_inputs<2>(call, [](auto dy, auto x) {
        using T = decltype(x);
        const T density = vm::exp(T(-0.5) * x * x) * T(1 / kRootTwoPi);
        return dy * (gelu_share(x) + x * density);
      });
    case kPrelu:
      return call.out[0].dtype == DType::f32 ? backward_prelu<float>(call)
                                             : backward_prelu<double>(call);
    default:
      return map_inputs<2>(call, [=](auto dy, auto x) {
        const auto low = static_cast<decltype(x)>(slope) * dy;
        return x > 0 ? dy : low;
      });
  }
}

bool accepts_rectifier(const Call& call) {
  const int kind = static_cast<int>(call.params[0]);
  if (kind == kPrelu) return same_dtype<DType::f32, DType::f64>(call);
  return kind != kRrelu && any_float(call);
}

}  // namespace
}  // namespace baryon::BARYON_ISA

BARYON_REGISTER(activation) {
  using namespace baryon::BARYON_ISA;
  add("Activation", activation, any_float);
  add("_backward_Activation", backward_activation, any_float);
  add("LeakyReLU", leaky_relu, accepts_rectifier);
  add("_backward_LeakyReLU", backward_leaky_relu, accepts_rectifier);
}
