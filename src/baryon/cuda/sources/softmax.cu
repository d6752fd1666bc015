// The softmax family. Types: T of the data, U of the output; WIDTH elements a memory access.
// A row is taken by the threads of one threadIdx.y; columns (an axis that is not the last) by one
// thread each.

typedef Wide<T>::type A;

#include "running.cuh"

extern "C" __global__ void softmax_rows(const T* data, U* out, const int* length, Index rows,
                                        Index n, A scale, int logarithm) {
  const Row at(rows);
  const T* x = data + at.row * n;
  U* y = out + at.row * n;
  const Index used = length ? (length[at.row] < n ? length[at.row] : n) : n;
  Running mine = {lowest<A>(), 0};
  for (Index i = Index{threadIdx.x} * WIDTH; i < used; i += Index{blockDim.x} * WIDTH) {
    const Pack<T, WIDTH> pack = load<WIDTH>(x + i);
#pragma unroll
    for (int k = 0; k < WIDTH; ++k)
      if (i + k < used) mine.add(widened(pack.at[k]) * scale);
  }
  const A most = over_row<Most>(mine.most);
  const A share = mine.sum == 0 ? A(0) : mine.sum * exp(mine.most - most);
  const A sum = over_row<Add>(share);
  const A minus = logarithm ? log(sum) : A(0), times = 1 / sum;
  if (!at.valid) return;
  for (Index i = Index{threadIdx.x} * WIDTH; i < n; i += Index{blockDim.x} * WIDTH) {
    const Pack<T, WIDTH> pack = load<WIDTH>(x + i);
    Pack<U, WIDTH> result;
#pragma unroll
    for (int k = 0; k < WIDTH; ++k) {
      const A shifted = widened(pack.at[k]) * scale - most;
      const A value = logarithm ? shifted - minus : exp(shifted) * times;
      result.at[k] = narrowed<U>(i + k < used ? value : A(0));
    }
    store<WIDTH>(y + i, result);
  }
}

extern "C" __global__ void softmax_columns(const T* data, U* out, const int* length, Index before,
                                           Index n, Index after, A scale, int logarithm) {
  for (Index c = first_element(); c < before * after; c += all_threads()) {
    const T* x = data + c / after * n * after + c % after;
    U* y = out + c / after * n * after + c % after;
    const Index used = length ? (length[c] < n ? length[c] : n) : n;
    Running all = {lowest<A>(), 0};
    for (Index i = 0; i < used; ++i) all.add(widened(x[i * after]) * scale);
    const A minus = logarithm ? log(all.sum) : A(0), times = 1 / all.sum;
    for (Index i = 0; i < n; ++i) {
      const A shifted = widened(x[i * after]) * scale - all.most;
      const A value = logarithm ? shifted - minus : exp(shifted) * times;
      y[i * after] = narrowed<U>(i < used ? value : A(0));
    }
  }
}

__device__ inline A pulled(A dy, A y, A sum, int logarithm) {
  return logarithm ? dy - exp(y) * sum : y * (dy - sum);
}

extern "C" __global__ void backward_rows(const T* dy, const T* out, U* dx, Index rows, Index n,
                                         A scale, int logarithm) {
  const Row at(rows);
  const Index begin = at.row * n;
  A mine = 0;
  for (Index i = Index{threadIdx.x} * WIDTH; i < n; i += Index{blockDim.x} * WIDTH) {
    const Pack<T, WIDTH> d = load<WIDTH>(dy + begin + i), y = load<WIDTH>(out + begin + i);
#pragma unroll
    for (int k = 0; k < WIDTH; ++k)
      mine += logarithm ? A(widened(d.at[k])) : A(widened(d.at[k])) * widened(y.at[k]);
  }
  const A sum = over_row<Add>(mine);
  if (!at.valid) return;
  for (Index i = Index{threadIdx.x} * WIDTH; i < n; i += Index{blockDim.x} * WIDTH) {
    const Pack<T, WIDTH> d = load<WIDTH>(dy + begin + i), y = load<WIDTH>(out + begin + i);
    Pack<U, WIDTH> result;
#pragma unroll
    for (int k = 0; k < WIDTH; ++k)
      result.at[k] =
          narrowed<U>(pulled(widened(d.at[k]), widened(y.at[k]), sum, logarithm) * scale);
    store<WIDTH>(dx + begin + i, result);
  }
}

extern "C" __global__ void backward_columns(const T* dy, const T* out, U* dx, Index before, Index n,
                                            Index after, A scale, int logarithm) {
  for (Index c = first_element(); c < before * after; c += all_threads()) {
    const Index begin = c / after * n * after + c % after;
    A sum = 0;
    for (Index i = begin; i < begin + n * after; i += after)
      sum += logarithm ? A(widened(dy[i])) : A(widened(dy[i])) * widened(out[i]);
    for (Index i = begin; i < begin + n * after; i += after)
      dx[i] = narrowed<U>(pulled(widened(dy[i]), widened(out[i]), sum, logarithm) * scale);
  }
}

// -log softmax(data)[label] of each row.
extern "C" __global__ void cross_entropy_rows(const T* data, const Index* label, A* losses,
                                              Index rows, Index n) {
  const Row at(rows);
  const T* x = data + at.row * n;
  Running mine = {lowest<A>(), 0};
  for (Index i = threadIdx.x; i < n; i += blockDim.x) mine.add(widened(x[i]));
  const A most = over_row<Most>(mine.most);
  const A share = mine.sum == 0 ? A(0) : mine.sum * exp(mine.most - most);
  const A sum = over_row<Add>(share);
  if (!at.valid || threadIdx.x) return;
  const Index chosen = label[at.row] < 0 ? label[at.row] + n : label[at.row];
  losses[at.row] = log(sum) - (widened(x[chosen]) - most);
}

// Gradient of SoftmaxOutput from its output; `counted`: how many labels count, or null.
extern "C" __global__ void head_gradient(const T* out, const Index* label, U* dx,
                                         const Index* counted, Index before, Index n, Index after,
                                         A scale, A on, A off, int ignores, Index ignored) {
  if (counted) scale /= static_cast<A>(*counted > 1 ? *counted : 1);
  for (Index i = first_element(); i < before * n * after; i += all_threads()) {
    const Index place = i / after % n, chosen = label[i / (n * after) * after + i % after];
    const A grad = widened(out[i]) - (place == chosen ? on : off);
    dx[i] = narrowed<U>(ignores && chosen == ignored ? A(0) : grad * scale);
  }
}
