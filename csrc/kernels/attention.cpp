// Products of attention on projections that lie interleaved. params = {heads}.
#include <cmath>

#include "../gemm.h"
#include "../kernel.h"
#include "../parallel.h"
#include "heads_of.h"

namespace baryon::BARYON_ISA {
namespace {

// body(i) for each head of each sample, by threads where that pays.
template <class Body>
void each_head(Int count, double work, const Body& body) {
  const Int grain = static_cast<Int>(1e5 / (1.0 + work)) + 1;
  parallel_for(count, grain, [&](Int begin, Int end) {
    for (Int i = begin; i < end; ++i) body(i);
  });
}

template <class T>
void scores(const Call& call, const Heads<T>& queries, const Heads<T>& keys) {
  const Int m = queries.length, n = keys.length, size = queries.size;
  const T scale = static_cast<T>(1 / std::sqrt(static_cast<double>(size)));
  each_head(queries.count, static_cast<double>(m) * n * size, [&](Int i) {
    gemm(false, true, m, n, size, scale, queries.of(i), queries.stride, keys.of(i), keys.stride,
         T(0), call.out[0].as<T>() + i * m * n, n);
  });
}

template <class T>
void weighted(const Call& call, const Heads<T>& values) {
  const Int m = call.in[1].shape[1], n = values.length, size = values.size;
  const T* attention = call.in[1].as<T>();
  each_head(values.count, static_cast<double>(m) * n * size, [&](Int i) {
    gemm(false, false, m, size, n, T(1), attention + i * m * n, n, values.of(i), values.stride,
         T(0), call.out[0].as<T>() + i * size, values.count * size);
  });
}

template <class T>
Heads<T> part(const Call& call, int input, Int parts, Int index) {
  return Heads<T>::interleaved(call.in[input], static_cast<Int>(call.params[0]), parts, index);
}

template <class T>
void self_scores(const Call& call) {
  scores<T>(call, part<T>(call, 0, 3, 0), part<T>(call, 0, 3, 1));
}
template <class T>
void cross_scores(const Call& call) {
  scores<T>(call, part<T>(call, 0, 1, 0), part<T>(call, 1, 2, 0));
}
template <class T, Int parts>
void values(const Call& call) {
  weighted<T>(call, part<T>(call, 0, parts, parts - 1));
}

template <KernelFn single, KernelFn dual>
void by_dtype(const Call& call) {
  call.out[0].dtype == DType::f32 ? single(call) : dual(call);
}

}  // namespace
}  // namespace baryon::BARYON_ISA

BARYON_REGISTER(attention) {
  using namespace baryon::BARYON_ISA;
  using baryon::DType;
  constexpr auto floats = baryon::same_dtype<DType::f32, DType::f64>;
  add("_contrib_interleaved_matmul_selfatt_qk", by_dtype<self_scores<float>, self_scores<double>>,
      floats);
  add("_contrib_interleaved_matmul_selfatt_valatt", by_dtype<values<float, 3>, values<double, 3>>,
      floats);
  add("_contrib_interleaved_matmul_encdec_qk", by_dtype<cross_scores<float>, cross_scores<double>>,
      floats);
  add("_contrib_interleaved_matmul_encdec_valatt", by_dtype<values<float, 2>, values<double, 2>>,
      floats);
}
