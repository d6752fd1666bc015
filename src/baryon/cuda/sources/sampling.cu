// Images read between pixels, where a grid says or at learned offsets from the places of a kernel.
// Type: T of all arrays.

typedef Wide<T>::type A;

#include "coordinates.cuh"

// Where samples lie, (batch, groups, kernel, out) of them: each group of channels has its own.
// `grid`: offset holds x, then y over [-1, 1], else y, then x in pixels from the place in the
// kernel. mask: how much each sample counts, or null.
struct Samples {
  const T *offset, *mask;
  int size[2], out[2], kernel[2], stride[2], dilate[2], pad[2], channels, groups, clamp, grid;

  __device__ Index pixels() const { return Index{out[0]} * out[1]; }
  __device__ Index area() const { return Index{kernel[0]} * kernel[1]; }
  __device__ Index plane() const { return Index{size[0]} * size[1]; }

  // Sample i of all (batch, groups, kernel, out): where its offsets lie, `pixels` apart.
  __device__ Index offsets(Index i) const { return i / pixels() * 2 * pixels() + i % pixels(); }
  __device__ A masked(Index i) const { return mask ? A(widened(mask[i])) : A(1); }
  __device__ Point point(Index i) const {
    A at[2];
    for (int k = 0; k < 2; ++k) {
      const A moved = widened(offset[offsets(i) + (grid ? 1 - k : k) * pixels()]);
      const int here = static_cast<int>(k ? i % out[1] : i / out[1] % out[0]);
      const Index step = i / pixels() % area();
      const int tap = static_cast<int>(k ? step % kernel[1] : step / kernel[1]);
      at[k] = grid ? (moved + 1) * (size[k] - 1) / 2
                   : moved + (here * stride[k] - pad[k] + tap * dilate[k]);
    }
    return Point(at[0], at[1], size[0], size[1], clamp);
  }
};

// An element of (batch, channels, kernel, out): its plane in the images, and its sample.
struct Column {
  Index plane, sample;
  __device__ Column(Index i, const Samples& s) {
    const Index each = s.area() * s.pixels(), channel = i / each % s.channels;
    const Index batch = i / each / s.channels;
    plane = i / each;
    sample = (batch * s.groups + channel / (s.channels / s.groups)) * each + i % each;
  }
};

// columns: (batch, channels, kernel, out).
extern "C" __global__ void sample(const T* data, Samples s, T* columns, Index count) {
  for (Index i = first_element(); i < count; i += all_threads()) {
    const Column c(i, s);
    const T* plane = data + c.plane * s.plane();
    A sum = 0;
    s.point(c.sample).each([&](Index at, A weight, A, A) {
      if (weight != 0) sum += weight * widened(plane[at]);
    });
    columns[i] = narrowed<T>(sum * s.masked(c.sample));
  }
}

// The gradient of columns brought back to the images.
extern "C" __global__ void spread(const T* columns, Samples s, Meeting sums, int adding,
                                  Index count) {
  for (Index i = first_element(); i < count; i += all_threads()) {
    const Column c(i, s);
    const Index plane = c.plane * s.plane();
    const A grad = widened(columns[i]) * s.masked(c.sample);
    if (adding)
      s.point(c.sample).each(
          [&](Index at, A weight, A, A) { sums.add(plane + at, grad * weight); });
    else
      sums.note(plane, grad);
  }
}

// Gradients by the offsets and the mask (null: none): sums over the channels of a group.
extern "C" __global__ void move(const T* data, const T* columns, Samples s, T* by_offset,
                                T* by_mask, Index count) {
  const Index each = s.area() * s.pixels(), channels = s.channels / s.groups;
  for (Index i = first_element(); i < count; i += all_threads()) {
    const Point point = s.point(i);
    A plain = 0, by_y = 0, by_x = 0;
    for (Index c = 0; c < channels; ++c) {
      const Index plane = i / each * channels + c;
      const A grad = widened(columns[plane * each + i % each]);
      point.each([&](Index at, A weight, A down, A across) {
        const A value = widened(data[plane * s.plane() + at]) * grad;
        if (weight != 0) plain += weight * value;
        if (down != 0) by_y += down * value;
        if (across != 0) by_x += across * value;
      });
    }
    const A mask = s.masked(i);
    const A moved[2] = {by_y * mask * (s.grid ? A(s.size[0] - 1) / 2 : A(1)),
                        by_x * mask * (s.grid ? A(s.size[1] - 1) / 2 : A(1))};
    for (int k = 0; k < 2; ++k)
      by_offset[s.offsets(i) + k * s.pixels()] = narrowed<T>(moved[s.grid ? 1 - k : k]);
    if (by_mask) by_mask[i] = narrowed<T>(plain);
  }
}

// ---- grids
// ---------------------------------------------------------------------------------------

// Where a pixel lies over [-1, 1].
__device__ inline A over(int pixel, int size) {
  return static_cast<A>(2 * static_cast<double>(pixel) / max(size - 1, 1) - 1);
}
__device__ inline A half_of(int size) { return A(max(size - 1, 1)) / 2; }

// A grid (batch, 2, height, width) of matrices (batch, 2, 3), or of shifts in pixels like the grid.
extern "C" __global__ void make_grid(const T* data, T* grid, Index count, int height, int width,
                                     int affine) {
  for (Index i = first_element(); i < count; i += all_threads()) {
    const int x = static_cast<int>(i % width), y = static_cast<int>(i / width % height);
    const Index row = i / (Index{height} * width);
    const int down = static_cast<int>(row % 2);
    A at = down ? over(y, height) : over(x, width);
    if (affine) {
      const T* matrix = data + row * 3;
      at = widened(matrix[0]) * over(x, width) + widened(matrix[1]) * over(y, height) +
           widened(matrix[2]);
    } else {
      at += widened(data[i]) / half_of(down ? height : width);
    }
    grid[i] = narrowed<T>(at);
  }
}

// Gradients by the matrices: a block a row of one.
extern "C" __global__ void grid_to_matrices(const T* dy, T* matrices, int height, int width) {
  const Index row = blockIdx.x, area = Index{height} * width;
  A sums[3] = {};
  for (Index i = threadIdx.x; i < area; i += blockDim.x) {
    const A d = widened(dy[row * area + i]);
    sums[0] += d * over(static_cast<int>(i % width), width);
    sums[1] += d * over(static_cast<int>(i / width), height);
    sums[2] += d;
  }
  for (int k = 0; k < 3; ++k) {
    const A sum = over_row<Add>(sums[k]);
    if (threadIdx.x == 0) matrices[row * 3 + k] = narrowed<T>(sum);
  }
}

extern "C" __global__ void grid_to_shifts(const T* dy, T* dx, Index count, int height, int width) {
  for (Index i = first_element(); i < count; i += all_threads())
    dx[i] = narrowed<T>(widened(dy[i]) / half_of(i / (Index{height} * width) % 2 ? height : width));
}
