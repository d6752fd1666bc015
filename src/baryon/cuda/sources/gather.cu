// Rows read by index, and gradients added where they were read. Types: T of the data (to be read
// only: any of its size), N of the indices; WIDTH elements a memory access. Arrays are (outer,
// rows, inner); WRAP: indices outside count modulo the rows, else they move to the nearest end.

#include "indices.cuh"

__device__ inline Index row_of(N given, Index rows) { return within(whole(given), rows, WRAP); }

// A row of threads (threadIdx.y) a row of the result.
extern "C" __global__ void take(const T* data, const N* indices, T* out, Index outer, Index rows,
                                Index count, Index inner) {
  for (Index r = static_cast<Index>(blockIdx.x) * blockDim.y + threadIdx.y; r < outer * count;
       r += Index{gridDim.x} * blockDim.y) {
    const T* from = data + (r / count * rows + row_of(indices[r % count], rows)) * inner;
    for (Index i = Index{threadIdx.x} * WIDTH; i < inner; i += Index{blockDim.x} * WIDTH)
      store<WIDTH>(out + r * inner + i, load<WIDTH>(from + i));
  }
}

// Sums of an array (outer, rows, inner).
extern "C" __global__ void add_rows(const T* dy, const N* indices, Meeting sums, int adding,
                                    Index outer, Index rows, Index count, Index inner) {
  for (Index r = static_cast<Index>(blockIdx.x) * blockDim.y + threadIdx.y; r < outer * count;
       r += Index{gridDim.x} * blockDim.y) {
    const Index to = (r / count * rows + row_of(indices[r % count], rows)) * inner;
    for (Index i = threadIdx.x; i < inner; i += blockDim.x) {
      const Wide<T>::type value = widened(dy[r * inner + i]);
      if (adding)
        sums.add(to + i, value);
      else
        sums.note(to + i, value);
    }
  }
}
