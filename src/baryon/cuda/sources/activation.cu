// Rectifiers that let negative values through. Types: T of the data; WIDTH elements an access.

typedef Wide<T>::type A;

enum Kind { kElu, kGelu, kLeaky, kSelu };

__device__ inline A rectified(A x, A slope, int kind) {
  if (kind == kGelu) return A(0.5) * x * (1 + erf(x * A(0.70710678118654752)));
  if (kind == kLeaky) return x > 0 ? x : slope * x;
  if (kind == kElu) return x > 0 ? x : slope * expm1(x);
  return A(1.0507009873554805) * (x > 0 ? x : A(1.6732632423543772) * expm1(x));
}

extern "C" __global__ void rectify(const T* data, T* out, Index packs, A slope, int kind) {
  for (Index i = first_element(); i < packs; i += all_threads()) {
    const Pack<T, WIDTH> x = load<WIDTH>(data + i * WIDTH);
    Pack<T, WIDTH> y;
#pragma unroll
    for (int k = 0; k < WIDTH; ++k)
      y.at[k] = narrowed<T>(rectified(widened(x.at[k]), slope, kind));
    store<WIDTH>(out + i * WIDTH, y);
  }
}
