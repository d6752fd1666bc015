// The arithmetic of optimizers: each a step of one element, from weight, gradient and states to the
// new weight; the states change in place.
#pragma once

#include <cmath>

#include "loops.h"

namespace baryon::BARYON_ISA {

constexpr double kInfinity = __builtin_inf();

// Rescales and clips a gradient; a negative limit does not clip.
template <class T>
struct Clip {
  T rescale, limit;

  Clip(double by, double bound)
      : rescale(static_cast<T>(by)), limit(static_cast<T>(bound >= 0 ? bound : kInfinity)) {}
  T clamp(T g) const { return g > limit ? limit : (g < -limit ? -limit : g); }
  T operator()(T g) const { return clamp(g * rescale); }
};

template <class T>
inline T sign(T x) {
  return x != x ? x : static_cast<T>(x > 0) - static_cast<T>(x < 0);
}

// The numbers that all updates begin with: lr, wd, rescale_grad, clip_gradient.
template <class T>
struct Step {
  T lr, wd;
  Clip<T> clip;

  explicit Step(const double* p)
      : lr(static_cast<T>(p[0])), wd(static_cast<T>(p[1])), clip(p[2], p[3]) {}
};

template <class T>
struct Sgd : Step<T> {
  static constexpr int states = 0;
  T keep;
  explicit Sgd(const double* p) : Step<T>(p), keep(static_cast<T>(1 - p[0] * p[1])) {}
  T operator()(T w, T g) const { return w * keep - this->lr * this->clip(g); }
};

template <class T>
struct SignSgd : Sgd<T> {
  using Sgd<T>::Sgd;
  T operator()(T w, T g) const { return w * this->keep - this->lr * sign(this->clip(g)); }
};

template <class T>
struct Momentum : Step<T> {
  static constexpr int states = 1;
  T momentum;
  explicit Momentum(const double* p) : Step<T>(p), momentum(static_cast<T>(p[4])) {}
  T operator()(T w, T g, T& m) const {
    m = momentum * m - this->lr * (this->clip(g) + this->wd * w);
    return w + m;
  }
};

template <class T>
struct Nesterov : Momentum<T> {
  using Momentum<T>::Momentum;
  T operator()(T w, T g, T& m) const {
    const T step = this->lr * (this->clip(g) + this->wd * w);
    m = this->momentum * m - step;
    return w + this->momentum * m - step;
  }
};

template <class T>
struct Signum : Momentum<T> {
  T keep;
  explicit Signum(const double* p) : Momentum<T>(p), keep(static_cast<T>(1 - p[0] * p[5])) {}
  T operator()(T w, T g, T& m) const {
    m = this->momentum * m - (1 - this->momentum) * (this->clip(g) + this->wd * w);
    return w * keep + this->lr * sign(m);
  }
};

template <class T>
struct Adam : Step<T> {
  static constexpr int states = 2;
  T beta1, beta2, epsilon, rest1, rest2;
  explicit Adam(const double* p)
      : Step<T>(p),
        beta1(static_cast<T>(p[4])),
        beta2(static_cast<T>(p[5])),
        epsilon(static_cast<T>(p[6])),
        rest1(static_cast<T>(1 - p[4])),
        rest2(static_cast<T>(1 - p[5])) {}
  T operator()(T w, T g, T& m, T& v) const {
    g = this->clip.clamp(g * this->clip.rescale + this->wd * w);
    m = beta1 * m + rest1 * g;
    v = beta2 * v + rest2 * (g * g);
    return w - this->lr * m / (std::sqrt(v) + epsilon);
  }
};

template <class T>
struct RmsProp : Step<T> {
  static constexpr int states = 1;
  T gamma, epsilon, rest;
  Clip<T> bound;
  explicit RmsProp(const double* p)
      : Step<T>(p),
        gamma(static_cast<T>(p[4])),
        epsilon(static_cast<T>(p[5])),
        rest(static_cast<T>(1 - p[4])),
        bound(1, p[6]) {}
  T operator()(T w, T g, T& n) const {
    g = this->clip.clamp(g * this->clip.rescale + this->wd * w);
    n = gamma * n + rest * (g * g);
    return bound.clamp(w - this->lr * g / std::sqrt(n + epsilon));
  }
};

template <class T>
struct RmsPropAlex : Step<T> {
  static constexpr int states = 3;
  T gamma1, gamma2, epsilon, rest;
  Clip<T> bound;
  explicit RmsPropAlex(const double* p)
      : Step<T>(p),
        gamma1(static_cast<T>(p[4])),
        gamma2(static_cast<T>(p[5])),
        epsilon(static_cast<T>(p[6])),
        rest(static_cast<T>(1 - p[4])),
        bound(1, p[7]) {}
  T operator()(T w, T g, T& n, T& mean, T& delta) const {
    g = this->clip.clamp(g * this->clip.rescale + this->wd * w);
    n = gamma1 * n + rest * (g * g);
    mean = gamma1 * mean + rest * g;
    delta = gamma2 * delta - this->lr * g / std::sqrt(n - mean * mean + epsilon);
    return bound.clamp(w + delta);
  }
};

template <class T>
struct AdaGrad : Step<T> {
  static constexpr int states = 1;
  T epsilon;
  explicit AdaGrad(const double* p) : Step<T>(p), epsilon(static_cast<T>(p[4])) {}
  T operator()(T w, T g, T& history) const {
    g = this->clip(g);
    history += g * g;
    return w - this->lr * g / std::sqrt(history + epsilon);
  }
};

template <class T>
struct Ftrl : Step<T> {
  static constexpr int states = 2;
  T lamda, beta;
  explicit Ftrl(const double* p)
      : Step<T>(p), lamda(static_cast<T>(p[4])), beta(static_cast<T>(p[5])) {}
  T operator()(T w, T g, T& z, T& n) const {
    g = this->clip(g);
    const T total = n + g * g;
    z += g - (std::sqrt(total) - std::sqrt(n)) * w / this->lr;
    n = total;
    const T size = z < 0 ? -z : z;
    const T value = (sign(z) * lamda - z) / ((beta + std::sqrt(n)) / this->lr + this->wd);
    return size > lamda ? value : T(0);
  }
};

template <class T>
struct Ftml : Step<T> {
  static constexpr int states = 3;
  T beta1, beta2, epsilon, rate, correction;
  explicit Ftml(const double* p)
      : Step<T>(p),
        beta1(static_cast<T>(p[4])),
        beta2(static_cast<T>(p[5])),
        epsilon(static_cast<T>(p[6])),
        rate(static_cast<T>((1 - std::pow(p[4], p[7])) / p[0])),
        correction(static_cast<T>(1 / (1 - std::pow(p[5], p[7])))) {}
  T operator()(T w, T g, T& d, T& v, T& z) const {
    g = this->clip.clamp(g * this->clip.rescale + this->wd * w);
    v = beta2 * v + (1 - beta2) * (g * g);
    const T next = rate * (std::sqrt(v * correction) + epsilon);
    z = beta1 * z + (1 - beta1) * g - (next - beta1 * d) * w;
    d = next;
    return -z / d;
  }
};

template <class T>
struct Lamb {  // the first phase: a direction
  static constexpr int states = 2;
  T wd, beta1, beta2, epsilon, rest1, rest2, unbias1 = 1, unbias2 = 1;
  Clip<T> clip;
  explicit Lamb(const double* p)
      : wd(static_cast<T>(p[0])),
        beta1(static_cast<T>(p[3])),
        beta2(static_cast<T>(p[4])),
        epsilon(static_cast<T>(p[5])),
        rest1(static_cast<T>(1 - p[3])),
        rest2(static_cast<T>(1 - p[4])),
        clip(p[1], p[2]) {
    if (p[7] == 0) return;
    unbias1 = static_cast<T>(1 / (1 - std::pow(p[3], p[6])));
    unbias2 = static_cast<T>(1 / (1 - std::pow(p[4], p[6])));
  }
  T operator()(T w, T g, T& m, T& v) const {
    g = clip(g);
    m = beta1 * m + rest1 * g;
    v = beta2 * v + rest2 * (g * g);
    return m * unbias1 / (std::sqrt(v * unbias2) + epsilon) + wd * w;
  }
};

}  // namespace baryon::BARYON_ISA
