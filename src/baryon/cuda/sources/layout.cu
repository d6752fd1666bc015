// Stacks of matrices transposed, for images whose channels come last or first. Type: T.

extern "C" __global__ void transpose(const T* data, T* out, Index count, Index rows, Index columns) {
  __shared__ T tile[32][33];  // an odd row: threads that read a column meet no bank twice
  const Index row = static_cast<Index>(blockIdx.y) * 32, column = static_cast<Index>(blockIdx.x) * 32;
  for (Index i = blockIdx.z; i < count; i += gridDim.z) {
    const T* from = data + i * rows * columns;
    T* to = out + i * rows * columns;
    for (int k = threadIdx.y; k < 32; k += blockDim.y)
      if (row + k < rows && column + threadIdx.x < columns)
        tile[k][threadIdx.x] = from[(row + k) * columns + column + threadIdx.x];
    __syncthreads();
    for (int k = threadIdx.y; k < 32; k += blockDim.y)
      if (column + k < columns && row + threadIdx.x < rows)
        to[(column + k) * rows + row + threadIdx.x] = tile[threadIdx.x][k];
    __syncthreads();
  }
}
