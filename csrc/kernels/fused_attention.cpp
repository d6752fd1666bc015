// softmax(queries keys^T) values of each head in one pass, whose scores never leave the caches.
//
// Rabe and Staats 2021, arXiv:2112.05682; Dao et al. 2022, arXiv:2205.14135. A few queries, as many
// as lanes of a tile, go through blocks of keys: greatest score, sum of exponentials and weighted
// values so far are taken down to a new greatest score as one comes. Scores lie with keys down and
// queries across, so that all of softmax works on whole vectors, and so do weighted values.
//
// in = {queries[, keys, values][, mask][, length]}; params = {layout, heads, scale, mask there,
// length there}.
#include <algorithm>

#include "../kernel.h"
#include "../parallel.h"
#include "heads_of.h"
#include "tile.h"
#include "vexp.h"

namespace baryon::BARYON_ISA {
namespace {

enum Layout { kSelf, kCross, kStacked };  // as LAYOUTS in ops/fused_attention.py

constexpr Int kKeys = 126 / kTileRows * kTileRows;  // in a block: scores stay in the first cache
template <class T>
constexpr Int kQueries = kTileColumns<T>;  // that go together

// What is added to the scores; steps are 0 along axes on which it is the same.
template <class T>
struct Mask {
  const T* data = nullptr;
  Int head = 0, query = 0;

  explicit Mask(const Tensor& t) : data(t.as<T>()) {
    const Int queries = t.shape[t.ndim - 2], keys = t.shape[t.ndim - 1];
    query = queries > 1 ? keys : 0;
    head = t.size() > queries * keys ? queries * keys : 0;
  }
  Mask() = default;
};

// How many of the keys count for each query.
struct Lengths {
  const Tensor* tensor = nullptr;

  double operator[](Int i) const {
    switch (tensor->dtype) {
      case DType::i32:
        return tensor->as<std::int32_t>()[i];
      case DType::i64:
        return static_cast<double>(tensor->as<std::int64_t>()[i]);
      case DType::f64:
        return tensor->as<double>()[i];
      default:
        return tensor->as<float>()[i];
    }
  }
};

template <class T>
struct Attention {
  Heads<T> queries, keys, values;
  T* out;
  Int out_step, out_stride;
  T scale;
  Mask<T> mask;
  Lengths lengths;

  explicit Attention(const Call& call) : out(call.out[0].as<T>()) {
    const Int heads = static_cast<Int>(call.params[1]);
    const auto layout = static_cast<Layout>(static_cast<int>(call.params[0]));
    const Tensor* in = call.in;
    int used = 3;
    if (layout == kStacked) {
      queries = Heads<T>::stacked(in[0]);
      keys = Heads<T>::stacked(in[1]);
      values = Heads<T>::stacked(in[2]);
      out_step = queries.length * values.size;
      out_stride = values.size;
    } else {
      const bool self = layout == kSelf;
      used = self ? 1 : 2;
      const Int parts = self ? 3 : 2;
      queries = Heads<T>::interleaved(in[0], heads, self ? 3 : 1, 0);
      keys = Heads<T>::interleaved(in[used - 1], heads, parts, parts - 2);
      values = Heads<T>::interleaved(in[used - 1], heads, parts, parts - 1);
      out_step = values.size;
      out_stride = values.count * values.size;
    }
    scale = static_cast<T>(call.params[2]);
    if (call.params[3] != 0) mask = Mask<T>(in[used++]);
    if (call.params[4] != 0) lengths.tensor = &in[used];
  }

  Int count() const { return queries.count; }
  Int blocks() const { return parts(queries.length, kQueries<T>); }
};

// A head's keys and values, packed as first factors of tiles, block by block.
template <class T>
class PackedHead {
 public:
  explicit PackedHead(const Attention<T>& all)
      : all_(all),
        slices_(all.values.size),
        keys_(all.keys.length * all.keys.size),
        values_(all.keys.length * all.values.size + kLanes<T>) {}

  void pack(Int head) const {
    for (Int from = 0; from < all_.keys.length; from += kKeys) {
      pack_keys(head, from);
      pack_values(head, from);
    }
  }

  Int block(Int from) const { return std::min(kKeys, all_.keys.length - from); }
  // Panels of keys, (size, rows) each.
  const T* keys(Int from) const { return keys_.get() + from * all_.keys.size; }
  // Slices of values, (keys, rows) each.
  const T* values(Int from) const { return values_.get() + from * all_.values.size; }
  const Panels& slices() const { return slices_; }

 private:
  void pack_keys(Int head, Int from) const {
    const Heads<T>& k = all_.keys;
    const Panels panels(block(from));
    T* to = keys_.get() + from * k.size;
    for (Int i = 0; i < panels.count; ++i) {
      const T* rows = k.of(head) + (from + panels.begin(i)) * k.stride;
      pack_panel(to + panels.begin(i) * k.size, panels.size(i), rows, k.stride, k.size);
    }
  }

  // Whole vectors are written where what stands behind them is written later.
  void pack_values(Int head, Int from) const {
    const Heads<T>& v = all_.values;
    const Int keys = block(from);
    T* to = values_.get() + from * v.size;
    for (Int i = 0; i < slices_.count; ++i) {
      const T* data = v.of(head) + from * v.stride + slices_.begin(i);
      const Int rows = slices_.size(i);
      for (Int k = 0; k < keys; ++k, to += rows, data += v.stride)
        for (Int r = 0; r < rows; r += kLanes<T>) store(to + r, load_part(data + r, rows - r));
    }
  }

  const Attention<T>& all_;
  Panels slices_;
  Scratch<T> keys_, values_;
};

// A few queries of a head on their way through the keys.
template <class T>
class Walk {
 public:
  Walk(const Attention<T>& all, const PackedHead<T>& head)
      : all_(all),
        head_(head),
        queries_(all.queries.size * kWide),
        result_(all.values.size * kWide) {}

  void run(Int head, Int first) {
    index_ = head;
    first_ = first;
    wide_ = std::min(kWide, all_.queries.length - first);
    begin();
    for (Int from = 0; from < all_.keys.length; from += kKeys) {
      const Int keys = head_.block(from);
      multiply_keys(from, keys);
      if (all_.mask.data != nullptr) add_mask(from, keys);
      if (all_.lengths.tensor != nullptr) cut(from, keys);
      weigh(keys);
      multiply_values(from, keys);
    }
    finish();
  }

 private:
  static constexpr Int kWide = kQueries<T>;
  static constexpr int kVectors = kTileVectors;

  void begin() {
    const Heads<T>& q = all_.queries;
    T* to = queries_.get();
    if (wide_ < kWide) std::fill_n(to, q.size * kWide, T(0));
    transpose_block(to, kWide, q.of(index_) + first_ * q.stride, q.stride, q.size, wide_);
    for (Int i = 0; i < q.size * kWide; ++i) to[i] *= all_.scale;
    for (int v = 0; v < kVectors; ++v) {
      top_[v] = broadcast(std::numeric_limits<T>::lowest());  // which -inf may be taken from
      sum_[v] = Vector<T>{};
    }
    std::fill_n(result_.get(), all_.values.size * kWide, T(0));
    if (all_.lengths.tensor != nullptr)
      for (Int j = 0; j < kWide; ++j)
        length_[j] = j < wide_
                         ? static_cast<T>(all_.lengths[index_ * all_.queries.length + first_ + j])
                         : T(0);
  }

  void multiply_keys(Int from, Int keys) {
    const Panels panels(keys);
    const Int size = all_.keys.size;
    const T* packed = head_.keys(from);
    for (Int i = 0; i < panels.count; ++i)
      tile_of<T>(panels.size(i))({size, packed + panels.begin(i) * size, queries_.get(), kWide,
                                  nullptr, nullptr, 0, scores_ + panels.begin(i) * kWide, kWide});
  }

  void add_mask(Int from, Int keys) {
    const Mask<T>& m = all_.mask;
    const T* data = m.data + index_ * m.head + first_ * m.query + from;
    if (m.query == 0) {
      for (Int k = 0; k < keys; ++k)
        for (int v = 0; v < kVectors; ++v) add(k, v, broadcast(data[k]));
      return;
    }
    transpose_block(masks_, kWide, data, m.query, keys, wide_);
    for (Int k = 0; k < keys; ++k)
      for (int v = 0; v < kVectors; ++v) add(k, v, load(masks_ + k * kWide + v * kLanes<T>));
  }
  void add(Int k, int v, Vector<T> value) {
    T* at = scores_ + k * kWide + v * kLanes<T>;
    store(at, Vector<T>(load(at) + value));
  }

  void cut(Int from, Int keys) {
    for (int v = 0; v < kVectors; ++v) {
      const Vector<T> length = load(length_ + v * kLanes<T>);
      for (Int k = 0; k < keys; ++k) {
        T* at = scores_ + k * kWide + v * kLanes<T>;
        const Vector<T> inside = broadcast(static_cast<T>(from + k));
        store(at, Vector<T>(inside < length ? load(at) : broadcast(-vm::kInf<T>)));
      }
    }
  }

  // Scores to their exponentials below the greatest so far; all that was summed goes down to it.
  void weigh(Int keys) {
    for (int v = 0; v < kVectors; ++v) {
      T* column = scores_ + v * kLanes<T>;
      const Vector<T> before = top_[v], top = greatest(column, keys, before);
      const Vector<T> down = exp_below<T>(before - top);
      Vector<T> sums[2] = {sum_[v] * down, Vector<T>{}};
      for (Int k = 0; k < keys; ++k) {
        const Vector<T> power = exp_below<T>(load(column + k * kWide) - top);
        store(column + k * kWide, power);
        sums[k % 2] += power;
      }
      top_[v] = top;
      sum_[v] = sums[0] + sums[1];
      T* result = result_.get() + v * kLanes<T>;
      for (Int i = 0; i < all_.values.size; ++i)
        store(result + i * kWide, Vector<T>(load(result + i * kWide) * down));
    }
  }

  static Vector<T> greatest(const T* column, Int keys, Vector<T> top) {
    constexpr Int kAtOnce = 4;
    Vector<T> tops[kAtOnce];
    for (Vector<T>& t : tops) t = top;
    Int k = 0;
    for (; k + kAtOnce <= keys; k += kAtOnce)
      for (Int i = 0; i < kAtOnce; ++i)
        tops[i] = larger<T>(load(column + (k + i) * kWide), tops[i]);
    for (; k < keys; ++k) tops[0] = larger<T>(load(column + k * kWide), tops[0]);
    return larger<T>(larger<T>(tops[0], tops[1]), larger<T>(tops[2], tops[3]));
  }

  void multiply_values(Int from, Int keys) {
    const Panels& slices = head_.slices();
    const T* packed = head_.values(from);
    for (Int i = 0; i < slices.count; ++i) {
      T* to = result_.get() + slices.begin(i) * kWide;
      tile_of<T>(slices.size(i))(
          {keys, packed + slices.begin(i) * keys, scores_, kWide, nullptr, to, kWide, to, kWide});
    }
  }

  void finish() {
    const Int size = all_.values.size;
    for (int v = 0; v < kVectors; ++v) {
      Vector<T> factor = T(1) / sum_[v];
      if (all_.lengths.tensor != nullptr) factor = sum_[v] == T(0) ? Vector<T>{} : factor;
      T* result = result_.get() + v * kLanes<T>;
      for (Int i = 0; i < size; ++i)
        store(result + i * kWide, Vector<T>(load(result + i * kWide) * factor));
    }
    T* to = all_.out + index_ * all_.out_step + first_ * all_.out_stride;
    transpose_block(to, all_.out_stride, result_.get(), kWide, wide_, size);
  }

  const Attention<T>& all_;
  const PackedHead<T>& head_;
  Scratch<T> queries_, result_;  // (size, queries)
  Int index_ = 0, first_ = 0, wide_ = 0;
  Vector<T> top_[kVectors], sum_[kVectors];
  alignas(64) T scores_[kKeys * kWide], masks_[kKeys * kWide];
  alignas(64) T length_[kWide];
};

// Heads are cut into shares of queries, each of which packs keys and values for itself.
template <class T>
void attend(const Call& call) {
  constexpr Int kShares = 16, kFewest = 4;  // shares in all, and blocks of queries in one
  const Attention<T> all(call);
  if (call.out[0].size() == 0) return;
  const Int blocks = all.blocks();
  const Int shares = std::clamp<Int>(kShares / all.count(), 1, parts(blocks, kFewest));
  parallel_for(all.count() * shares, 1, [&](Int begin, Int end) {
    const PackedHead<T> head(all);
    Walk<T> walk(all, head);
    for (Int i = begin; i < end; ++i) {
      const Int share = i % shares;
      head.pack(i / shares);
      for (Int b = blocks * share / shares; b < blocks * (share + 1) / shares; ++b)
        walk.run(i / shares, b * kQueries<T>);
    }
  });
}

void fused_attention(const Call& call) {
  call.out[0].dtype == DType::f32 ? attend<float>(call) : attend<double>(call);
}

bool accepts(const Call& call) {
  const DType dtype = call.out[0].dtype;
  const int floats = call.n_in - (call.params[4] != 0);
  for (int i = 0; i < floats; ++i)
    if (call.in[i].dtype != dtype) return false;
  if (floats < call.n_in) {
    const DType length = call.in[floats].dtype;
    if (length != DType::i32 && length != DType::i64 && length != DType::f32 &&
        length != DType::f64)
      return false;
  }
  return dtype == DType::f32 || dtype == DType::f64;
}

}  // namespace
}  // namespace baryon::BARYON_ISA

BARYON_REGISTER(fused_attention) {
  using namespace baryon::BARYON_ISA;
  add("_fused_attention", fused_attention, accepts);
}
