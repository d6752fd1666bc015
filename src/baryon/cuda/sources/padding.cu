// Arrays with more elements around them. Type: T of the data.

enum Mode { kConstant, kEdge, kReflect };

struct Padding {  // axes that are missing come first, with size 1
  Index size[8], before[8], after[8];
  int mode;

  __device__ Index padded(int axis) const { return before[axis] + size[axis] + after[axis]; }
  // The element that a place of the padded axis copies; -1: none.
  __device__ Index source(int axis, Index place) const {
    const Index n = size[axis];
    Index at = place - before[axis];
    if (at >= 0 && at < n) return at;
    if (mode == kConstant) return -1;
    if (mode == kEdge || n == 1) return at < 0 ? 0 : n - 1;
    const Index period = 2 * (n - 1);
    at = (at % period + period) % period;
    return at < n ? at : period - at;
  }
  // How many places copy an element beside its own, and the k-th of them: of reflections those
  // within one length.
  __device__ Index copies(int axis, Index at) const {
    const Index n = size[axis];
    if (mode == kEdge) return (at == 0 ? before[axis] : 0) + (at == n - 1 ? after[axis] : 0);
    return (at > 0 && at <= before[axis]) + (at < n - 1 && at >= n - 1 - after[axis]);
  }
  __device__ Index copy(int axis, Index at, Index k) const {
    const Index n = size[axis];
    if (mode == kEdge) {
      const bool head = at == 0 && k < before[axis];
      return head ? k : n + before[axis] + k - (at == 0 ? before[axis] : 0);
    }
    const bool head = at > 0 && at <= before[axis] && k == 0;
    return head ? before[axis] - at : before[axis] + 2 * (n - 1) - at;
  }
};

extern "C" __global__ void pad(const T* data, const T* value, T* out, Padding p, Index count) {
  for (Index i = first_element(); i < count; i += all_threads()) {
    Index rest = i, from = 0, step = 1;
    for (int axis = 7; axis >= 0; --axis) {
      const Index at = p.source(axis, rest % p.padded(axis));
      rest /= p.padded(axis);
      from = at < 0 || from < 0 ? -1 : from + at * step;
      step *= p.size[axis];
    }
    out[i] = from < 0 ? *value : data[from];
  }
}

// Each element's sum over its copies.
extern "C" __global__ void unpad(const T* dy, T* dx, Padding p, Index count) {
  for (Index i = first_element(); i < count; i += all_threads()) {
    Index at[8], combinations = 1, rest = i;
    for (int axis = 7; axis >= 0; --axis) {
      at[axis] = rest % p.size[axis];
      rest /= p.size[axis];
      combinations *= 1 + p.copies(axis, at[axis]);
    }
    Wide<T>::type sum = 0;
    for (Index c = 0; c < combinations; ++c) {
      Index left = c, from = 0, step = 1;
      for (int axis = 7; axis >= 0; --axis) {
        const Index places = 1 + p.copies(axis, at[axis]), k = left % places;
        left /= places;
        from += (k ? p.copy(axis, at[axis], k - 1) : p.before[axis] + at[axis]) * step;
        step *= p.padded(axis);
      }
      sum += widened(dy[from]);
    }
    dx[i] = narrowed<T>(sum);
  }
}
