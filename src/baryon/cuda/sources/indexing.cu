// Single elements and slices by index. Types: T of data (where it is only moved: any of its size),
// N of indices.

#include "indices.cuh"

// ---- one element of each run: data (outer, rows, inner), indices (outer, inner)
// ------------------

extern "C" __global__ void pick(const T* data, const N* indices, T* out, Index count, Index rows,
                                Index inner, int wrap) {
  for (Index i = first_element(); i < count; i += all_threads())
    out[i] = data[(i / inner * rows + within(whole(indices[i]), rows, wrap)) * inner + i % inner];
}

// Its gradient: zeros (of any type all bits are) but for what was picked.
extern "C" __global__ void unpick(const T* dy, const N* indices, T* dx, Index count, Index rows,
                                  Index inner, int wrap) {
  for (Index i = first_element(); i < count; i += all_threads()) {
    const Index run = i / (rows * inner) * inner + i % inner;
    const bool hit = within(whole(indices[run]), rows, wrap) == i / inner % rows;
    dx[i] = hit ? dy[run] : T{};
  }
}

extern "C" __global__ void one_hot(const N* indices, const T* on, const T* off, T* out, Index count,
                                   Index depth) {
  for (Index i = first_element(); i < count; i += all_threads())
    out[i] = whole(indices[i / depth]) == i % depth ? *on : *off;
}

// ---- slices by coordinates
// -----------------------------------------------------------------------

// indices (depth, points) name slices of `inner` elements in axes of these sizes; with from_end
// negative ones count from there. fault: host memory that is told of a coordinate outside.
struct Coordinates {
  const N* indices;
  Index points, inner, size[8];
  int depth, from_end;
  Index* fault;

  // Where a point's slice begins; -1 if it is outside.
  __device__ Index slice(Index point) const {
    Index at = 0;
    for (int axis = 0; axis < depth; ++axis) {
      Index index = whole(indices[axis * points + point]);
      if (index < (from_end ? -size[axis] : 0) || index >= size[axis]) {
        *fault = index < 0 ? index : index + 1;  // never 0, which means none
        return -1;
      }
      at = at * size[axis] + (index < 0 ? index + size[axis] : index);
    }
    return at * inner;
  }
};

extern "C" __global__ void gather_slices(const T* data, Coordinates c, T* out) {
  for (Index i = first_element(); i < c.points * c.inner; i += all_threads()) {
    const Index from = c.slice(i / c.inner);
    out[i] = from < 0 ? T{} : data[from + i % c.inner];
  }
}

// Of points that name one slice the last wins: `last`, one entry a slice, is -1 before.
extern "C" __global__ void last_points(Coordinates c, Index* last) {
  for (Index point = first_element(); point < c.points; point += all_threads()) {
    const Index to = c.slice(point);
    if (to >= 0) atomicMax(last + to / c.inner, point);
  }
}
extern "C" __global__ void scatter_slices(const T* data, Coordinates c, const Index* last, T* out) {
  for (Index i = first_element(); i < c.points * c.inner; i += all_threads()) {
    const Index to = c.slice(i / c.inner);
    if (to >= 0 && last[to / c.inner] == i / c.inner) out[to + i % c.inner] = data[i];
  }
}

extern "C" __global__ void add_slices(const T* data, Coordinates c, Meeting sums, int adding) {
  for (Index i = first_element(); i < c.points * c.inner; i += all_threads()) {
    const Index to = c.slice(i / c.inner);
    if (to < 0) continue;
    const Wide<T>::type value = widened(data[i]);
    if (adding)
      sums.add(to + i % c.inner, value);
    else
      sums.note(to + i % c.inner, value);
  }
}

// ---- sequences: (time, batch, inner), or (batch, time, inner) with steps_last
// --------------------

struct Step {
  Index time, batch, inner;
  __device__ Step(Index i, Index steps, Index entries, Index n, int steps_last) {
    inner = i % n;
    const Index row = i / n;
    time = steps_last ? row % steps : row / entries;
    batch = steps_last ? row / steps : row % entries;
  }
};
__device__ inline Index place(Index time, Index batch, Index steps, Index entries, int steps_last) {
  return steps_last ? batch * steps + time : time * entries + batch;
}

extern "C" __global__ void mask_steps(const T* data, const N* lengths, const T* value, T* out,
                                      Index count, Index steps, Index entries, Index n,
                                      int steps_last) {
  for (Index i = first_element(); i < count; i += all_threads()) {
    const Step s(i, steps, entries, n, steps_last);
    out[i] = s.time < widened(lengths[s.batch]) ? data[i] : *value;
  }
}

extern "C" __global__ void reverse_steps(const T* data, const N* lengths, T* out, Index count,
                                         Index steps, Index entries, Index n, int steps_last) {
  for (Index i = first_element(); i < count; i += all_threads()) {
    const Step s(i, steps, entries, n, steps_last);
    Index length = lengths ? whole(lengths[s.batch]) : steps;
    length = length < 0 ? 0 : length > steps ? steps : length;
    const Index from = s.time < length ? length - 1 - s.time : s.time;
    out[i] = data[place(from, s.batch, steps, entries, steps_last) * n + s.inner];
  }
}

__device__ inline Index last_step(const N* lengths, Index entry, Index steps) {
  return lengths ? within(whole(lengths[entry]) - 1, steps, 0) : steps - 1;
}
// back: whether data is the gradient of the last steps, (batch, inner), and the result that of all.
extern "C" __global__ void last_steps(const T* data, const N* lengths, T* out, Index count,
                                      Index steps, Index entries, Index n, int steps_last,
                                      int back) {
  for (Index i = first_element(); i < count; i += all_threads()) {
    if (back) {
      const Step s(i, steps, entries, n, steps_last);
      const bool read = s.time == last_step(lengths, s.batch, steps);
      out[i] = read ? data[s.batch * n + s.inner] : T{};
    } else {
      const Index time = last_step(lengths, i / n, steps);
      out[i] = data[place(time, i / n, steps, entries, steps_last) * n + i % n];
    }
  }
}
