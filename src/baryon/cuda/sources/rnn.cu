// One step of a recurrent layer after its matrix products: T stores gates and outputs, cell states
// are float (A), held between `low` and `high`. Gates lie in blocks of `units`; N samples.

typedef Wide<T>::type A;

__device__ inline A sigmoid(A x) { return 1 / (1 + exp(-x)); }

// gx, gh: products of the input (with both biases) and of the state. kept: i, f, g, o, c.
extern "C" __global__ void lstm_step(const T* gx, const T* gh, const A* c, T* h, A* c_out, T* kept,
                                     A low, A high, int samples, int units) {
  for (Index at = first_element(); at < Index{samples} * units; at += all_threads()) {
    const Index n = at / units, u = at % units, from = n * 4 * units + u, to = n * 5 * units + u;
    A gate[4];
    for (int k = 0; k < 4; ++k)
      gate[k] = A(widened(gx[from + k * units])) + widened(gh[from + k * units]);
    const A i = sigmoid(gate[0]), f = sigmoid(gate[1]), g = tanh(gate[2]), o = sigmoid(gate[3]);
    A cell = f * c[at] + i * g;
    cell = cell < low ? low : cell > high ? high : cell;
    c_out[at] = cell;
    h[at] = narrowed<T>(o * tanh(cell));
    const A blocks[5] = {i, f, g, o, cell};
    for (int k = 0; k < 5; ++k) kept[to + k * units] = narrowed<T>(blocks[k]);
  }
}

// dy: of this step's output, in rows of `stride`; dh: what later steps gave to this state; dc: in
// and out. c_before: of the step before, in rows of c_stride.
extern "C" __global__ void lstm_back(const T* kept, const T* dy, const T* dh, const A* c_first,
                                     const T* c_before, A* dc, T* gates, A low, A high, int samples,
                                     int units, int stride) {
  for (Index at = first_element(); at < Index{samples} * units; at += all_threads()) {
    const Index n = at / units, u = at % units, from = n * 5 * units + u, to = n * 4 * units + u;
    const A i = widened(kept[from]), f = widened(kept[from + units]);
    const A g = widened(kept[from + 2 * units]), o = widened(kept[from + 3 * units]);
    const A after = widened(kept[from + 4 * units]), squashed = tanh(after);
    const A d = A(widened(dy[n * stride + u])) + widened(dh[at]);
    const A before = c_first ? c_first[at] : A(widened(c_before[from + 4 * units]));
    A cell = dc[at] + d * o * (1 - squashed * squashed);
    if (!(after > low && after < high)) cell = 0;  // it was held at a bound
    gates[to] = narrowed<T>(cell * g * i * (1 - i));
    gates[to + units] = narrowed<T>(cell * before * f * (1 - f));
    gates[to + 2 * units] = narrowed<T>(cell * i * (1 - g * g));
    gates[to + 3 * units] = narrowed<T>(d * squashed * o * (1 - o));
    dc[at] = cell * f;
  }
}

// One gate; its squashed sum is the state, and all that is kept.
extern "C" __global__ void plain_step(const T* gx, const T* gh, T* h, T* kept, int is_tanh,
                                      int samples, int units) {
  for (Index at = first_element(); at < Index{samples} * units; at += all_threads()) {
    const A sum = A(widened(gx[at])) + widened(gh[at]);
    h[at] = kept[at] = narrowed<T>(is_tanh ? tanh(sum) : larger(sum, A(0)));
  }
}

extern "C" __global__ void plain_back(const T* kept, const T* dy, const T* dh, T* gates,
                                      int is_tanh, int samples, int units, int stride) {
  for (Index at = first_element(); at < Index{samples} * units; at += all_threads()) {
    const A h = widened(kept[at]);
    const A d = A(widened(dy[at / units * stride + at % units])) + widened(dh[at]);
    gates[at] = narrowed<T>(is_tanh ? d * (1 - h * h) : h > 0 ? d : A(0));
  }
}

// gx: with its bias; gh: without bh, which the reset gate multiplies too. kept: r, z, n, hn.
extern "C" __global__ void gru_step(const T* gx, const T* gh, const T* bh, const T* h, T* h_out,
                                    T* kept, int samples, int units) {
  for (Index at = first_element(); at < Index{samples} * units; at += all_threads()) {
    const Index s = at / units, u = at % units, from = s * 3 * units + u, to = s * 4 * units + u;
    A x[3], y[3];
    for (int k = 0; k < 3; ++k) {
      x[k] = widened(gx[from + k * units]);
      y[k] = A(widened(gh[from + k * units])) + widened(bh[u + k * units]);
    }
    const A r = sigmoid(x[0] + y[0]), z = sigmoid(x[1] + y[1]), n = tanh(x[2] + r * y[2]);
    h_out[at] = narrowed<T>((1 - z) * n + z * widened(h[at]));
    const A blocks[4] = {r, z, n, y[2]};
    for (int k = 0; k < 4; ++k) kept[to + k * units] = narrowed<T>(blocks[k]);
  }
}

// more: what reaches the state before otherwise than by the product. gx, gh: gradients of both.
extern "C" __global__ void gru_back(const T* kept, const T* dy, const T* dh, const T* h, T* gx,
                                    T* gh, T* more, int samples, int units, int stride) {
  for (Index at = first_element(); at < Index{samples} * units; at += all_threads()) {
    const Index s = at / units, u = at % units, from = s * 4 * units + u, to = s * 3 * units + u;
    const A r = widened(kept[from]), z = widened(kept[from + units]);
    const A n = widened(kept[from + 2 * units]), hn = widened(kept[from + 3 * units]);
    const A d = A(widened(dy[s * stride + u])) + widened(dh[at]);
    const A dn = d * (1 - z) * (1 - n * n);
    const A dr = dn * hn * r * (1 - r), dz = d * (widened(h[at]) - n) * z * (1 - z);
    gx[to] = gh[to] = narrowed<T>(dr);
    gx[to + units] = gh[to + units] = narrowed<T>(dz);
    gx[to + 2 * units] = narrowed<T>(dn);
    gh[to + 2 * units] = narrowed<T>(dn * r);
    more[at] = narrowed<T>(d * z);
  }
}
