// Sums of exponentials in one pass.

// exp(scale x - most) and its sum, kept up to date element by element.
struct Running {
  A most, sum;
  __device__ void add(A x) {
    if (x == lowest<A>()) return;
    if (x > most) {
      sum = sum * exp(most - x) + 1;
      most = x;
    } else {
      sum += exp(x - most);
    }
    sum += x - x;  // NaN if x is infinite or NaN
  }
};
