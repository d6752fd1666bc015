// Operators on images (planes of height and width) that read around a pixel: resizing, means over
// even windows, correlation; and normalisation over channels. Type: T of all arrays.

typedef Wide<T>::type A;

// ---- bilinear resizing
// ---------------------------------------------------------------------------

// One axis: n pixels read for each of `out`.
struct Resizing {
  int n, out, align;

  __device__ double step() const {
    return out < 2 ? 0.0 : align ? double(n - 1) / (out - 1) : double(n) / out;
  }
  __device__ double shift() const { return align ? 0.0 : 0.5 * step() - 0.5; }
  // The pixels that `o` lies between, and how much the upper one counts.
  __device__ void read(int o, int* low, int* high, A* part) const {
    const double at = max(o * step() + shift(), 0.0);
    *low = min(static_cast<int>(floor(at)), n - 1);
    *high = min(*low + 1, n - 1);
    *part = static_cast<A>(at - *low);
  }
  // The results that may read pixel p.
  __device__ void readers(int p, int* begin, int* end) const {
    *begin = 0;
    *end = out;
    if (step() == 0) return;
    if (p > 0) *begin = max(0, static_cast<int>(floor((p - 1 - shift()) / step())) - 1);
    if (p < n - 1) *end = min(out, static_cast<int>(ceil((p + 1 - shift()) / step())) + 2);
  }
  __device__ A weight(int o, int p) const {
    int low, high;
    A part;
    read(o, &low, &high, &part);
    return (low == p ? 1 - part : A(0)) + (high == p ? part : A(0));
  }
};

extern "C" __global__ void resize(const T* data, T* out, Index count, Resizing y, Resizing x) {
  for (Index i = first_element(); i < count; i += all_threads()) {
    int top, bottom, left, right;
    A down, across;
    y.read(static_cast<int>(i / x.out % y.out), &top, &bottom, &down);
    x.read(static_cast<int>(i % x.out), &left, &right, &across);
    const T* plane = data + i / x.out / y.out * y.n * x.n;
    const T *upper = plane + Index{top} * x.n, *lower = plane + Index{bottom} * x.n;
    const A above = widened(upper[left]) * (1 - across) + widened(upper[right]) * across;
    const A below = widened(lower[left]) * (1 - across) + widened(lower[right]) * across;
    out[i] = narrowed<T>(above * (1 - down) + below * down);
  }
}

extern "C" __global__ void resize_back(const T* dy, T* dx, Index count, Resizing y, Resizing x) {
  for (Index i = first_element(); i < count; i += all_threads()) {
    const int py = static_cast<int>(i / x.n % y.n), px = static_cast<int>(i % x.n);
    const T* plane = dy + i / x.n / y.n * y.out * x.out;
    int top, bottom, left, right;
    y.readers(py, &top, &bottom);
    x.readers(px, &left, &right);
    A sum = 0;
    for (int v = top; v < bottom; ++v) {
      const A down = y.weight(v, py);
      if (down == 0) continue;
      A row = 0;
      for (int u = left; u < right; ++u)
        row += widened(plane[Index{v} * x.out + u]) * x.weight(u, px);
      sum += row * down;
    }
    dx[i] = narrowed<T>(sum);
  }
}

// ---- means over windows that spread evenly
// -------------------------------------------------------

__device__ inline int window_begin(int i, int n, int m) {
  return static_cast<int>(Index{i} * n / m);
}
__device__ inline int window_end(int i, int n, int m) {
  return static_cast<int>((Index{i + 1} * n + m - 1) / m);
}

// A row of threads a window; out: (planes, rows, columns).
extern "C" __global__ void window_means(const T* data, T* out, Index count, int height, int width,
                                        int rows, int columns) {
  const Row at(count);
  const int r = static_cast<int>(at.row / columns % rows), c = static_cast<int>(at.row % columns);
  const int top = window_begin(r, height, rows), left = window_begin(c, width, columns);
  const int tall = window_end(r, height, rows) - top, wide = window_end(c, width, columns) - left;
  const T* corner = data + (at.row / columns / rows * height + top) * width + left;
  A sum = 0;
  for (int i = threadIdx.x; i < tall * wide; i += blockDim.x)
    sum += widened(corner[Index{i / wide} * width + i % wide]);
  sum = over_row<Add>(sum);
  if (at.valid && threadIdx.x == 0) out[at.row] = narrowed<T>(sum / (A(tall) * wide));
}

extern "C" __global__ void window_means_back(const T* dy, T* dx, Index count, int height, int width,
                                             int rows, int columns) {
  for (Index i = first_element(); i < count; i += all_threads()) {
    const int y = static_cast<int>(i / width % height), x = static_cast<int>(i % width);
    const T* plane = dy + i / width / height * rows * columns;
    const int top = window_begin(y, rows, height), left = window_begin(x, columns, width);
    A sum = 0;
    for (int r = top; r < window_end(y, rows, height); ++r)
      for (int c = left; c < window_end(x, columns, width); ++c) {
        const A tall = window_end(r, height, rows) - window_begin(r, height, rows);
        const A wide = window_end(c, width, columns) - window_begin(c, width, columns);
        sum += widened(plane[Index{r} * columns + c]) / (tall * wide);
      }
    dx[i] = narrowed<T>(sum);
  }
}

// ---- correlation
// ---------------------------------------------------------------------------------

struct Patches {
  int channels, height, width, rows, columns;     // of the images, and of the results
  int kernel, border, step, move, pad, multiply;  // displacements to `border` pixels, `move` apart

  __device__ int reach() const { return border / move; }
  __device__ int sides() const { return 2 * reach() + 1; }
  // An image at a place of the padded plane.
  __device__ A value(const T* plane, int y, int x) const {
    y -= pad;
    x -= pad;
    const bool inside = y >= 0 && y < height && x >= 0 && x < width;
    return inside ? A(widened(plane[Index{y} * width + x])) : A(0);
  }
  __device__ A share() const { return 1 / (A(kernel) * kernel * channels); }
};

extern "C" __global__ void correlate(const T* one, const T* two, T* out, Patches p, Index count) {
  for (Index i = first_element(); i < count; i += all_threads()) {
    const int x = static_cast<int>(i % p.columns), y = static_cast<int>(i / p.columns % p.rows);
    const Index rest = i / p.columns / p.rows;
    const int number = static_cast<int>(rest % (p.sides() * p.sides()));
    const int dy = (number / p.sides() - p.reach()) * p.move;
    const int dx = (number % p.sides() - p.reach()) * p.move;
    const Index first = rest / (p.sides() * p.sides()) * p.channels;
    A sum = 0;
    for (int c = 0; c < p.channels; ++c) {
      const Index plane = (first + c) * p.height * p.width;
      for (int k = 0; k < p.kernel * p.kernel; ++k) {
        const int at_y = p.border + y * p.step + k / p.kernel;
        const int at_x = p.border + x * p.step + k % p.kernel;
        const A a = p.value(one + plane, at_y, at_x);
        const A b = p.value(two + plane, at_y + dy, at_x + dx);
        sum += p.multiply ? a * b : fabs(a - b);
      }
    }
    out[i] = narrowed<T>(sum * p.share());
  }
}

// Gradient by the first images, or with `second` by the others.
extern "C" __global__ void correlate_back(const T* head, const T* one, const T* two, T* grad,
                                          Patches p, Index count, int second) {
  for (Index i = first_element(); i < count; i += all_threads()) {
    const int x = static_cast<int>(i % p.width) + p.pad;
    const int y = static_cast<int>(i / p.width % p.height) + p.pad;
    const Index plane = i - i % (Index{p.height} * p.width);
    const Index image = i / p.width / p.height / p.channels;
    A sum = 0;
    for (int number = 0; number < p.sides() * p.sides(); ++number) {
      const int dy = (number / p.sides() - p.reach()) * p.move;
      const int dx = (number % p.sides() - p.reach()) * p.move;
      const int from_y = second ? y - dy : y, from_x = second ? x - dx : x;  // in the first image
      const A a = p.value(one + plane, from_y, from_x);
      const A b = p.value(two + plane, from_y + dy, from_x + dx);
      const A slope = p.multiply ? (second ? a : b) : (a >= b) != (second != 0) ? A(1) : A(-1);
      const T* own = head + (image * p.sides() * p.sides() + number) * p.rows * p.columns;
      for (int k = 0; k < p.kernel * p.kernel; ++k) {
        const int down = from_y - p.border - k / p.kernel;
        const int across = from_x - p.border - k % p.kernel;
        if (down < 0 || across < 0 || down % p.step || across % p.step) continue;
        const int row = down / p.step, column = across / p.step;
        if (row < p.rows && column < p.columns)
          sum += slope * widened(own[Index{row} * p.columns + column]);
      }
    }
    grad[i] = narrowed<T>(sum * p.share());
  }
}

// ---- normalisation over neighbouring channels: (batch, channels, inner)
// --------------------------

// Calls visit(element) for the channels at most `reach` away from an element's.
template <class Visit>
__device__ inline void each_channel(Index i, Index channels, Index inner, Index reach,
                                    const Visit& visit) {
  const Index own = i / inner % channels;
  const Index begin = max(own - reach, Index{0}), end = min(own + reach + 1, channels);
  for (Index c = begin; c < end; ++c) visit(i + (c - own) * inner);
}

extern "C" __global__ void normalise_channels(const T* data, T* out, T* scale, Index count,
                                              Index channels, Index inner, Index reach, A share,
                                              A beta, A knorm) {
  for (Index i = first_element(); i < count; i += all_threads()) {
    A sum = 0;
    each_channel(i, channels, inner, reach, [&](Index at) {
      const A x = widened(data[at]);
      sum += x * x;
    });
    const A norm = knorm + share * sum;
    out[i] = narrowed<T>(widened(data[i]) * pow(norm, -beta));
    scale[i] = narrowed<T>(norm);
  }
}

extern "C" __global__ void normalise_channels_back(const T* dy, const T* data, const T* scale,
                                                   T* dx, Index count, Index channels, Index inner,
                                                   Index reach, A share, A beta) {
  for (Index i = first_element(); i < count; i += all_threads()) {
    A shared = 0;
    each_channel(i, channels, inner, reach, [&](Index at) {
      shared += widened(dy[at]) * widened(data[at]) * pow(A(widened(scale[at])), -beta - 1);
    });
    const A own = widened(dy[i]) * pow(A(widened(scale[i])), -beta);
    dx[i] = narrowed<T>(own - 2 * share * beta * widened(data[i]) * shared);
  }
}
