// Philox4x32-10 (Salmon et al., SC 2011), the numbers of ops/philox.py: word i is word i % 4 of the
// block with counter (i / 4, stream) under the key. Type: T of the data.

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
