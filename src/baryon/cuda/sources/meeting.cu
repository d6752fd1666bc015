// Results of sums that met in one place. Type: T of the results.

typedef Wide<T>::type A;

extern "C" __global__ void settle(Meeting sums, T* out, Index count) {
  for (Index i = first_element(); i < count; i += all_threads())
    out[i] = narrowed<T>(sums.sum<A>(i));
}
