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
