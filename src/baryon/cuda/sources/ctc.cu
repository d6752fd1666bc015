// Connectionist temporal classification, in logarithms of float64. Types: T of the data, N of the
// labels.

__device__ inline double none() { return lowest<double>(); }  // the logarithm of 0
__device__ inline double joined(double a, double b) {
  const double most = a > b || a != a ? a : b, least = most == a ? b : a;
  return most == none() ? most : most + log1p(exp(least - most));
}

// What paths run through: (time, batch, classes) of data, and labels (batch, width) with a blank
// before, between and behind them. steps, lengths: of data and labels, or null: all steps, and
// labels until the first padding.
struct Paths {
  const N* label;
  const Index *steps, *lengths;
  Index time, batch, classes, width, blank_last;

  __device__ Index places() const { return 2 * width + 1; }
  __device__ Index within(Index x, Index most) const { return x < 0 ? 0 : x > most ? most : x; }
  __device__ Index steps_of(Index n) const { return steps ? within(steps[n], time) : time; }
  __device__ Index labels_of(Index n) const {
    if (lengths) return within(lengths[n], width);
    const N* own = label + n * width;
    Index count = 0;
    while (count < width && widened(own[count]) != (blank_last ? -1 : 0)) ++count;
    return count;
  }
  __device__ Index class_at(Index n, Index place) const {
    if (place % 2 == 0) return blank_last ? classes - 1 : 0;
    const double given = widened(label[n * width + place / 2]);
    return given > 0 ? (given < classes ? static_cast<Index>(given) : classes - 1) : 0;
  }
  __device__ bool skips(Index n, Index place) const {  // whether a path may come from 2 before
    return place % 2 && place > 2 && class_at(n, place) != class_at(n, place - 2);
  }
  // Logarithm of the probability of a place; sums: of exponentials, as logarithms.
  __device__ double log_p(const T* data, const double* sums, Index t, Index n, Index place) const {
    const Index row = t * batch + n;
    return widened(data[row * classes + class_at(n, place)]) - sums[row];
  }
};

// The logarithm of each row's sum of exponentials.
extern "C" __global__ void log_sums(const T* data, double* sums, Index rows, Index n) {
  const Row at(rows);
  const T* x = data + at.row * n;
  double most = none(), sum = 0;
  for (Index i = threadIdx.x; i < n; i += blockDim.x)
    most = larger(most, static_cast<double>(widened(x[i])));
  most = over_row<Most>(most);
  for (Index i = threadIdx.x; i < n; i += blockDim.x) sum += exp(widened(x[i]) - most);
  sum = over_row<Add>(sum);
  if (at.valid && threadIdx.x == 0) sums[at.row] = most + log(sum);
}

// A block a sample. Leaves in alpha (time, batch, places) the logarithm of the probability of all
// paths that reach each place, in `whole` that of all paths.
extern "C" __global__ void ctc_forward(const T* data, const double* sums, Paths p, double* alpha,
                                       double* whole, T* loss) {
  const Index n = blockIdx.x, last = 2 * p.labels_of(n), steps = p.steps_of(n);
  const Index row = p.batch * p.places();
  alpha += n * p.places();
  for (Index t = 0; t < p.time; ++t) {
    const double* before = alpha + (t - 1) * row;
    for (Index s = threadIdx.x; s < p.places(); s += blockDim.x) {
      double reached = t == 0 && s < 2 ? 0 : none();
      if (t > 0) {
        reached = s > 0 ? joined(before[s], before[s - 1]) : before[s];
        if (p.skips(n, s)) reached = joined(reached, before[s - 2]);
      }
      alpha[t * row + s] = s > last ? none() : reached + p.log_p(data, sums, t, n, s);
    }
    __syncthreads();
  }
  if (threadIdx.x) return;
  const double* end = alpha + (steps - 1) * row;
  double total = none();
  if (steps > 0) total = last > 0 ? joined(end[last], end[last - 1]) : end[last];
  whole[n] = total;
  loss[n] = narrowed<T>(static_cast<Wide<T>::type>(total == none() ? 0 : -total));
}

// A block a sample. Replaces alpha by the probability that a path is at each place at each time.
// after: scratch, (2, batch, places).
extern "C" __global__ void ctc_backward(const T* data, const double* sums, Paths p, double* alpha,
                                        const double* whole, double* after) {
  const Index n = blockIdx.x, last = 2 * p.labels_of(n), steps = p.steps_of(n);
  const Index row = p.batch * p.places();
  const double norm = whole[n] == none() ? 0 : whole[n];
  alpha += n * p.places();
  after += n * p.places();
  for (Index t = p.time - 1; t >= 0; --t) {
    const double* from = after + (t + 1) % 2 * row;
    double* to = after + t % 2 * row;
    for (Index s = threadIdx.x; s < p.places(); s += blockDim.x) {
      double beta = none();
      if (t == steps - 1) {
        beta = s == last || s == last - 1 ? 0 : none();
      } else if (t < steps - 1) {
        beta = s < last ? joined(from[s], from[s + 1]) : from[s];
        if (s + 2 <= last && p.skips(n, s + 2)) beta = joined(beta, from[s + 2]);
      }
      to[s] = s > last ? none() : beta + p.log_p(data, sums, t, n, s);
      alpha[t * row + s] = exp(alpha[t * row + s] + beta - norm);
    }
    __syncthreads();
  }
}

extern "C" __global__ void ctc_gradient(const T* dy, const T* data, const double* sums, Paths p,
                                        const double* places, const double* whole, T* dx,
                                        Index count) {
  for (Index i = first_element(); i < count; i += all_threads()) {
    const Index c = i % p.classes, row = i / p.classes, n = row % p.batch;
    double grad = 0;
    if (row / p.batch < p.steps_of(n) && whole[n] != none()) {
      grad = exp(widened(data[i]) - sums[row]);
      for (Index s = 0; s < p.places(); ++s)
        if (p.class_at(n, s) == c) grad -= places[row * p.places() + s];
      grad *= widened(dy[n]);
    }
    dx[i] = narrowed<T>(static_cast<Wide<T>::type>(grad));
  }
}
