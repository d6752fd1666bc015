// The drivers that loops.h declares. A family without kernels of its own.
#include "loops.h"

#include <cmath>

namespace baryon::BARYON_ISA {
namespace {

constexpr Index kBlockBytes = kBlock * 8;

// An output above kStreamBytes is written past the caches, unless it replaces an input in place.
bool streams(const Call& call, Index bytes) {
  if (bytes < kStreamBytes) return false;
  for (int i = 0; i < call.n_in; ++i)
    if (call.in[i].data == call.out[0].data) return false;
  return true;
}

// Calls body(begin, end) for blocks of [begin, end).
template <class Body>
void blocks(Index begin, Index end, const Body& body) {
  for (Index i = begin; i < end; i += kBlock) body(i, std::min(i + kBlock, end));
}

// ---- broadcasting -------------------------------------------------------------------------------

// The output as rows: outer dimensions with the operands' strides in elements, and one inner run
// along which each operand either varies contiguously or stays.
struct Rows {
  int ndim = 0;
  Index shape[kMaxDim], a[kMaxDim], b[kMaxDim];
  Index length = 1;
  bool a_varies = true, b_varies = true;
};

Rows rows_of(const Tensor& a, const Tensor& b, const Tensor& out) {
  // Dimensions from the right, neighbours of one kind merged.
  Rows rows;
  Index sizes[kMaxDim], a_strides[kMaxDim], b_strides[kMaxDim];
  int count = 0;
  Index a_size = 1, b_size = 1;
  for (int k = 0; k < out.ndim; ++k) {
    const Index n = out.shape[out.ndim - 1 - k];
    if (n == 1) continue;
    const Index an = k < a.ndim ? a.shape[a.ndim - 1 - k] : 1;
    const Index bn = k < b.ndim ? b.shape[b.ndim - 1 - k] : 1;
    const bool av = an != 1, bv = bn != 1;
    if (count > 0 && av == (a_strides[count - 1] != 0) && bv == (b_strides[count - 1] != 0)) {
      sizes[count - 1] *= n;
    } else {
      sizes[count] = n;
      a_strides[count] = av ? a_size : 0;
      b_strides[count] = bv ? b_size : 0;
      ++count;
    }
    if (av) a_size *= n;
    if (bv) b_size *= n;
  }
  if (count == 0) return rows;
  rows.length = sizes[0];
  rows.a_varies = a_strides[0] != 0;
  rows.b_varies = b_strides[0] != 0;
  rows.ndim = count - 1;
  for (int i = 0; i < rows.ndim; ++i) {
    const int from = count - 1 - i;
    rows.shape[i] = sizes[from];
    rows.a[i] = a_strides[from];
    rows.b[i] = b_strides[from];
  }
  return rows;
}

// Walks the outer dimensions of Rows, keeping the operands' offsets in elements.
class Walk {
 public:
  Walk(const Rows& rows, Index row) : rows_(rows) {
    for (int i = rows.ndim - 1; i >= 0; --i) {
      index_[i] = row % rows.shape[i];
      row /= rows.shape[i];
      a += index_[i] * rows.a[i];
      b += index_[i] * rows.b[i];
    }
  }
  void next() {
    for (int i = rows_.ndim - 1; i >= 0; --i) {
      a += rows_.a[i];
      b += rows_.b[i];
      if (++index_[i] < rows_.shape[i]) return;
      a -= rows_.a[i] * rows_.shape[i];
      b -= rows_.b[i] * rows_.shape[i];
      index_[i] = 0;
    }
  }
  Index a = 0, b = 0;

 private:
  const Rows& rows_;
  Index index_[kMaxDim];
};

// One run of a binary operation, by way of buffers for 16-bit floats and streamed results. Tests
// write bytes, whatever the type of the numbers.
struct Run {
  BinaryLoop loop;
  DType dtype;
  Index item, out_item;
  bool a_varies, b_varies, stream;

  void operator()(const char* a, const char* b, char* out, Index n) const {
    if (is_half(dtype)) {
      through_float(a, b, out, n);
    } else if (stream) {
      alignas(64) char buffer[kBlockBytes];
      blocks(0, n, [&](Index begin, Index end) {
        loop(a_varies ? a + begin * item : a, b_varies ? b + begin * item : b, buffer, end - begin);
        stream_copy(out + begin * out_item, buffer, (end - begin) * out_item, [&](Index i) {
          if (a_varies) fetch(a + end * item + i);
          if (b_varies) fetch(b + end * item + i);
        });
      });
      stream_end();
    } else {
      loop(a, b, out, n);
    }
  }

 private:
  void through_float(const char* a, const char* b, char* out, Index n) const {
    alignas(64) float x[kBlock], w[kBlock];
    if (!a_varies) widen(dtype, a, x, 1);
    if (!b_varies) widen(dtype, b, w, 1);
    blocks(0, n, [&](Index begin, Index end) {
      alignas(64) float y[kBlock];
      const Index count = end - begin;
      if (a_varies) widen(dtype, a + begin * item, x, count);
      if (b_varies) widen(dtype, b + begin * item, w, count);
      if (out_item != item) return loop(x, w, out + begin * out_item, count);
      loop(x, w, y, count);
      narrow(dtype, y, out + begin * item, count);
    });
  }
};

template <class T>
T whole(double value) {
  if (!std::isfinite(value)) return T(0);
  const double cut = std::trunc(value);
  if (std::fabs(cut) < 0x1p63) return static_cast<T>(static_cast<std::int64_t>(cut));
  const double rest = std::fmod(cut, 0x1p64);
  const auto low = static_cast<std::uint64_t>(rest < 0 ? -rest : rest);
  return static_cast<T>(rest < 0 ? ~low + 1 : low);
}

// `value` in a dtype, into 8 bytes; a 16-bit float rounded to its type.
void store_number(DType dtype, double value, char* to) {
  const auto put = [to](auto x) { std::memcpy(to, &x, sizeof x); };
  switch (dtype) {
    case DType::f64:
      return put(value);
    case DType::f32:
      return put(static_cast<float>(value));
    case DType::i32:
      return put(whole<std::int32_t>(value));
    case DType::i64:
      return put(whole<std::int64_t>(value));
    case DType::i8:
      return put(whole<std::int8_t>(value));
    case DType::f16:
    case DType::bf16: {
      const float single = static_cast<float>(value);
      return narrow(dtype, &single, to, 1);
    }
    default:
      return put(whole<std::uint8_t>(value));
  }
}

}  // namespace

// A call that one thread runs as one loop, such as a step of a chain on its block.
static bool is_small(const Call& call) {
  return call.out[0].size() <= kGrain / 4 && !is_half(call.in[0].dtype);
}

void run_unary(const UnaryLoops& loops, const Call& call) {
  const DType dtype = call.in[0].dtype;
  const UnaryLoop loop = loops.of(dtype);
  if (is_small(call))
    return loop(call.in[0].data, call.out[0].data, call.out[0].size(), call.params);
  const Index n = call.out[0].size(), item = item_size(dtype);
  const char* in = call.in[0].as<char>();
  char* out = call.out[0].as<char>();
  const bool stream = streams(call, n * item);
  parallel_for(n, kGrain, [&](Index begin, Index end) {
    if (is_half(dtype)) {
      blocks(begin, end, [&](Index i, Index j) {
        alignas(64) float buffer[kBlock];
        buffer[0] = 0;  // GCC cannot see that blocks are never empty
        widen(dtype, in + i * item, buffer, j - i);
        loop(buffer, buffer, j - i, call.params);
        narrow(dtype, buffer, out + i * item, j - i);
      });
    } else if (stream) {
      blocks(begin, end, [&](Index i, Index j) {
        alignas(64) char buffer[kBlockBytes];
        loop(in + i * item, buffer, j - i, call.params);
        stream_copy(out + i * item, buffer, (j - i) * item,
                    [&](Index at) { fetch(in + j * item + at); });
      });
      stream_end();
    } else {
      loop(in + begin * item, out + begin * item, end - begin, call.params);
    }
  });
}

void run_binary(const BinaryLoops& loops, const Call& call) {
  const DType dtype = call.in[0].dtype;
  const Index all = call.out[0].size();
  if (is_small(call) && call.in[0].size() == all && call.in[1].size() == all)
    return loops.of(dtype).vv(call.in[0].data, call.in[1].data, call.out[0].data, all);
  const Rows rows = rows_of(call.in[0], call.in[1], call.out[0]);
  const BinaryRuns& runs = loops.of(dtype);
  const Index n = call.out[0].size(), item = item_size(dtype), length = rows.length;
  const Index out_item = item_size(call.out[0].dtype);
  if (n == 0) return;
  const BinaryLoop loop = rows.a_varies ? (rows.b_varies ? runs.vv : runs.vs) : runs.sv;
  const bool stream = length >= kBlock && streams(call, n * out_item);
  const Run run{loop, dtype, item, out_item, rows.a_varies, rows.b_varies, stream};
  const char* a = call.in[0].as<char>();
  const char* b = call.in[1].as<char>();
  char* out = call.out[0].as<char>();
  parallel_for(n, kGrain, [&](Index begin, Index end) {
    Walk walk(rows, begin / length);
    Index column = begin % length;
    for (Index i = begin; i < end; column = 0, walk.next()) {
      const Index count = std::min(length - column, end - i);
      run(a + (walk.a + (rows.a_varies ? column : 0)) * item,
          b + (walk.b + (rows.b_varies ? column : 0)) * item, out + i * out_item, count);
      i += count;
    }
  });
}

void run_scalar(const BinaryLoops& loops, const Call& call, bool reversed) {
  const DType dtype = call.in[0].dtype;
  const BinaryRuns& runs = loops.of(dtype);
  const Index n = call.out[0].size(), item = item_size(dtype);
  const Index out_item = item_size(call.out[0].dtype);
  alignas(8) char number[8];
  store_number(dtype, call.params[0], number);
  const Run run{reversed ? runs.sv : runs.vs, dtype, item, out_item, !reversed, reversed,
                streams(call, n * out_item)};
  const char* in = call.in[0].as<char>();
  char* out = call.out[0].as<char>();
  parallel_for(n, kGrain, [&](Index begin, Index end) {
    const char* data = in + begin * item;
    run(reversed ? number : data, reversed ? data : number, out + begin * out_item, end - begin);
  });
}

}  // namespace baryon::BARYON_ISA

BARYON_REGISTER(loops) {}
