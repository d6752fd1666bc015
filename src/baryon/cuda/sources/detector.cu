// Detectors: anchors, what they shall learn, detections, and region proposals. Type: T of results;
// boxes, labels and scores come as A.

#include "boxes.cuh"

// shapes: halves of width and height of the boxes at every pixel.
extern "C" __global__ void priors(T* out, const double* shapes, Index count, Index boxes,
                                  Index width, double y0, double x0, double down, double across,
                                  int clip) {
  for (Index i = first_element(); i < count; i += all_threads()) {
    const double* half = shapes + i % boxes * 2;
    const Index pixel = i / boxes;
    const double middle[2] = {(pixel % width + x0) * across, (pixel / width + y0) * down};
    for (int k = 0; k < 4; ++k) {
      const double at = k < 2 ? middle[k] - half[k] : middle[k - 2] + half[k - 2];
      out[i * 4 + k] = narrowed<T>(A(clip ? min(max(at, 0.0), 1.0) : at));
    }
  }
}

// ---- targets of anchors
// --------------------------------------------------------------------------

// Rows of boxes (class, corners, ...) of each image: m of `width`, which a class of -1 ends.
struct Labels {
  const A* rows;
  Index m, width;
  __device__ const A* row(Index image, Index box) const { return rows + (image * m + box) * width; }
  __device__ bool ends(Index image, Index box) const {
    return box >= m || *row(image, box) == A(-1);
  }
};

// The box that each anchor overlaps most.
extern "C" __global__ void best_boxes(const A* anchors, Labels labels, A* best, Index* match,
                                      Index count, Index n) {
  for (Index i = first_element(); i < count; i += all_threads()) {
    Best found = {A(-1), kNowhere};
    for (Index box = 0; !labels.ends(i / n, box); ++box)
      improve(&found, overlap(anchors + i % n * 4, labels.row(i / n, box) + 1, 0), box);
    best[i] = found.value;
    match[i] = found.at == kNowhere ? 0 : found.at;
  }
}

// By all threads of a block: of the anchors that are free the one that a box overlaps most.
__device__ inline Best best_anchor(const A* anchors, const A* box, const unsigned char* taken,
                                   Index n) {
  Best mine = {A(-1), kNowhere};
  for (Index a = threadIdx.x; a < n; a += blockDim.x)
    if (!taken || !taken[a]) improve(&mine, overlap(anchors + a * 4, box, 0), a);
  return best_of(mine);
}

// A block a box of an image; kNowhere for what is no box.
extern "C" __global__ void best_anchors(const A* anchors, Labels labels, A* value, Index* at,
                                        Index n) {
  const Index image = blockIdx.x / labels.m, box = blockIdx.x % labels.m;
  bool valid = true;
  for (Index k = 0; k <= box; ++k) valid &= !labels.ends(image, k);
  Best found = {A(-1), kNowhere};
  if (valid) found = best_anchor(anchors, labels.row(image, box) + 1, nullptr, n);
  if (threadIdx.x) return;
  value[blockIdx.x] = found.value;
  at[blockIdx.x] = found.at;
}

enum State { kNeither, kPositive, kNegative };

// A block an image. First every box takes the anchor that overlaps it most, best pair first; then
// anchors that are left are positive if they overlap their best box by more than `threshold`.
// value, at: of `best_anchors`. Leaves states and counts positive ones.
extern "C" __global__ void assign(const A* anchors, Labels labels, A* value, Index* at, A* best,
                                  Index* match, unsigned char* states, Index* positives, Index n,
                                  A threshold) {
  const Index image = blockIdx.x, m = labels.m;
  value += image * m;
  at += image * m;
  best += image * n;
  match += image * n;
  unsigned char* taken = states + image * n;
  for (Index a = threadIdx.x; a < n; a += blockDim.x) taken[a] = 0;
  for (Index round = 0; round < m; ++round) {
    __syncthreads();
    Best mine = {A(-1), kNowhere};
    for (Index box = threadIdx.x; box < m; box += blockDim.x) {
      const Index place = at[box] == kNowhere ? kNowhere : at[box] * m + box;
      if (place != kNowhere &&
          (value[box] > mine.value || (value[box] == mine.value && place < mine.at)))
        mine = {value[box], place};
    }
    const Best pair = best_of(mine);
    if (!(pair.value > A(1e-6))) break;
    const Index anchor = pair.at / m, chosen = pair.at % m;
    __syncthreads();  // all have read
    if (threadIdx.x == 0) {
      taken[anchor] = 1;
      match[anchor] = chosen;
      best[anchor] = pair.value;
      at[chosen] = kNowhere;
    }
    __syncthreads();
    for (Index box = 0; box < m; ++box) {
      if (at[box] != anchor) continue;
      const Best next = best_anchor(anchors, labels.row(image, box) + 1, taken, n);
      __syncthreads();  // all have compared
      if (threadIdx.x == 0) {
        value[box] = next.value;
        at[box] = next.at;
      }
      __syncthreads();
    }
  }
  __syncthreads();
  const bool empty = labels.ends(image, 0);
  A count = 0;
  for (Index a = threadIdx.x; a < n; a += blockDim.x) {
    const bool positive = taken[a] || (threshold > 0 && best[a] > threshold);
    count += positive;
    taken[a] = empty ? kNeither : positive ? kPositive : kNegative;
  }
  count = over_row<Add>(count);
  if (threadIdx.x == 0) positives[image] = static_cast<Index>(count);
}

// What says how bad a negative is: its predicted background, infinite where it is no candidate.
extern "C" __global__ void backgrounds(const A* scores, const A* best, const unsigned char* states,
                                       A* keys, Index count, Index n, Index classes, A threshold) {
  for (Index i = first_element(); i < count; i += all_threads()) {
    keys[i] = -lowest<A>();
    if (states[i] != kNegative || !(best[i] < threshold)) continue;
    const A* own = scores + i / n * classes * n + i % n;
    A most = own[0], sum = 0;
    for (Index c = 1; c < classes; ++c) most = larger(most, own[c * n]);
    for (Index c = 0; c < classes; ++c) sum += exp(own[c * n] - most);
    keys[i] = exp(own[0] - most) / sum;
  }
}

// Of the candidates in `order` only so many as positives times `ratio` stay negative.
extern "C" __global__ void mine(const Index* order, const A* best, const Index* positives,
                                unsigned char* states, Index count, Index n, A ratio, A threshold) {
  for (Index i = first_element(); i < count; i += all_threads()) {
    const Index wanted = static_cast<Index>(static_cast<double>(positives[i / n]) * ratio);
    const Index a = i / n * n + order[i];
    if (states[a] == kNegative && (i % n >= wanted || !(best[a] < threshold))) states[a] = kNeither;
  }
}

struct Four {
  A at[4];
};

extern "C" __global__ void targets(const A* anchors, Labels labels, const Index* match,
                                   const unsigned char* states, T* offsets, T* mask, T* classes,
                                   Index count, Index n, Four variances, A ignored) {
  for (Index i = first_element(); i < count; i += all_threads()) {
    const bool positive = states[i] == kPositive;
    A found[4] = {}, kind = states[i] == kNegative ? A(0) : ignored;
    if (positive) {
      const A* row = labels.row(i / n, match[i]);
      encode(row + 1, anchors + i % n * 4, found);
      kind = row[0] + 1;
    }
    for (int k = 0; k < 4; ++k) {
      offsets[i * 4 + k] = narrowed<T>(positive ? found[k] / variances.at[k] : A(0));
      mask[i * 4 + k] = narrowed<T>(A(positive));
    }
    classes[i] = narrowed<T>(kind);
  }
}

// ---- detections
// ----------------------------------------------------------------------------------

// The best class of each anchor but the background, its score, and the box at its offsets.
extern "C" __global__ void judge(const A* probs, const A* offsets, const A* anchors, A* kinds,
                                 A* scores, A* boxes, Index count, Index n, Index classes,
                                 Four variances, int clip) {
  for (Index i = first_element(); i < count; i += all_threads()) {
    const A* own = probs + i / n * classes * n + i % n;
    Best best = {lowest<A>(), kNowhere};
    for (Index c = 1; c < classes; ++c) improve(&best, own[c * n], c - 1);
    kinds[i] = A(best.at);
    scores[i] = best.value;
    A anchor[4], scaled[4];
    to_centre(anchors + i % n * 4, anchor);
    for (int k = 0; k < 4; ++k) scaled[k] = offsets[i * 4 + k] * variances.at[k];
    decode(scaled, anchor, -1, boxes + i * 4);
    for (int k = 0; clip && k < 4; ++k) boxes[i * 4 + k] = min(max(boxes[i * 4 + k], A(0)), A(1));
  }
}

// Rows of class, score, corners. best: anchors of the `tops` best, of which those that are alive
// keep their class (null: none are sorted); plain: all `used` anchors in their own order (null: no
// other than the best are asked for).
extern "C" __global__ void detections(const A* kinds, const A* scores, const A* boxes,
                                      const Index* best, const unsigned char* alive,
                                      const Index* plain, const Index* tops, const Index* used,
                                      T* out, Index count, Index n) {
  for (Index i = first_element(); i < count; i += all_threads()) {
    const Index image = i / n, row = i % n;
    const bool sorted = best && row < tops[image];
    A values[6] = {-1, -1, -1, -1, -1, -1};
    if (row < used[image]) {
      const Index from = image * n + (sorted ? best[i] : plain[i]);
      if (sorted ? alive[i] : !best) values[0] = kinds[from];
      values[1] = scores[from];
      for (int k = 0; k < 4; ++k) values[k + 2] = boxes[from * 4 + k];
    }
    for (int k = 0; k < 6; ++k) out[i * 6 + k] = narrowed<T>(values[k]);
  }
}

// ---- proposals: corners are pixels and belong to the box
// -----------------------------------------

// Boxes of anchors around every pixel of (rows, columns) after the predicted changes, and scores:
// -1 outside the image (infos: height, width, scale) and where a box is too small.
extern "C" __global__ void propose(const A* probs, const A* deltas, const A* infos,
                                   const A* anchors, A* boxes, A* scores, Index count, Index each,
                                   Index rows, Index columns, Index stride, Index least,
                                   int by_corner) {
  const Index area = rows * columns;
  for (Index i = first_element(); i < count; i += all_threads()) {
    const Index anchor = i % each, pixel = i / each % area, image = i / (each * area);
    const Index place[2] = {pixel % columns, pixel / columns};
    const A* info = infos + image * 3;
    A box[4], score = probs[(image * 2 * each + each + anchor) * area + pixel];
    for (int k = 0; k < 2; ++k) {
      const A* move = deltas + ((image * each + anchor) * 4 + k) * area + pixel;
      const A low = anchors[anchor * 4 + k] + place[k] * stride;
      const A high = anchors[anchor * 4 + k + 2] + place[k] * stride;
      const A size = high - low + 1, middle = low + (size - 1) / 2 + move[0] * size;
      const A half = (exp(move[2 * area]) * size - 1) / 2;
      box[k] = by_corner ? low + move[0] : middle - half;
      box[k + 2] = by_corner ? high + move[2 * area] : middle + half;
      if (place[k] >= floor(info[1 - k] / stride)) score = -1;
    }
    bool small = false;
    const A size = info[2] * least;
    for (int k = 0; k < 4; ++k) box[k] = max(min(box[k], info[1 - k % 2] - 1), A(0));
    for (int k = 0; k < 2; ++k) small |= box[k + 2] - box[k] + 1 < size;
    for (int k = 0; k < 4; ++k)
      boxes[i * 4 + k] = small ? box[k] + (k < 2 ? -size : size) / 2 : box[k];
    scores[i] = small ? A(-1) : score;
  }
}

// Rows of image, corners, and scores: what was kept of each image (n of `total`), again in turn.
extern "C" __global__ void rois(const A* boxes, const A* scores, const Index* kept,
                                const Index* found, T* out, T* marks, Index count, Index wanted,
                                Index n, Index total) {
  for (Index i = first_element(); i < count; i += all_threads()) {
    const Index image = i / wanted;
    const Index from = image * total + kept[image * n + i % wanted % found[image]];
    out[i * 5] = narrowed<T>(A(image));
    for (int k = 0; k < 4; ++k) out[i * 5 + k + 1] = narrowed<T>(boxes[from * 4 + k]);
    marks[i] = narrowed<T>(scores[from]);
  }
}
