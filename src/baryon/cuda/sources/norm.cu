// Normalisation of rows: LayerNorm (a vector along the row) and GroupNorm (a number a row).
// Types: T of the data, P of gamma, beta and the statistics; WIDTH elements a memory access.

typedef Wide<T>::type A;

// gamma and beta have one entry a column where groups is 0, else one for each of so many rows.
extern "C" __global__ void normalise_rows(const T* data, const P* gamma, const P* beta, T* out,
                                          P* mean, P* std, Index rows, Index n, Index groups,
                                          A eps) {
  const Row at(rows);
  const T* x = data + at.row * n;
  A sum = 0;
  for (Index i = Index{threadIdx.x} * WIDTH; i < n; i += Index{blockDim.x} * WIDTH) {
    const Pack<T, WIDTH> pack = load<WIDTH>(x + i);
#pragma unroll
    for (int k = 0; k < WIDTH; ++k) sum += widened(pack.at[k]);
  }
  const A centre = over_row<Add>(sum) / n;
  A squares = 0;
  for (Index i = Index{threadIdx.x} * WIDTH; i < n; i += Index{blockDim.x} * WIDTH) {
    const Pack<T, WIDTH> pack = load<WIDTH>(x + i);
#pragma unroll
    for (int k = 0; k < WIDTH; ++k) {
      const A away = widened(pack.at[k]) - centre;
      squares += away * away;
    }
  }
  const A spread = sqrt(over_row<Add>(squares) / n + eps);
  if (!at.valid) return;
  if (threadIdx.x == 0) {
    mean[at.row] = narrowed<P>(centre);
    std[at.row] = narrowed<P>(spread);
  }
  const A times = 1 / spread;
  for (Index i = Index{threadIdx.x} * WIDTH; i < n; i += Index{blockDim.x} * WIDTH) {
    const Pack<T, WIDTH> pack = load<WIDTH>(x + i);
    Pack<T, WIDTH> result;
#pragma unroll
    for (int k = 0; k < WIDTH; ++k) {
      const Index p = groups ? at.row % groups : i + k;
      const A unit = (widened(pack.at[k]) - centre) * times;
      result.at[k] = narrowed<T>(unit * widened(gamma[p]) + widened(beta[p]));
    }
    store<WIDTH>(out + at.row * n + i, result);
  }
}

// Gradient towards the data; with groups also the sums of dy * unit and dy of each row.
extern "C" __global__ void backward_rows(const T* dy, const T* data, const P* gamma, const P* mean,
                                         const P* std, T* dx, A* products, A* sums, Index rows,
                                         Index n, Index groups) {
  const Row at(rows);
  const Index begin = at.row * n;
  const A centre = widened(mean[at.row]), times = 1 / A(widened(std[at.row]));
  A sum = 0, product = 0;
  for (Index i = Index{threadIdx.x} * WIDTH; i < n; i += Index{blockDim.x} * WIDTH) {
    const Pack<T, WIDTH> d = load<WIDTH>(dy + begin + i), x = load<WIDTH>(data + begin + i);
#pragma unroll
    for (int k = 0; k < WIDTH; ++k) {
      const A weight = groups ? A(1) : A(widened(gamma[i + k]));
      const A scaled = widened(d.at[k]) * weight;
      sum += scaled;
      product += scaled * (widened(x.at[k]) - centre) * times;
    }
  }
  sum = over_row<Add>(sum);
  product = over_row<Add>(product);
  if (!at.valid) return;
  if (groups && threadIdx.x == 0) {
    products[at.row] = product;
    sums[at.row] = sum;
  }
  for (Index i = Index{threadIdx.x} * WIDTH; i < n; i += Index{blockDim.x} * WIDTH) {
    const Pack<T, WIDTH> d = load<WIDTH>(dy + begin + i), x = load<WIDTH>(data + begin + i);
    Pack<T, WIDTH> result;
#pragma unroll
    for (int k = 0; k < WIDTH; ++k) {
      const A unit = (widened(x.at[k]) - centre) * times;
      const A weight = widened(gamma[groups ? at.row % groups : i + k]);
      const A grad = groups ? (widened(d.at[k]) - (sum + unit * product) / n) * weight
                            : widened(d.at[k]) * weight - (sum + unit * product) / n;
      result.at[k] = narrowed<T>(grad * times);
    }
    store<WIDTH>(dx + begin + i, result);
  }
}

// Sums over a share of the rows of dy * unit and dy, for each column: (shares, n) each. A block
// takes 32 columns of a share; its rows of threads meet in shared memory.
extern "C" __global__ void column_sums(const T* dy, const T* data, const P* mean, const P* std,
                                       A* products, A* sums, Index rows, Index n) {
  __shared__ A parts[2][8][33];
  const Index column = static_cast<Index>(blockIdx.x) * 32 + threadIdx.x;
  A product = 0, sum = 0;
  if (column < n)
    for (Index row = static_cast<Index>(blockIdx.y) * 8 + threadIdx.y; row < rows;
         row += Index{gridDim.y} * 8) {
      const A d = widened(dy[row * n + column]);
      const A unit = (widened(data[row * n + column]) - A(widened(mean[row]))) / widened(std[row]);
      product += d * unit;
      sum += d;
    }
  parts[0][threadIdx.y][threadIdx.x] = product;
  parts[1][threadIdx.y][threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.y > 1 || column >= n) return;
  A total = 0;
  for (int i = 0; i < 8; ++i) total += parts[threadIdx.y][i][threadIdx.x];
  (threadIdx.y ? sums : products)[static_cast<Index>(blockIdx.y) * n + column] = total;
}
