// Arithmetic on boxes, by their corners, and the search for the best of many values.

typedef Wide<T>::type A;

// Intersection over union; extra: 1 where corners are pixels and so belong to the box.
__device__ inline A overlap(const A* a, const A* b, A extra) {
  A sizes[3][2];
  for (int k = 0; k < 2; ++k) {
    sizes[0][k] = max(min(a[k + 2], b[k + 2]) - max(a[k], b[k]) + extra, A(0));
    sizes[1][k] = max(a[k + 2] - a[k] + extra, A(0));
    sizes[2][k] = max(b[k + 2] - b[k] + extra, A(0));
  }
  const A common = sizes[0][0] * sizes[0][1];
  const A all = sizes[1][0] * sizes[1][1] + sizes[2][0] * sizes[2][1] - common;
  return all > 0 ? common / all : A(0);
}

__device__ inline void to_corners(const A* centre, A* corner) {
  for (int k = 0; k < 2; ++k) {
    const A half = centre[k + 2] / 2;
    corner[k] = centre[k] - half;
    corner[k + 2] = centre[k] + half;
  }
}
__device__ inline void to_centre(const A* corner, A* centre) {
  for (int k = 0; k < 2; ++k) {
    centre[k] = (corner[k] + corner[k + 2]) / 2;
    centre[k + 2] = corner[k + 2] - corner[k];
  }
}

__device__ inline void encode(const A* box, const A* anchor, A* offsets) {
  A of[4], from[4];
  to_centre(box, of);
  to_centre(anchor, from);
  for (int k = 0; k < 2; ++k) {
    offsets[k] = (of[k] - from[k]) / from[k + 2];
    offsets[k + 2] = log(of[k + 2] / from[k + 2]);
  }
}
// The corners of a box at scaled offsets from an anchor given by its centre.
__device__ inline void decode(const A* offsets, const A* anchor, A most, A* box) {
  A of[4];
  for (int k = 0; k < 2; ++k) {
    const A stretch = most > 0 ? min(offsets[k + 2], most) : offsets[k + 2];
    of[k] = offsets[k] * anchor[k + 2] + anchor[k];
    of[k + 2] = exp(stretch) * anchor[k + 2];
  }
  to_corners(of, box);
}

// ---- the best of many
// -----------------------------------------------------------------------------

constexpr Index kNowhere = 0x7fffffffffffffffll;  // greater than every place

struct Best {
  A value;
  Index at;
};

// The largest value of a block's threads and the lowest place that has it; NaN is the largest.
__device__ inline Best best_of(Best mine) {
  Best found;
  found.value = over_row<Most>(mine.value);
  const bool none = found.value != found.value;
  const bool equal = none ? mine.value != mine.value : mine.value == found.value;
  found.at = over_row<Least>(equal ? mine.at : kNowhere);
  return found;
}
// Takes in a value at a place behind all that `best` has seen.
__device__ inline void improve(Best* best, A value, Index at) {
  const bool first_nan = value != value && best->value == best->value;
  if (best->at == kNowhere || value > best->value || first_nan) *best = {value, at};
}
