// Uniform and normal samplers, and Dropout.

#include <cmath>

#include "philox.h"
#include "vmath.h"

namespace baryon::BARYON_ISA {
namespace {

template <class T>
void uniform(const Call& call) {
  const T low = static_cast<T>(call.params[0]);
  const T width = static_cast<T>(call.params[1] - call.params[0]);
  T* y = call.out[0].as<T>();
  each_uniform<T>(Philox(call), call.out[0].size(), [=](Index first, const T* u, Index n) {
    for (Index i = 0; i < n; ++i) y[first + i] = low + width * u[i];
  });
}

// Box-Muller over pairs of uniforms.
template <class T>
void normal(const Call& call) {
  const T loc = static_cast<T>(call.params[0]), scale = static_cast<T>(call.params[1]);
  T* y = call.out[0].as<T>();
  each_uniform<T>(Philox(call), call.out[0].size(), [=](Index first, const T* u, Index n) {
    alignas(64) T values[Philox::kWords];
    constexpr Index pairs = (sizeof(T) == 4 ? Philox::kWords : Philox::kWords / 2) / 2;
    for (Index i = 0; i < pairs; ++i) {
      const T radius = std::sqrt(T(-2) * vm::log(T(1) - u[2 * i]));
      const double angle = static_cast<double>(u[2 * i + 1] * T(6.283185307179586));
      values[2 * i] = radius * static_cast<T>(vm::cos(angle));
      values[2 * i + 1] = radius * static_cast<T>(vm::sin(angle));
    }
    for (Index i = 0; i < n; ++i) y[first + i] = loc + scale * values[i];
  });
}

void random_uniform(const Call& call) {
  call.out[0].dtype == DType::f32 ? uniform<float>(call) : uniform<double>(call);
}
void random_normal(const Call& call) {
  call.out[0].dtype == DType::f32 ? normal<float>(call) : normal<double>(call);
}

// params[0]: probability of keeping an element. Uniforms are float32 for every type of data.
template <class T>
void drop(const Call& call) {
  const T* x = call.in[0].as<T>();
  T *y = call.out[0].as<T>(), *mask = call.out[1].as<T>();
  const double keep = call.params[0];
  if (keep >= 1) {
    const Index size = call.out[0].size();
    std::fill(mask, mask + call.out[1].size(), T(1));
    if (y != x) std::memcpy(y, x, static_cast<std::size_t>(size) * sizeof(T));
    return;
  }
  const float limit = static_cast<float>(keep);
  const T scale = keep > 0 ? static_cast<T>(1 / keep) : T(0);
  each_uniform<float>(Philox(call), call.out[0].size(), [=](Index first, const float* u, Index n) {
    const T* from = x + first;
    T *to = y + first, *m = mask + first;
#pragma GCC ivdep
    for (Index i = 0; i < n; ++i) {
      m[i] = u[i] < limit ? scale : T(0);
      to[i] = from[i] * m[i];
    }
  });
}

void dropout(const Call& call) {
  call.out[0].dtype == DType::f32 ? drop<float>(call) : drop<double>(call);
}

bool writes_real(const Call& call) {
  return call.out[0].dtype == DType::f32 || call.out[0].dtype == DType::f64;
}

}  // namespace
}  // namespace baryon::BARYON_ISA

BARYON_REGISTER(random) {
  using namespace baryon;
  using namespace baryon::BARYON_ISA;
  add("_random_uniform", random_uniform, writes_real);
  add("_random_normal", random_normal, writes_real);
  add("Dropout", dropout, same_dtype<DType::f32, DType::f64>);
}
