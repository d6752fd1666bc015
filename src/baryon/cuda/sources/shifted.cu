// Regions whose cells read bilinear samples: shifted by learned offsets, or in rotated boxes.
// Types: T of all arrays but the regions, which come as A.

typedef Wide<T>::type A;

#include "coordinates.cuh"

// ---- position-sensitive pooling with shifted cells
// -----------------------------------------------

// data: (batch, dim * group * group, height, width); rois: image, x1, y1, x2, y2; trans: (regions,
// classes, 2, part, part), offsets in x and y, or null.
struct Cells {
  const A* rois;
  const T* trans;
  Index batch, dim, classes;
  int height, width, group, pooled, part, each;
  A scale, std;

  __device__ static int group_of(int cell, int groups, int cells) {
    return min(cell * groups / cells, groups - 1);
  }
};

struct Cell {
  Index region, channel, image;
  int row, column;
  A start[2], extent[2], shift[2];  // y, x
  __device__ Cell(Index i, const Cells& c) {
    column = static_cast<int>(i % c.pooled);
    row = static_cast<int>(i / c.pooled % c.pooled);
    channel = i / (c.pooled * c.pooled) % c.dim;
    region = i / (c.pooled * c.pooled) / c.dim;
    const A* roi = c.rois + region * 5;
    image = static_cast<Index>(bounded(roi[0]));
    for (int k = 0; k < 2; ++k) {
      start[k] = rounded(bounded(roi[2 - k])) * c.scale - A(0.5);
      extent[k] = max((rounded(bounded(roi[4 - k])) + 1) * c.scale - A(0.5) - start[k], A(0.1));
      shift[k] = 0;
      if (c.trans) shift[k] = widened(c.trans[offset(c, 1 - k)]) * c.std;
    }
  }
  __device__ bool inside(const Cells& c) const { return image >= 0 && image < c.batch; }
  __device__ Index offset(const Cells& c, int axis) const {
    const Index class_of = channel / (c.dim / c.classes);
    const int r = Cells::group_of(row, c.part, c.pooled);
    const int q = Cells::group_of(column, c.part, c.pooled);
    return (((region * c.classes + class_of) * 2 + axis) * c.part + r) * c.part + q;
  }
  __device__ Index plane(const Cells& c) const {
    const Index r = Cells::group_of(row, c.group, c.pooled);
    const Index q = Cells::group_of(column, c.group, c.pooled);
    const Index of_image = (channel * c.group + r) * c.group + q;
    return (image * c.dim * c.group * c.group + of_image) * c.height * c.width;
  }
  // A sample's place along an axis, moved into the image; whether it counts, and whether it was
  // moved.
  __device__ bool place(const Cells& c, int k, int sample, A* at, bool* moved) const {
    const int cell = k ? column : row, size = k ? c.width : c.height;
    const A bin = extent[k] / c.pooled;
    const A plain = cell * bin + start[k] + sample * (bin / c.each) + shift[k] * extent[k];
    *at = max(A(0), min(plain, A(size - 1)));
    *moved = !(*at == plain);
    return plain >= A(-0.5) && plain <= size - A(0.5);
  }
  // Calls visit(point, whether y and x move with the offsets) for the samples that count, of which
  // it gives the number.
  template <class Visit>
  __device__ int each_sample(const Cells& c, const Visit& visit) const {
    int count = 0;
    for (int s = 0; s < c.each * c.each; ++s) {
      A y, x;
      bool held_y, held_x;
      const bool counts = place(c, 0, s / c.each, &y, &held_y);
      if (!place(c, 1, s % c.each, &x, &held_x) || !counts) continue;
      ++count;
      visit(Point(y, x, c.height, c.width, 0), !held_y, !held_x);
    }
    return count;
  }
  __device__ A share(const Cells& c) const {
    return A(1) / max(each_sample(c, [](const Point&, bool, bool) {}), 1);
  }
};

extern "C" __global__ void shifted_pool(const T* data, Cells cells, T* out, Index count) {
  for (Index i = first_element(); i < count; i += all_threads()) {
    const Cell c(i, cells);
    A sum = 0;
    int samples = 0;
    if (c.inside(cells)) {
      const T* plane = data + c.plane(cells);
      samples = c.each_sample(cells, [&](const Point& point, bool, bool) {
        point.each([&](Index at, A weight, A, A) {
          if (weight != 0) sum += weight * widened(plane[at]);
        });
      });
    }
    out[i] = narrowed<T>(sum / max(samples, 1));
  }
}

extern "C" __global__ void shifted_unpool(const T* dy, Cells cells, Meeting sums, int adding,
                                          Index count) {
  for (Index i = first_element(); i < count; i += all_threads()) {
    const Cell c(i, cells);
    if (!c.inside(cells)) continue;
    const Index plane = c.plane(cells);
    const A grad = widened(dy[i]);
    if (!adding) {
      sums.note(plane, grad);  // the weights of a cell add up to 1
      continue;
    }
    const A share = c.share(cells) * grad;
    c.each_sample(cells, [&](const Point& point, bool, bool) {
      point.each([&](Index at, A weight, A, A) { sums.add(plane + at, share * weight); });
    });
  }
}

// Gradient by the offsets.
extern "C" __global__ void shifted_moves(const T* dy, const T* data, Cells cells, Meeting sums,
                                         int adding, Index count) {
  for (Index i = first_element(); i < count; i += all_threads()) {
    const Cell c(i, cells);
    if (!c.inside(cells)) continue;
    const T* plane = data + c.plane(cells);
    A by[2] = {0, 0};
    c.each_sample(cells, [&](const Point& point, bool y_moves, bool x_moves) {
      point.each([&](Index at, A, A down, A across) {
        const A value = widened(plane[at]);
        if (y_moves && down != 0) by[0] += value * down;
        if (x_moves && across != 0) by[1] += value * across;
      });
    });
    const A factor = widened(dy[i]) * c.share(cells) * cells.std;
    for (int k = 0; k < 2; ++k) {
      const Index at = c.offset(cells, 1 - k);
      if (adding)
        sums.add(at, by[k] * factor * c.extent[k]);
      else
        sums.note(at, by[k] * factor * c.extent[k]);
    }
  }
}

// ---- rotated boxes: image, centre x and y, width, height, angle in degrees
// -----------------------

extern "C" __global__ void rotated_align(const T* data, const A* rois, T* out, Index count,
                                         Index batch, Index channels, int height, int width,
                                         int rows, int columns, A scale, int ratio) {
  for (Index i = first_element(); i < count; i += all_threads()) {
    const int column = static_cast<int>(i % columns), row = static_cast<int>(i / columns % rows);
    const A* roi = rois + i / columns / rows / channels * 6;
    const Index image = static_cast<Index>(bounded(roi[0]));
    A sum = 0;
    if (image >= 0 && image < batch) {
      const Index channel = image * channels + i / columns / rows % channels;
      const T* plane = data + channel * height * width;
      double box[5];
      for (int k = 0; k < 5; ++k) box[k] = bounded(roi[k + 1]) * (k < 4 ? scale : A(1));
      const int most = 2 * (height + width + 4);  // a box may be far larger than the image
      const double tall = max(box[3], 1.0), wide = max(box[2], 1.0);
      const double angle = box[4] * 0.017453292519943295, sine = sin(angle), cosine = cos(angle);
      const double each[2] = {ceil(tall / rows), ceil(wide / columns)};
      int samples[2];
      for (int k = 0; k < 2; ++k)
        samples[k] = ratio > 0 ? ratio : max(static_cast<int>(min(each[k], double(most))), 1);
      for (int s = 0; s < samples[0] * samples[1]; ++s) {
        const int a = row * samples[0] + s / samples[1], b = column * samples[1] + s % samples[1];
        const double down = ((a + 0.5) / (rows * samples[0]) - 0.5) * tall;
        const double across = ((b + 0.5) / (columns * samples[1]) - 0.5) * wide;
        const A y = static_cast<A>(down * cosine - across * sine + box[1]);
        const A x = static_cast<A>(across * cosine + down * sine + box[0]);
        if (!(y >= -1 && y <= height && x >= -1 && x <= width)) continue;
        const Point point(max(A(0), min(y, A(height - 1))), max(A(0), min(x, A(width - 1))), height,
                          width, 0);
        point.each([&](Index at, A weight, A, A) {
          if (weight != 0) sum += weight * widened(plane[at]);
        });
      }
      sum /= A(samples[0]) * samples[1];
    }
    out[i] = narrowed<T>(sum);
  }
}
