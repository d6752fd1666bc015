// How many elements lie in each bin. Type: T of the data.

// counts is zero before. edges ascend; what lies outside of them or of [low, high] is not counted.
extern "C" __global__ void count_in_bins(const T* data, const double* edges,
                                         unsigned long long* counts, Index count, Index bins,
                                         double low, double high) {
  for (Index i = first_element(); i < count; i += all_threads()) {
    const double x = static_cast<double>(widened(data[i]));
    if (!(x >= low && x <= high && x >= edges[0] && x <= edges[bins])) continue;
    Index begin = 0, end = bins;  // the last edge that is not above x begins the bin
    while (end - begin > 1) {
      const Index middle = (begin + end) / 2;
      (edges[middle] <= x ? begin : end) = middle;
    }
    atomicAdd(counts + begin, 1ull);
  }
}
