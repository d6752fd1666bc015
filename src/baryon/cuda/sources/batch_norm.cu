// Batch normalisation of data seen as (before, channels, after). Types: T of the data, P of gamma,
// beta and the statistics; WIDTH elements a memory access, all of one channel unless after is 1.

typedef Wide<T>::type A;

// Two sums for each channel over a share of its elements: (shares, channels) each. With dy: of dy
// times unit and of dy; without: of x - pivot and of its square, pivot being the channel's first
// element, so that squares lose no digits to a large mean.
struct Sums {
  A first, second;
  const P *mean, *scale;
  A centre, times;
  __device__ void begin(const T* data, Index channel, Index after) {
    first = second = 0;
    centre = mean ? A(widened(mean[channel])) : A(widened(data[channel * after]));
    times = scale ? A(widened(scale[channel])) : A(1);
  }
  __device__ void add(A dy, A x) {
    const A away = (x - centre) * times;
    first += mean ? dy * away : away;
    second += mean ? dy : away * away;
  }
};

// after > 1: a block takes a share of the images of one channel.
extern "C" __global__ void channel_sums(const T* dy, const T* data, const P* mean, const P* scale,
                                        A* firsts, A* seconds, Index before, Index channels,
                                        Index after) {
  const Index channel = blockIdx.x, packs = after / WIDTH;
  Sums mine = {0, 0, mean, scale, 0, 0};
  mine.begin(data, channel, after);
  for (Index i = static_cast<Index>(blockIdx.y) * blockDim.x + threadIdx.x; i < before * packs;
       i += Index{gridDim.y} * blockDim.x) {
    const Index at = (i / packs * channels + channel) * after + i % packs * WIDTH;
    const Pack<T, WIDTH> x = load<WIDTH>(data + at), d = load<WIDTH>((dy ? dy : data) + at);
#pragma unroll
    for (int k = 0; k < WIDTH; ++k) mine.add(widened(d.at[k]), widened(x.at[k]));
  }
  const A first = over_row<Add>(mine.first), second = over_row<Add>(mine.second);
  if (threadIdx.x) return;
  firsts[blockIdx.y * channels + channel] = first;
  seconds[blockIdx.y * channels + channel] = second;
}

// after == 1: a block of (32, 8) threads takes a share of the rows of 32 * WIDTH channels.
extern "C" __global__ void column_sums(const T* dy, const T* data, const P* mean, const P* scale,
                                       A* firsts, A* seconds, Index rows, Index channels) {
  __shared__ A parts[2][8][32 * WIDTH];
  const Index column = (static_cast<Index>(blockIdx.x) * 32 + threadIdx.x) * WIDTH;
  const bool inside = column < channels;
  Sums mine[WIDTH];
#pragma unroll
  for (int k = 0; k < WIDTH; ++k) {
    mine[k] = {0, 0, mean, scale, 0, 0};
    if (inside) mine[k].begin(data, column + k, 1);
  }
  if (inside)
    for (Index row = static_cast<Index>(blockIdx.y) * 8 + threadIdx.y; row < rows;
         row += Index{gridDim.y} * 8) {
      const Index at = row * channels + column;
      const Pack<T, WIDTH> x = load<WIDTH>(data + at), d = load<WIDTH>((dy ? dy : data) + at);
#pragma unroll
      for (int k = 0; k < WIDTH; ++k) mine[k].add(widened(d.at[k]), widened(x.at[k]));
    }
#pragma unroll
  for (int k = 0; k < WIDTH; ++k) {
    parts[0][threadIdx.y][threadIdx.x * WIDTH + k] = mine[k].first;
    parts[1][threadIdx.y][threadIdx.x * WIDTH + k] = mine[k].second;
  }
  __syncthreads();
  if (threadIdx.y > 1 || !inside) return;
  A* to = (threadIdx.y ? seconds : firsts) + static_cast<Index>(blockIdx.y) * channels;
#pragma unroll
  for (int k = 0; k < WIDTH; ++k) {
    A total = 0;
    for (int i = 0; i < 8; ++i) total += parts[threadIdx.y][i][threadIdx.x * WIDTH + k];
    to[column + k] = total;
  }
}

// Mean, 1 / sqrt(var + eps), and the line y = slope x + shift, of each channel.
extern "C" __global__ void finish_forward(const A* firsts, const A* seconds, const T* data,
                                          const P* gamma, const P* beta, const P* moving_mean,
                                          const P* moving_var, P* mean, P* scale, P* weight,
                                          A* slope, A* shift, Index shares, Index channels,
                                          Index after, Index count, A eps, int batch) {
  const Index c = first_element();
  if (c >= channels) return;
  A centre = widened(moving_mean[c]), variance = widened(moving_var[c]);
  if (batch) {
    A first = 0, second = 0;
    for (Index i = 0; i < shares; ++i) {
      first += firsts[i * channels + c];
      second += seconds[i * channels + c];
    }
    first /= count;
    variance = second / count - first * first;
    if (variance < 0) variance = 0;
    centre = first + widened(data[c * after]);
  }
  const A times = 1 / sqrt(variance + eps);
  const A factor = weight ? A(1) : A(widened(gamma[c]));
  mean[c] = narrowed<P>(centre);
  scale[c] = narrowed<P>(times);
  if (weight) weight[c] = narrowed<P>(A(1));
  slope[c] = times * factor;
  shift[c] = widened(beta[c]) - centre * times * factor;
}

// The line, plus an addend (or null), within bounds.
extern "C" __global__ void apply_line(const T* data, const A* slope, const A* shift,
                                      const T* addend, T* out, A low, A high, Index channels,
                                      Index after, Index packs) {
  for (Index i = first_element(); i < packs; i += all_threads()) {
    const Index at = i * WIDTH;
    const Pack<T, WIDTH> x = load<WIDTH>(data + at);
    Pack<T, WIDTH> y, more = {};
    if (addend) more = load<WIDTH>(addend + at);
#pragma unroll
    for (int k = 0; k < WIDTH; ++k) {
      const Index c = after == 1 ? at % channels + k : at / after % channels;
      A value = widened(x.at[k]) * slope[c] + shift[c] + widened(more.at[k]);
      if (value < low) value = low;  // NaN stays
      if (value > high) value = high;
      y.at[k] = narrowed<T>(value);
    }
    store<WIDTH>(out + at, y);
  }
}

// Gradients of gamma and beta, the moving statistics, and dx = factor dy - line x - shift.
extern "C" __global__ void finish_backward(const A* firsts, const A* seconds, const P* gamma,
                                           const P* mean, const P* scale, P* moving_mean,
                                           P* moving_var, P* d_gamma, P* d_beta, A* factor,
                                           A* slope, A* shift, Index shares, Index channels,
                                           Index count, A eps, A momentum, int batch, int fixed) {
  const Index c = first_element();
  if (c >= channels) return;
  A products = 0, sums = 0;
  for (Index i = 0; i < shares; ++i) {
    products += firsts[i * channels + c];
    sums += seconds[i * channels + c];
  }
  const A centre = widened(mean[c]), times = widened(scale[c]);
  d_gamma[c] = narrowed<P>(fixed ? A(0) : products);
  d_beta[c] = narrowed<P>(sums);
  factor[c] = fixed ? times : times * widened(gamma[c]);
  slope[c] = shift[c] = 0;
  if (!batch) return;
  slope[c] = factor[c] * times * products / count;
  shift[c] = factor[c] * sums / count - slope[c] * centre;
  moving_mean[c] = narrowed<P>(widened(moving_mean[c]) * momentum + centre * (1 - momentum));
  const A variance = 1 / (times * times) - eps;
  moving_var[c] = narrowed<P>(widened(moving_var[c]) * momentum + variance * (1 - momentum));
}

extern "C" __global__ void apply_gradient(const T* dy, const T* data, const A* factor,
                                          const A* slope, const A* shift, T* dx, Index channels,
                                          Index after, Index packs) {
  for (Index i = first_element(); i < packs; i += all_threads()) {
    const Index at = i * WIDTH;
    const Pack<T, WIDTH> d = load<WIDTH>(dy + at), x = load<WIDTH>(data + at);
    Pack<T, WIDTH> result;
#pragma unroll
    for (int k = 0; k < WIDTH; ++k) {
      const Index c = after == 1 ? at % channels + k : at / after % channels;
      const A grad = factor[c] * widened(d.at[k]) - slope[c] * widened(x.at[k]) - shift[c];
      result.at[k] = narrowed<T>(grad);
    }
    store<WIDTH>(dx + at, result);
  }
}

// Scale and shift that do what adding a bias and a batch norm of moving statistics do. No gamma: 1.
extern "C" __global__ void affine(const P* gamma, const P* beta, const P* mean, const P* variance,
                                  const P* bias, P* scale, P* shift, A eps, Index channels) {
  for (Index i = first_element(); i < channels; i += all_threads()) {
    const A weight = gamma ? A(widened(gamma[i])) : A(1);
    const A factor = weight / sqrt(A(widened(variance[i])) + eps);
    scale[i] = narrowed<P>(factor);
    shift[i] = narrowed<P>(A(widened(beta[i])) + (widened(bias[i]) - widened(mean[i])) * factor);
  }
}
