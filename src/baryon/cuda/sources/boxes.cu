// Boxes: overlap, suppression, matching, offsets from anchors. Type: T of data and results; boxes
// and scores come as A, boxes by their corners.

#include "boxes.cuh"

// Every box of a with every one of b.
extern "C" __global__ void overlaps(const A* a, const A* b, T* out, Index n, Index m, int centre) {
  for (Index i = first_element(); i < n * m; i += all_threads()) {
    A box[2][4];
    for (int side = 0; side < 2; ++side) {
      const A* from = side ? b + i % m * 4 : a + i / m * 4;
      for (int k = 0; k < 4; ++k) box[side][k] = from[k];
      if (centre) to_corners(from, box[side]);
    }
    out[i] = narrowed<T>(overlap(box[0], box[1], 0));
  }
}

// ---- suppression
// ---------------------------------------------------------------------------------

// A block an entry of the batch. used: how many boxes of each count; boxes: best first; ids: of
// each in that order, or null. Leaves in `alive` whether a box remains; `most` of them at most.
extern "C" __global__ void suppress(const Index* used, const A* boxes, const A* ids,
                                    unsigned char* alive, Index n, A threshold, int reached,
                                    A extra, Index most) {
  const Index first = static_cast<Index>(blockIdx.x) * n, count = used[blockIdx.x];
  for (Index i = threadIdx.x; i < n; i += blockDim.x) alive[first + i] = i < count;
  __syncthreads();
  Index kept = 0;
  for (Index i = 0; i < count; ++i) {
    if (kept == most) {  // what follows is not wanted
      for (Index j = i + threadIdx.x; j < count; j += blockDim.x) alive[first + j] = 0;
      return;
    }
    if (alive[first + i]) {
      ++kept;
      for (Index j = i + 1 + threadIdx.x; j < count; j += blockDim.x) {
        if (!alive[first + j] || (ids && ids[first + i] != ids[first + j])) continue;
        const A shared = overlap(boxes + (first + i) * 4, boxes + (first + j) * 4, extra);
        if (reached ? shared >= threshold : shared > threshold) alive[first + j] = 0;
      }
    }
    __syncthreads();
  }
}

// Leaves in `kept` the rows that are alive, in `order` (null: their own), then -1; their number in
// `found`.
extern "C" __global__ void compact(const Index* order, const unsigned char* alive, Index* kept,
                                   Index* found, Index n) {
  const Index first = static_cast<Index>(blockIdx.x) * n;
  __shared__ int totals[32];
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  Index done = 0;
  for (Index base = 0; base < n; base += blockDim.x) {
    const Index i = base + threadIdx.x;
    const bool here = i < n && alive[first + i];
    const unsigned votes = __ballot_sync(0xffffffffu, here);
    if (lane == 0) totals[warp] = __popc(votes);
    __syncthreads();
    Index at = done + __popc(votes & ((1u << lane) - 1));
    for (int w = 0; w < static_cast<int>(blockDim.x / 32); ++w) {
      if (w < warp) at += totals[w];
      done += totals[w];
    }
    if (here) kept[first + at] = order ? order[first + i] : i;
    __syncthreads();
  }
  for (Index i = done + threadIdx.x; i < n; i += blockDim.x) kept[first + i] = -1;
  if (found && threadIdx.x == 0) found[blockIdx.x] = done;
}

// Rows of dy put back where they came from, in dx, which is zero before.
extern "C" __global__ void put_back(const T* dy, const Index* origin, T* dx, Index count, Index n,
                                    Index columns) {
  for (Index i = first_element(); i < count; i += all_threads()) {
    const Index row = i / columns, to = origin[row];
    if (to >= 0 && to < n) dx[(row / n * n + to) * columns + i % columns] = dy[i];
  }
}

// ---- matching
// ------------------------------------------------------------------------------------

// Scores (batch, rows, columns): a block an entry. Both results are -1 before.
extern "C" __global__ void match(const A* scores, T* by_row, T* by_column, Index rows,
                                 Index columns, int ascend, A limit, Index pairs) {
  const A* own = scores + static_cast<Index>(blockIdx.x) * rows * columns;
  T* row_of = by_row + static_cast<Index>(blockIdx.x) * rows;
  T* column_of = by_column + static_cast<Index>(blockIdx.x) * columns;
  for (Index pair = 0; pair < pairs; ++pair) {
    Best mine = {lowest<A>(), kNowhere};
    for (Index i = threadIdx.x; i < rows * columns; i += blockDim.x)
      if (widened(row_of[i / columns]) < 0 && widened(column_of[i % columns]) < 0)
        improve(&mine, ascend ? -own[i] : own[i], i);
    const Best best = best_of(mine);
    if (!(best.value > limit)) return;
    __syncthreads();  // all have read
    if (threadIdx.x == 0) {
      row_of[best.at / columns] = narrowed<T>(A(best.at % columns));
      column_of[best.at % columns] = narrowed<T>(A(best.at / columns));
    }
    __syncthreads();
  }
}

// ---- offsets from anchors
// ------------------------------------------------------------------------

struct Four {
  A at[4];
};

extern "C" __global__ void box_encode(const A* samples, const A* matches, const A* anchors,
                                      const A* refs, const A* means, const A* stds, T* out, T* mask,
                                      Index count, Index n, Index m) {
  for (Index i = first_element(); i < count; i += all_threads()) {
    const A given = matches[i];
    Index match = given > 0 ? (given < A(m) ? static_cast<Index>(given) : m - 1) : 0;
    const bool positive = samples[i] > A(0.5);
    A offsets[4];
    encode(refs + (i / n * m + match) * 4, anchors + i * 4, offsets);
    for (int k = 0; k < 4; ++k) {
      out[i * 4 + k] = narrowed<T>(positive ? (offsets[k] - means[k]) / stds[k] : A(0));
      mask[i * 4 + k] = narrowed<T>(A(positive));
    }
  }
}

extern "C" __global__ void box_decode(const A* data, const A* anchors, T* out, Index count, Index n,
                                      Four stds, A most, int centre) {
  for (Index i = first_element(); i < count; i += all_threads()) {
    A offsets[4], anchor[4], box[4];
    for (int k = 0; k < 4; ++k) {
      offsets[k] = data[i * 4 + k] * stds.at[k];
      anchor[k] = anchors[i % n * 4 + k];
    }
    if (!centre) to_centre(anchors + i % n * 4, anchor);
    decode(offsets, anchor, most, box);
    for (int k = 0; k < 4; ++k) out[i * 4 + k] = narrowed<T>(box[k]);
  }
}
