// Cross entropy of scores against class indices, and its gradient. Types: T of the scores, N of the
// labels. Arrays are (before, classes, after), labels (before, after).

typedef Wide<T>::type A;

#include "indices.cuh"
#include "running.cuh"

__device__ inline void finish(Running all, const T* x, N label, Index n, Index step, T* loss,
                              T* log_sum) {
  const A logarithm = log(all.sum), chosen = widened(x[within(whole(label), n, 0) * step]);
  *loss = narrowed<T>(logarithm - (chosen - all.most));
  *log_sum = narrowed<T>(logarithm + all.most);
}

// A row of threads a row, where after is 1.
extern "C" __global__ void entropy_rows(const T* data, const N* label, T* loss, T* log_sum,
                                        Index rows, Index n) {
  const Row at(rows);
  const T* x = data + at.row * n;
  Running mine = {lowest<A>(), 0};
  for (Index i = threadIdx.x; i < n; i += blockDim.x) mine.add(widened(x[i]));
  const A most = over_row<Most>(mine.most);
  const A share = mine.sum == 0 ? A(0) : mine.sum * exp(mine.most - most);
  const Running all = {most, over_row<Add>(share)};
  if (at.valid && threadIdx.x == 0)
    finish(all, x, label[at.row], n, 1, loss + at.row, log_sum + at.row);
}

extern "C" __global__ void entropy_columns(const T* data, const N* label, T* loss, T* log_sum,
                                           Index count, Index n, Index after) {
  for (Index c = first_element(); c < count; c += all_threads()) {
    const T* x = data + c / after * n * after + c % after;
    Running all = {lowest<A>(), 0};
    for (Index i = 0; i < n; ++i) all.add(widened(x[i * after]));
    finish(all, x, label[c], n, after, loss + c, log_sum + c);
  }
}

extern "C" __global__ void entropy_back(const T* dy, const T* data, const N* label,
                                        const T* log_sum, T* dx, Index count, Index n,
                                        Index after) {
  for (Index i = first_element(); i < count; i += all_threads()) {
    const Index row = i / (n * after) * after + i % after;
    const A share = exp(widened(data[i]) - widened(log_sum[row]));
    const bool hit = within(whole(label[row]), n, 0) == i / after % n;
    dx[i] = narrowed<T>((share - A(hit)) * widened(dy[row]));
  }
}
