// FullyConnected: data weight^T + bias, and its gradients.
#include <algorithm>

#include "../gemm.h"
#include "../kernel.h"
#include "../packed_factor.h"
#include "../parallel.h"
#include "simd.h"
#include "widened.h"

namespace baryon::BARYON_ISA {
namespace {

// data, weight[, bias] -> out; params rows, hidden, features.
template <class T>
void forward(const Call& call) {
  const Int rows = static_cast<Int>(call.params[0]), hidden = static_cast<Int>(call.params[1]);
  const Int features = static_cast<Int>(call.params[2]);
  T* out = call.out[0].as<T>();
  const T *data = call.in[0].as<T>(), *weight = call.in[1].as<T>();
  const T* bias = call.n_in == 3 ? call.in[2].as<T>() : nullptr;
  if (call.kept == nullptr)
    return gemm(false, true, rows, hidden, features, T(1), data, features, weight, features, T(0),
                out, hidden, bias);
  PackedFactor<T> factor(rows, true, hidden, features);
  factor.place(weight, call.kept);
  if (!call.filled) factor.pack();
  factor.multiply(rows, data, features, T(0), out, hidden, bias);
}

template <class T>
std::int64_t packed_weights(const Call& call) {
  const auto number = [&](int i) { return static_cast<Int>(call.params[i]); };
  return PackedFactor<T>(number(0), true, number(1), number(2)).bytes();
}
std::int64_t kept_bytes(const Call& call) {
  const DType dtype = call.in[1].dtype;
  return dtype == DType::f32   ? packed_weights<float>(call)
         : dtype == DType::f64 ? packed_weights<double>(call)
                               : 0;
}

// head, weight -> gradient by data.
template <class T>
void backward_data(const Call& call) {
  const Int hidden = call.in[1].shape[0], features = call.in[1].shape[1];
  const Int rows = hidden > 0 ? call.in[0].size() / hidden : 0;
  gemm(false, false, rows, features, hidden, T(1), call.in[0].as<T>(), hidden, call.in[1].as<T>(),
       features, T(0), call.out[0].as<T>(), features);
}

// Column sums of a matrix, each column from the first row to the last.
template <class T>
void column_sums(const T* data, Int rows, Int columns, T* sums) {
  constexpr Int kBlock = 256;
  const Int grain = std::max<Int>(1, 32768 / (kBlock * std::max<Int>(rows, 1)));
  parallel_for(parts(columns, kBlock), grain, [&](Int begin, Int end) {
    const Int from = begin * kBlock, to = std::min(columns, end * kBlock);
    std::fill(sums + from, sums + to, T(0));
    for (Int i = 0; i < rows; ++i)
      for (Int j = from; j < to; ++j) sums[j] += data[i * columns + j];
  });
}

// head, data -> gradients by weight and bias (where there is one). Rows of the weight's gradient
// are shared out as updates share out the weight and the forward pass its rows: what a core has
// written is what it reads next, from its own cache.
template <class T>
void backward_weight(const Call& call) {
  constexpr Int kSmall = 16384;  // elements: cheaper on one thread
  const Int hidden = call.out[0].shape[0], features = call.out[0].shape[1];
  const Int rows = hidden > 0 ? call.in[0].size() / hidden : 0;
  const T *head = call.in[0].as<T>(), *data = call.in[1].as<T>();
  T* out = call.out[0].as<T>();
  const auto part = [&](Int begin, Int end) {
    gemm(true, false, end - begin, features, rows, T(1), head + begin, hidden, data, features, T(0),
         out + begin * features, features);
  };
  const Int threads = num_threads();
  if (hidden * features < kSmall || hidden < 32 * threads) {
    part(0, hidden);
  } else {
    parallel_for(threads, 1, [&](Int begin, Int end) {
      for (Int i = begin; i < end; ++i) part(hidden * i / threads, hidden * (i + 1) / threads);
    });
  }
  if (call.n_out == 2) column_sums(head, rows, hidden, call.out[1].as<T>());
}

}  // namespace
}  // namespace baryon::BARYON_ISA

BARYON_REGISTER(fully_connected) {
  using namespace baryon;
  using namespace baryon::BARYON_ISA;
  add("FullyConnected", by_float_type<forward<float>, forward<double>>, accepts_floats, kept_bytes);
  add("_backward_FullyConnected_data", by_float_type<backward_data<float>, backward_data<double>>,
      accepts_floats);
  add("_backward_FullyConnected_weight",
      by_float_type<backward_weight<float>, backward_weight<double>>, accepts_floats);
}
