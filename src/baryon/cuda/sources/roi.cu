// Pooling of regions (rows of rois: image, x1, y1, x2, y2). Types: T of data and results; regions
// come as A.

typedef Wide<T>::type A;

#include "coordinates.cuh"

struct Grid {
  int rows, columns, height, width;
};

struct Cell {
  Index region, channel;
  int row, column;
  __device__ Cell(Index flat, Index channels, const Grid& g) {
    column = static_cast<int>(flat % g.columns);
    row = static_cast<int>(flat / g.columns % g.rows);
    channel = flat / (g.rows * g.columns) % channels;
    region = flat / (g.rows * g.columns * channels);
  }
};

// ---- the maximum of each cell --------------------------------------------------------------------

__device__ inline void edges(A start, A extent, int count, int size, int cell, int* begin,
                             int* end) {
  const A step = extent / count;
  const A low = floor(cell * step + start), high = ceil((cell + 1) * step + start);
  *begin = static_cast<int>(low < 0 ? A(0) : low > size ? A(size) : low);
  *end = static_cast<int>(high < 0 ? A(0) : high > size ? A(size) : high);
}

extern "C" __global__ void roi_pool(const T* data, const A* rois, T* out, Index* places,
                                    Index count, Index batch, Index channels, Grid g, A scale) {
  for (Index i = first_element(); i < count; i += all_threads()) {
    const Cell c(i, channels, g);
    const A* roi = rois + c.region * 5;
    const Index image = static_cast<Index>(bounded(roi[0]));
    A box[4];
    for (int k = 0; k < 4; ++k) box[k] = rounded(bounded(roi[k + 1]) * scale);
    int top, bottom, left, right;
    edges(box[0], max(box[2] - box[0] + 1, A(1)), g.columns, g.width, c.column, &left, &right);
    edges(box[1], max(box[3] - box[1] + 1, A(1)), g.rows, g.height, c.row, &top, &bottom);
    Index place = -1;
    A best = 0;
    if (image >= 0 && image < batch) {
      const T* plane = data + (image * channels + c.channel) * g.height * g.width;
      for (int y = top; y < bottom; ++y)
        for (int x = left; x < right; ++x) {
          const Index at = Index{y} * g.width + x;
          const A here = widened(plane[at]);
          if (place < 0 || (best == best && !(here <= best))) {
            best = here;
            place = at;
          }
        }
    }
    out[i] = narrowed<T>(best);
    places[i] = place;
  }
}

extern "C" __global__ void roi_unpool(const T* dy, const A* rois, const Index* places,
                                      Meeting sums, int adding, Index count, Index batch,
                                      Index channels, Grid g) {
  for (Index i = first_element(); i < count; i += all_threads()) {
    const Cell c(i, channels, g);
    const Index image = static_cast<Index>(bounded(rois[c.region * 5]));
    if (places[i] < 0 || image < 0 || image >= batch) continue;
    const Index plane = (image * channels + c.channel) * g.height * g.width;
    const A grad = widened(dy[i]);
    if (adding)
      sums.add(plane + places[i], grad);
    else
      sums.note(plane, grad);
  }
}

// ---- the mean of bilinear samples in each cell ---------------------------------------------------

// The samples of a cell along an axis: those of them that lie near the image.
struct Samples {
  A begin, step;
  Index first, end, count;
  int size;
  __device__ Samples(A start, A extent, int cells, int cell, int ratio, int axis_size) {
    const A bin = extent / cells;
    size = axis_size;
    count = ratio > 0 ? ratio : static_cast<Index>(ceil(bin));
    if (count < 0) count = 0;
    step = bin / (count > 1 ? count : 1);
    begin = start + cell * bin;
    const A skipped = floor((-1 - begin) / max(step, A(1e-6))) - 1;
    const Index most = max(2 * size + 8, ratio);
    const Index room = count > most ? count - most : 0;
    first = skipped > 0 ? static_cast<Index>(min(skipped, static_cast<A>(room))) : 0;
    end = min(count, first + most);
  }
  // Whether sample k reads pixels, which ones, and the upper one's weight.
  __device__ bool read(Index k, int* low, int* high, A* part) const {
    A at = begin + (k + A(0.5)) * step;
    if (!(at >= -1 && at <= size)) return false;
    at = at < 0 ? A(0) : at > size - 1 ? A(size - 1) : at;
    const int floor_at = static_cast<int>(floor(at));
    *low = min(floor_at, max(size - 2, 0));
    *high = min(*low + 1, size - 1);
    *part = at - *low;
    return true;
  }
};

// Calls visit(pixel, weight) for everything a cell averages over; false for no image.
template <class Visit>
__device__ inline void each_sample(const A* roi, const Cell& c, const Grid& g, A scale, A shift,
                                   int ratio, int aligned, const Visit& visit) {
  const A x1 = bounded(roi[1]) * scale - shift, y1 = bounded(roi[2]) * scale - shift;
  A width = bounded(roi[3]) * scale - shift - x1, height = bounded(roi[4]) * scale - shift - y1;
  if (!aligned) {
    width = max(width, A(1));
    height = max(height, A(1));
  }
  const Samples rows(y1, height, g.rows, c.row, ratio, g.height);
  const Samples columns(x1, width, g.columns, c.column, ratio, g.width);
  const A share = 1 / (static_cast<A>(max(rows.count, Index{1})) *
                       static_cast<A>(max(columns.count, Index{1})));
  for (Index r = rows.first; r < rows.end; ++r) {
    int top, bottom, left, right;
    A down, across;
    if (!rows.read(r, &top, &bottom, &down)) continue;
    for (Index k = columns.first; k < columns.end; ++k) {
      if (!columns.read(k, &left, &right, &across)) continue;
      visit(Index{top} * g.width + left, (1 - down) * (1 - across) * share);
      visit(Index{top} * g.width + right, (1 - down) * across * share);
      visit(Index{bottom} * g.width + left, down * (1 - across) * share);
      visit(Index{bottom} * g.width + right, down * across * share);
    }
  }
}

// The plane of data that a cell reads; in position-sensitive pooling each cell has its own.
__device__ inline Index plane_of(Index image, const Cell& c, Index channels, const Grid& g,
                                 int sensitive) {
  const Index cells = sensitive ? Index{g.rows} * g.columns : 1;
  const Index channel = sensitive ? c.channel * cells + c.row * g.columns + c.column : c.channel;
  return (image * channels * cells + channel) * g.height * g.width;
}

// channels: of the result.
extern "C" __global__ void roi_align(const T* data, const A* rois, T* out, Index count, Index batch,
                                     Index channels, Grid g, A scale, A shift, int ratio,
                                     int aligned, int sensitive) {
  for (Index i = first_element(); i < count; i += all_threads()) {
    const Cell c(i, channels, g);
    const A* roi = rois + c.region * 5;
    const Index image = static_cast<Index>(bounded(roi[0]));
    A sum = 0;
    if (image >= 0 && image < batch) {
      const T* plane = data + plane_of(image, c, channels, g, sensitive);
      each_sample(roi, c, g, scale, shift, ratio, aligned,
                  [&](Index at, A weight) { sum += weight * widened(plane[at]); });
    }
    out[i] = narrowed<T>(sum);
  }
}

extern "C" __global__ void roi_unalign(const T* dy, const A* rois, Meeting sums, int adding,
                                       Index count, Index batch, Index channels, Grid g, A scale,
                                       A shift, int ratio, int aligned, int sensitive) {
  for (Index i = first_element(); i < count; i += all_threads()) {
    const Cell c(i, channels, g);
    const A* roi = rois + c.region * 5;
    const Index image = static_cast<Index>(bounded(roi[0]));
    if (image < 0 || image >= batch) continue;
    const Index plane = plane_of(image, c, channels, g, sensitive);
    const A grad = widened(dy[i]);
    if (adding)
      each_sample(roi, c, g, scale, shift, ratio, aligned,
                  [&](Index at, A weight) { sums.add(plane + at, grad * weight); });
    else
      sums.note(plane, grad);  // the weights of a cell add up to 1
  }
}

// ---- the mean of whole pixels in each cell, from the channels of its group -----------------------

// Calls visit(pixel, 1 / pixels of the cell) for everything that a cell averages over.
template <class Visit>
__device__ inline void each_pixel(const A* roi, const Cell& c, const Grid& g, Index image,
                                  Index channels, int groups, A scale, const Visit& visit) {
  A box[4];
  for (int k = 0; k < 4; ++k) box[k] = (rounded(bounded(roi[k + 1])) + (k > 1)) * scale;
  int top, bottom, left, right;
  edges(box[0], max(box[2] - box[0], A(0.1)), g.columns, g.width, c.column, &left, &right);
  edges(box[1], max(box[3] - box[1], A(0.1)), g.rows, g.height, c.row, &top, &bottom);
  const Index by_row = min(c.row * groups / g.rows, groups - 1);
  const Index by_column = min(c.column * groups / g.columns, groups - 1);
  const Index channel = (c.channel * groups + by_row) * groups + by_column;
  const Index plane = (image * channels * groups * groups + channel) * g.height * g.width;
  const A share = 1 / (static_cast<A>(max(bottom - top, 1)) * max(right - left, 1));
  for (int y = top; y < bottom; ++y)
    for (int x = left; x < right; ++x) visit(plane + Index{y} * g.width + x, share);
}

extern "C" __global__ void roi_mean(const T* data, const A* rois, T* out, Index count, Index batch,
                                    Index channels, Grid g, int groups, A scale) {
  for (Index i = first_element(); i < count; i += all_threads()) {
    const Cell c(i, channels, g);
    const A* roi = rois + c.region * 5;
    const Index image = static_cast<Index>(bounded(roi[0]));
    A sum = 0;
    if (image >= 0 && image < batch)
      each_pixel(roi, c, g, image, channels, groups, scale,
                 [&](Index at, A share) { sum += widened(data[at]) * share; });
    out[i] = narrowed<T>(sum);
  }
}

extern "C" __global__ void roi_unmean(const T* dy, const A* rois, Meeting sums, int adding,
                                      Index count, Index batch, Index channels, Grid g, int groups,
                                      A scale) {
  for (Index i = first_element(); i < count; i += all_threads()) {
    const Cell c(i, channels, g);
    const A* roi = rois + c.region * 5;
    const Index image = static_cast<Index>(bounded(roi[0]));
    if (image < 0 || image >= batch) continue;
    const A grad = widened(dy[i]);
    each_pixel(roi, c, g, image, channels, groups, scale, [&](Index at, A share) {
      if (adding)
        sums.add(at, grad * share);
      else
        sums.note(at, grad);
    });
  }
}
