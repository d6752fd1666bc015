// Philox4x32-10 (Salmon et al., SC 2011), the numbers of ops/philox.py: word i is word i % 4 of the
// block with counter (i / 4, stream) under the key. Type: T of the data, float or double where
// numbers are drawn and no data is read.

typedef Wide<T>::type A;

struct Generator {  // key, stream and first block, as two words each; words to add to the stream
  Word key[2], stream[2], block[2];
};

struct Words {
  Word at[4];
};

__device__ inline Words philox(const Generator& g, const unsigned long long* advance,
                               unsigned long long index) {
  unsigned long long block = (static_cast<unsigned long long>(g.block[1]) << 32) + g.block[0];
  unsigned long long stream = (static_cast<unsigned long long>(g.stream[1]) << 32) + g.stream[0];
  block += index;
  if (advance) stream += *advance;
  Word c0 = static_cast<Word>(block), c1 = static_cast<Word>(block >> 32);
  Word c2 = static_cast<Word>(stream), c3 = static_cast<Word>(stream >> 32);
  Word k0 = g.key[0], k1 = g.key[1];
#pragma unroll
  for (int round = 0; round < 10; ++round) {
    const Word high0 = __umulhi(0xD2511F53u, c0), low0 = 0xD2511F53u * c0;
    const Word high1 = __umulhi(0xCD9E8D57u, c2), low1 = 0xCD9E8D57u * c2;
    c0 = high1 ^ c1 ^ k0;
    c1 = low1;
    c2 = high0 ^ c3 ^ k1;
    c3 = low0;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return {{c0, c1, c2, c3}};
}

// ---- numbers alone: a block of words a thread ----------------------------------------------------

template <class X>
__device__ inline void put_block(X* out, Index block, Index count, const X* values, int each) {
  for (int k = 0; k < each && block * each + k < count; ++k) out[block * each + k] = values[k];
}

extern "C" __global__ void draw_words(Word* out, Generator g, const unsigned long long* advance,
                                      Index count) {
  for (Index i = first_element(); i * 4 < count; i += all_threads())
    put_block(out, i, count, philox(g, advance, static_cast<unsigned long long>(i)).at, 4);
}

// Values in [0, 1) of a block: four of 24 bits, or two of 53.
__device__ inline int uniforms(const Words& words, float* values) {
  for (int k = 0; k < 4; ++k) values[k] = static_cast<float>(words.at[k] >> 8) * 0x1p-24f;
  return 4;
}
__device__ inline int uniforms(const Words& words, double* values) {
  for (int k = 0; k < 2; ++k)
    values[k] = (static_cast<double>(words.at[2 * k] >> 5) * 67108864.0 +
                 static_cast<double>(words.at[2 * k + 1] >> 6)) *
                0x1p-53;
  return 2;
}

// Gaussian: neighbours turned into Gaussian ones by Box and Muller's method.
extern "C" __global__ void draw(A* out, Generator g, const unsigned long long* advance, Index count,
                                int gaussian) {
  const int each = sizeof(A) == 8 ? 2 : 4;
  for (Index i = first_element(); i * each < count; i += all_threads()) {
    A values[4];
    uniforms(philox(g, advance, static_cast<unsigned long long>(i)), values);
    for (int k = 0; gaussian && k < each; k += 2) {
      const A radius = sqrt(-2 * log1p(-values[k]));
      const A angle = values[k + 1] * A(6.283185307179586);
      values[k] = radius * cos(angle);
      values[k + 1] = radius * sin(angle);
    }
    put_block(out, i, count, values, each);
  }
}

// ---- by rejection: rounds of two values an element, in float64 -----------------------------------

// Value i of those drawn together from block `first` on, two a block.
__device__ inline double uniform_at(const Generator& g, const unsigned long long* advance,
                                    Index first, Index i) {
  double values[2];
  uniforms(philox(g, advance, static_cast<unsigned long long>(first + i / 2)), values);
  return values[i % 2];
}
__device__ inline double normal_at(const Generator& g, const unsigned long long* advance,
                                   Index first, Index i) {
  double values[2];
  uniforms(philox(g, advance, static_cast<unsigned long long>(first + i / 2)), values);
  const double radius = sqrt(-2 * log1p(-values[0])), angle = values[1] * 6.283185307179586;
  return radius * (i % 2 ? sin(angle) : cos(angle));
}

// The methods of ops/sampling.py; `each`: blocks that one value for every element takes.
extern "C" __global__ void draw_gamma(const double* alphas, double* out, Generator g,
                                      const unsigned long long* advance, Index count, Index each,
                                      int rounds) {
  for (Index i = first_element(); i < count; i += all_threads()) {
    const double alpha = alphas[i], d = (alpha < 1 ? alpha + 1 : alpha) - 1.0 / 3;
    const double c = 1 / sqrt(9 * d);
    double value = d;
    for (Index round = 0; round < rounds; ++round) {
      const Index first = each * (1 + 2 * round);
      const double x = normal_at(g, advance, first, i);
      const double v = (1 + c * x) * (1 + c * x) * (1 + c * x);
      const double log_u = log1p(-uniform_at(g, advance, first + each, i));
      if (!(v > 0 && log_u < 0.5 * x * x + d * (1 - v + log(v)))) continue;
      value = d * v;
      break;
    }
    if (alpha < 1) value *= pow(uniform_at(g, advance, 0, i), 1 / (alpha > 0 ? alpha : 1.0));
    out[i] = value;
  }
}

__device__ inline double log_factorial(double k) {  // Stirling's series from k + 10 downwards
  const double x = k + 10;
  double product = 1;
  for (int i = 1; i < 10; ++i) product *= k + i;
  const double series = (x - 0.5) * log(x) - x + 0.9189385332046727 + 1 / (12 * x) -
                        1 / (360 * x * x * x) + 1 / (1260 * x * x * x * x * x);
  return series - log(product);
}

__device__ inline double poisson_by_inversion(double lam, double u) {
  double mass = exp(-lam), total = mass;
  int count = 0;
  for (int k = 1; k < 100 && u >= total; ++k) {
    count = k;
    mass = mass * lam / k;
    total += mass;
  }
  return count;
}

extern "C" __global__ void draw_poisson(const double* lams, double* out, Generator g,
                                        const unsigned long long* advance, Index count, Index each,
                                        int rounds) {
  for (Index i = first_element(); i < count; i += all_threads()) {
    const double lam = lams[i];
    if (!(lam >= 10)) {
      out[i] = poisson_by_inversion(lam, uniform_at(g, advance, 0, i));
      continue;
    }
    const double b = 0.931 + 2.53 * sqrt(lam), a = -0.059 + 0.02483 * b;
    const double inverse = 1.1239 + 1.1328 / (b - 3.4), limit = 0.9277 - 3.6224 / (b - 2);
    double value = floor(lam);
    for (Index round = 0; round < rounds; ++round) {
      const Index first = each * (1 + 2 * round);
      const double u = uniform_at(g, advance, first, i) - 0.5;
      const double v = uniform_at(g, advance, first + each, i);
      const double us = max(0.5 - fabs(u), 1e-300), k = floor((2 * a / us + b) * u + lam + 0.43);
      bool good = us >= 0.07 && v <= limit;
      if (!good && k >= 0 && !(us < 0.013 && v > us)) {
        const double log_v = log(max(v, 1e-300) * inverse / (a / (us * us) + b));
        good = log_v <= k * log(lam) - lam - log_factorial(k);
      }
      if (!good) continue;
      value = k;
      break;
    }
    out[i] = value;
  }
}

// ---- dropout -------------------------------------------------------------------------------------

// Four neighbours a thread: one block of words.
extern "C" __global__ void dropout(const T* data, T* out, T* mask, Generator g,
                                   const unsigned long long* advance, Index count, float keep,
                                   A scale) {
  const T on = narrowed<T>(scale), off = narrowed<T>(A(0));
  const bool aligned = (reinterpret_cast<unsigned long long>(data) |
                        reinterpret_cast<unsigned long long>(out) |
                        reinterpret_cast<unsigned long long>(mask)) %
                           (4 * sizeof(T)) ==
                       0;
  for (Index i = first_element(); i * 4 < count; i += all_threads()) {
    const Words words = philox(g, advance, static_cast<unsigned long long>(i));
    Pack<T, 4> kept, result;
    const bool whole = aligned && i * 4 + 4 <= count;
    Pack<T, 4> x = {};
    if (whole) x = load<4>(data + i * 4);
#pragma unroll
    for (int k = 0; k < 4; ++k) {
      const float uniform = static_cast<float>(words.at[k] >> 8) * 0x1p-24f;
      kept.at[k] = uniform < keep ? on : off;
      if (!whole && i * 4 + k < count) x.at[k] = data[i * 4 + k];
      result.at[k] = narrowed<T>(widened(x.at[k]) * widened(kept.at[k]));
    }
    if (whole) {
      store<4>(out + i * 4, result);
      store<4>(mask + i * 4, kept);
      continue;
    }
    for (int k = 0; k < 4 && i * 4 + k < count; ++k) {
      out[i * 4 + k] = result.at[k];
      mask[i * 4 + k] = kept.at[k];
    }
  }
}
