// Coordinates of regions, and reading between pixels.

__device__ inline A bounded(A x) {  // as the bodies read coordinates: finite, not huge
  return x != x ? A(-1e8) : x < A(-1e8) ? A(-1e8) : x > A(1e8) ? A(1e8) : x;
}
__device__ inline A rounded(A x) {  // halves away from zero, in digits enough for the sum
  const double size = floor(fabs(static_cast<double>(x)) + 0.5);
  return static_cast<A>(x < 0 ? -size : size);
}

// A point along an axis of an image: the two pixels that it lies between, how much each counts, and
// the derivatives of that. Beyond the border images are 0, or with `clamp` what they are at the
// border; then points outside [0, size) read nothing. Pixels are in the image even where they do
// not count.
struct Along {
  int pixel[2];
  A weight[2], slope[2];
  __device__ Along(A at, int size, int clamp) {
    at = !(at >= -2) ? A(-2) : at > size + 1 ? A(size + 1) : at;
    const bool inside = at >= 0 && at < size, last = clamp && at >= size - 1;
    const int low = last ? size - 1 : static_cast<int>(floor(at));
    const A part = last ? A(0) : at - low;
    for (int k = 0; k < 2; ++k) {
      const int here = low + k;
      const bool exists = clamp ? inside && !(last && k) : here >= 0 && here < size;
      weight[k] = exists ? (k ? part : 1 - part) : A(0);
      slope[k] = (clamp ? inside && !last : exists) ? A(k ? 1 : -1) : A(0);
      pixel[k] = max(0, min(here, size - 1));
    }
  }
};

struct Point {
  Along y, x;
  int width;
  __device__ Point(A at_y, A at_x, int height, int w, int clamp)
      : y(at_y, height, clamp), x(at_x, w, clamp), width(w) {}

  // Calls visit(pixel of the plane, weight, derivatives by y and x) for the four pixels around.
  template <class Visit>
  __device__ void each(const Visit& visit) const {
    for (int a = 0; a < 2; ++a)
      for (int b = 0; b < 2; ++b)
        visit(static_cast<Index>(y.pixel[a]) * width + x.pixel[b], y.weight[a] * x.weight[b],
              y.slope[a] * x.weight[b], y.weight[a] * x.slope[b]);
  }
};
