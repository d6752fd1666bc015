// Optimizer updates of many tensors in one launch. Types: T of weights and gradients, S of states;
// MOST tensors a launch, VALUES numbers. A block takes CHUNK elements of one tensor.

typedef Wide<T>::type A;

enum Rule {
  kSgd, kMomentum, kNesterov, kSign, kSignum, kAdam, kAdamW, kRmsProp, kAdaGrad, kLamb, kFtrl, kFtml,
  kCentred
};

struct Tensors {
  T *weight[MOST], *grad[MOST], *out[MOST];
  S *first[MOST], *second[MOST], *third[MOST];  // states
  S* master[MOST];                              // the weight in full precision, or null
  Index size[MOST];
  A rate[MOST], decay[MOST], factor[MOST];
  int block[MOST + 1];  // the first block of each tensor, and the end
};

struct Numbers {
  A rescale, limit, momentum, beta1, beta2, epsilon, bound;
  int rule;
};

// Four neighbours are read and written at once where they lie aligned.
template <class X>
__device__ inline bool at_once(const X* from, int count) {
  return count == 4 && reinterpret_cast<unsigned long long>(from) % (4 * sizeof(X)) == 0;
}
template <class X>
__device__ inline void fetch(const X* from, Index i, int count, A* values) {
  if (!from) return;
  if (at_once(from + i, count)) {
    const Pack<X, 4> pack = load<4>(from + i);
    for (int k = 0; k < 4; ++k) values[k] = widened(pack.at[k]);
  } else {
    for (int k = 0; k < count; ++k) values[k] = widened(from[i + k]);
  }
}
template <class X>
__device__ inline void put(X* to, Index i, int count, const A* values) {
  if (!to) return;
  if (at_once(to + i, count)) {
    Pack<X, 4> pack;
    for (int k = 0; k < 4; ++k) pack.at[k] = narrowed<X>(values[k]);
    store<4>(to + i, pack);
  } else {
    for (int k = 0; k < count; ++k) to[i + k] = narrowed<X>(values[k]);
  }
}

__device__ inline int tensor_of_block(const Tensors& all) {
  int low = 0, high = MOST;
  while (high - low > 1) {
    const int middle = (low + high) / 2;
    (static_cast<int>(blockIdx.x) >= all.block[middle] ? low : high) = middle;
  }
  return low;
}

// Calls visit(first element, how many: at most 4) for what this thread does of its block's share.
template <class Visit>
__device__ inline void each_four(const Tensors& all, int t, const Visit& visit) {
  const Index begin = static_cast<Index>(blockIdx.x - all.block[t]) * CHUNK;
  const Index end = min(begin + CHUNK, all.size[t]);
  for (Index i = begin + 4 * threadIdx.x; i < end; i += 4 * blockDim.x)
    visit(i, static_cast<int>(min(Index{4}, end - i)));
}

__device__ inline A clipped(A x, A limit) {
  return limit < 0 ? x : x > limit ? limit : x < -limit ? -limit : x;
}
__device__ inline A sign_of(A x) { return A(x > 0) - A(x < 0); }
__device__ inline bool is_finite(A x) { return x - x == 0; }

// One element's new weight; changes its states.
__device__ inline A stepped(A weight, A grad, A& first, A& second, A& third, A rate, A decay,
                            A factor, const Numbers& n) {
  switch (n.rule) {
    case kSgd:
      return weight - rate * (clipped(grad * n.rescale, n.limit) + decay * weight);
    case kMomentum:
      first = n.momentum * first - rate * (clipped(grad * n.rescale, n.limit) + decay * weight);
      return weight + first;
    case kNesterov:
      grad = clipped(grad * n.rescale, n.limit) + decay * weight;
      first = n.momentum * first - rate * grad;
      return weight + n.momentum * first - rate * grad;
    case kSign:
      return weight * (1 - rate * decay) - rate * sign_of(clipped(grad * n.rescale, n.limit));
    case kSignum:
      grad = clipped(grad * n.rescale, n.limit) + decay * weight;
      first = n.momentum * first - (1 - n.momentum) * grad;
      return weight * (1 - rate * factor) + rate * sign_of(first);
    case kAdam:
      grad = clipped(grad * n.rescale + decay * weight, n.limit);
      first = n.beta1 * first + (1 - n.beta1) * grad;
      second = n.beta2 * second + (1 - n.beta2) * grad * grad;
      return weight - rate * first / (sqrt(second) + n.epsilon);
    case kAdamW:
      grad = clipped(grad * n.rescale, n.limit);
      first = n.beta1 * first + (1 - n.beta1) * grad;
      second = n.beta2 * second + (1 - n.beta2) * grad * grad;
      return weight - factor * (rate * first / (sqrt(second) + n.epsilon) + decay * weight);
    case kRmsProp:
      grad = clipped(grad * n.rescale + decay * weight, n.limit);
      first = n.beta1 * first + (1 - n.beta1) * grad * grad;
      return clipped(weight - rate * grad / sqrt(first + n.epsilon), n.bound);
    case kAdaGrad:
      grad = clipped(grad * n.rescale, n.limit);
      first += grad * grad;
      return weight - rate * grad / sqrt(first + n.epsilon);
    case kLamb:  // the direction; rate and factor take the moments' bias out
      grad = clipped(grad * n.rescale, n.limit);
      first = n.beta1 * first + (1 - n.beta1) * grad;
      second = n.beta2 * second + (1 - n.beta2) * grad * grad;
      return first * rate / (sqrt(second * factor) + n.epsilon) + decay * weight;
    case kFtrl: {  // factor: the threshold; epsilon: beta
      grad = clipped(grad * n.rescale, n.limit);
      const A total = second + grad * grad;
      first += grad - (sqrt(total) - sqrt(second)) * weight / rate;
      second = total;
      if (!(fabs(first) > factor)) return 0;
      return (sign_of(first) * factor - first) / ((n.epsilon + sqrt(total)) / rate + decay);
    }
    case kFtml: {  // rate: without the bias of the first moment; factor: takes the second one's out
      grad = clipped(grad * n.rescale + decay * weight, n.limit);
      second = n.beta2 * second + (1 - n.beta2) * grad * grad;
      const A d = (sqrt(second * factor) + n.epsilon) / rate;
      third = n.beta1 * third + (1 - n.beta1) * grad - (d - n.beta1 * first) * weight;
      first = d;
      return -third / d;
    }
    case kCentred:
      grad = clipped(grad * n.rescale + decay * weight, n.limit);
      first = n.beta1 * first + (1 - n.beta1) * grad * grad;
      second = n.beta1 * second + (1 - n.beta1) * grad;
      third = n.momentum * third - rate * grad / sqrt(first - second * second + n.epsilon);
      return clipped(weight + third, n.bound);
  }
  return 0;
}

// scale: of all gradients, on the device, or null; nothing changes where it is 0 or not finite.
// rates, decays: on the device instead of in `all`, or null. keep_scaled: the scaled gradient
// replaces the gradient.
extern "C" __global__ void update(Tensors all, Numbers n, const float* scale, const double* rates,
                                  const double* decays, int offset, int keep_scaled) {
  const int t = tensor_of_block(all);
  const bool go = !scale || (is_finite(*scale) && *scale != 0);
  if (scale) n.rescale = *scale;
  const A rate = rates ? A(rates[offset + t]) : all.rate[t];
  const A decay = decays ? A(decays[offset + t]) : all.decay[t];
  each_four(all, t, [&](Index i, int count) {
    A weight[4], grad[4], first[4] = {}, second[4] = {}, third[4] = {};
    fetch(all.weight[t], i, count, weight);
    if (!go) return put(all.out[t], i, count, weight);
    fetch(all.master[t], i, count, weight);
    fetch(all.grad[t], i, count, grad);
    fetch(all.first[t], i, count, first);
    fetch(all.second[t], i, count, second);
    fetch(all.third[t], i, count, third);
    for (int k = 0; k < count; ++k) {
      weight[k] = stepped(weight[k], grad[k], first[k], second[k], third[k], rate, decay,
                          all.factor[t], n);
      grad[k] = clipped(grad[k] * n.rescale, n.limit);
    }
    put(all.out[t], i, count, weight);
    put(all.master[t], i, count, weight);
    put(all.first[t], i, count, first);
    put(all.second[t], i, count, second);
    put(all.third[t], i, count, third);
    if (keep_scaled) put(all.grad[t], i, count, grad);
  });
}

struct Values {
  double at[VALUES];
};

// What changes from step to step of a captured update: rates and decays, `count` numbers.
extern "C" __global__ void set_values(Values values, double* to, int count) {
  for (int i = threadIdx.x; i < count; i += blockDim.x) to[i] = values.at[i];
}

// ---- LAMB: directions and norms, then steps by the ratio of the norms ----------------------------

// Directions go to `steps`, CHUNK for each block; sums of squares of the weight and of the
// direction of each block to `squares`.
extern "C" __global__ void lamb_directions(Tensors all, Numbers n, A* steps, A* squares) {
  const int t = tensor_of_block(all);
  A* own = steps + static_cast<Index>(all.block[t]) * CHUNK;
  A weights = 0, directions = 0;
  each_four(all, t, [&](Index i, int count) {
    A weight[4], grad[4], first[4], second[4], third = 0;
    fetch(all.weight[t], i, count, weight);
    for (int k = 0; k < count; ++k) weights += weight[k] * weight[k];
    fetch(all.master[t], i, count, weight);
    fetch(all.grad[t], i, count, grad);
    fetch(all.first[t], i, count, first);
    fetch(all.second[t], i, count, second);
    for (int k = 0; k < count; ++k) {
      weight[k] = stepped(weight[k], grad[k], first[k], second[k], third, all.rate[t],
                          all.decay[t], all.factor[t], n);
      directions += weight[k] * weight[k];
    }
    put(own, i, count, weight);
    put(all.first[t], i, count, first);
    put(all.second[t], i, count, second);
  });
  weights = over_row<Add>(weights);
  directions = over_row<Add>(directions);
  if (threadIdx.x == 0) {
    squares[2 * blockIdx.x] = weights;
    squares[2 * blockIdx.x + 1] = directions;
  }
}

// The sums of what each tensor's blocks gave, `columns` numbers a block: one block a tensor.
extern "C" __global__ void sum_blocks(Tensors all, const A* parts, A* sums, int columns) {
  const int t = blockIdx.x;
  for (int c = 0; c < columns; ++c) {
    A mine = 0;
    for (int i = all.block[t] + threadIdx.x; i < all.block[t + 1]; i += blockDim.x)
      mine += parts[i * columns + c];
    const A sum = over_row<Add>(mine);
    if (threadIdx.x == 0) sums[t * columns + c] = sum;
  }
}

// lower, upper: bounds of the weight's norm unless negative; here rates are learning rates.
extern "C" __global__ void lamb_steps(Tensors all, const A* steps, const A* sums, A lower,
                                      A upper) {
  const int t = tensor_of_block(all);
  const A* own = steps + static_cast<Index>(all.block[t]) * CHUNK;
  A norm = sqrt(sums[2 * t]);
  const A direction = sqrt(sums[2 * t + 1]);
  if (lower >= 0 && norm < lower) norm = lower;
  if (upper >= 0 && norm > upper) norm = upper;
  const A ratio = norm != 0 && direction != 0 ? norm / direction : A(1);
  each_four(all, t, [&](Index i, int count) {
    A weight[4], step[4];
    fetch(all.weight[t], i, count, weight);
    fetch(all.master[t], i, count, weight);
    fetch(own, i, count, step);
    for (int k = 0; k < count; ++k) weight[k] -= all.rate[t] * ratio * step[k];
    put(all.out[t], i, count, weight);
    put(all.master[t], i, count, weight);
  });
}

// ---- rates of layers and of rows -----------------------------------------------------------------

// LARS: one layer an element.
extern "C" __global__ void layer_rates(const T* rates, const T* weights, const T* grads,
                                       const T* decays, T* out, Index count, A eta, A epsilon,
                                       A rescale) {
  for (Index i = first_element(); i < count; i += all_threads()) {
    const A weight = sqrt(A(widened(weights[i]))), grad = sqrt(A(widened(grads[i]))) * rescale;
    const A all = grad + widened(decays[i]) * weight + epsilon;
    const A ratio = weight > 0 && grad > 0 ? eta * weight / all : A(1);
    out[i] = narrowed<T>(widened(rates[i]) * ratio);
  }
}

// AdaGrad with one history a row of n elements: a block a row.
extern "C" __global__ void row_adagrad(const T* weight, const T* grad, T* history, T* out, Index n,
                                       A rate, A rescale, A limit, A epsilon) {
  const Index row = blockIdx.x, begin = row * n;
  A squares = 0;
  for (Index i = threadIdx.x; i < n; i += blockDim.x) {
    const A g = clipped(widened(grad[begin + i]) * rescale, limit);
    squares += g * g;
  }
  const A total = widened(history[row]) + over_row<Add>(squares) / n;
  for (Index i = threadIdx.x; i < n; i += blockDim.x) {
    const A g = clipped(widened(grad[begin + i]) * rescale, limit);
    out[begin + i] = narrowed<T>(widened(weight[begin + i]) - rate * g / sqrt(total + epsilon));
  }
  __syncthreads();  // all have read the history
  if (threadIdx.x == 0) history[row] = narrowed<T>(total);
}

// ---- what optimizers need beside updates: the tensors are the weights of `all` -------------------

// Sets result to 0 if any element is infinite or NaN; it is 1 before.
extern "C" __global__ void check_finite(Tensors all, float* result) {
  const int t = tensor_of_block(all);
  bool good = true;
  each_four(all, t, [&](Index i, int count) {
    A values[4];
    fetch(all.weight[t], i, count, values);
    for (int k = 0; k < count; ++k) good &= is_finite(values[k]);
  });
  if (!good) *result = 0;
}

extern "C" __global__ void sum_squares(Tensors all, A* parts) {
  const int t = tensor_of_block(all);
  A mine = 0;
  each_four(all, t, [&](Index i, int count) {
    A values[4];
    fetch(all.weight[t], i, count, values);
    for (int k = 0; k < count; ++k) mine += values[k] * values[k];
  });
  const A sum = over_row<Add>(mine);
  if (threadIdx.x == 0) parts[blockIdx.x] = sum;
}

extern "C" __global__ void set_zero(Tensors all) {
  const int t = tensor_of_block(all);
  const A zeros[4] = {};
  each_four(all, t, [&](Index i, int count) { put(all.weight[t], i, count, zeros); });
}
