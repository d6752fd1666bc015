// What expressions of operators call besides CUDA's own functions; see `element` in ops/op.py.
// Each is what the operator's body computes, infinities and NaN included.

// The value as its storage type keeps it: every step rounds, as single operators do.
template <class T, class A>
__device__ inline A rounded(A x) {
  return static_cast<A>(widened(narrowed<T>(x)));
}

template <class A>
__device__ inline A bounded(A x, A low, A high) {
  const A y = x < low ? low : x;
  return y > high ? high : y;
}

template <class A>
__device__ inline A rint_down(A x) {  // ties go down
  const A low = floor(x), high = ceil(x);
  return x - low <= high - x ? low : high;
}

template <class A>
__device__ inline A sigmoid(A x) {
  const A e = exp(-fabs(x));  // never overflows
  return (x < 0 ? e : A(1)) / (A(1) + e);
}

template <class A>
__device__ inline A softrelu(A x) {
  return (x < 0 ? A(0) : x) + log1p(exp(-fabs(x)));
}

template <class A>
__device__ inline A gelu_slope(A x) {
  const A share = A(0.5) * (A(1) + erf(x * A(0.70710678118654752)));
  return share + x * exp(A(-0.5) * x * x) * A(0.39894228040143268);
}

template <class A>
__device__ inline A smooth_l1(A x, A square) {
  const A size = fabs(x), edge = A(1) / square;
  return size < edge ? A(0.5) * square * x * x : size - A(0.5) * edge;
}

template <class A>
__device__ inline A modulo(A x, A by) {  // the sign of the divisor; 0 for divisor 0
  if (by == 0) return A(0);
  const A rest = fmod(x, by);
  if (rest == 0) return copysign(A(0), by);
  return (rest < 0) != (by < 0) ? rest + by : rest;
}
