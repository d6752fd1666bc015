// Broadcast of one tensor: plain copies and fills, whatever the dtype.
#include "loops.h"

namespace baryon::BARYON_ISA {
namespace {

// n copies of one element.
void repeat(const char* one, Index item, char* to, Index n, bool stream) {
  alignas(64) char block[1024];
  const Index per_block = static_cast<Index>(sizeof block) / item;
  const Index filled = std::min(n, per_block);
  for (Index i = 0; i < filled; ++i)
    std::memcpy(block + i * item, one, static_cast<std::size_t>(item));
  for (Index i = 0; i < n; i += per_block) {
    const Index bytes = std::min(per_block, n - i) * item;
    if (stream) {
      stream_copy(to + i * item, block, bytes);
    } else {
      std::memcpy(to + i * item, block, static_cast<std::size_t>(bytes));
    }
  }
}

// params: the axes of the output along which the input repeats.
void spread(const Call& call) {
  const Tensor& out = call.out[0];
  const Index item = item_size(out.dtype);
  bool repeats[kMaxDim] = {};
  for (int i = 0; i < call.n_params; ++i) repeats[static_cast<int>(call.params[i])] = true;
  Index size[kMaxDim], stride[kMaxDim], span = 1;
  int count = 0;  // collapsed dimensions, fastest first
  for (int i = out.ndim - 1; i >= 0; --i) {
    const Index n = out.shape[i];
    if (n == 1) continue;
    if (count > 0 && (stride[count - 1] == 0) == repeats[i]) {
      size[count - 1] *= n;
    } else {
      size[count] = n;
      stride[count++] = repeats[i] ? 0 : span;
    }
    if (!repeats[i]) span *= n;
  }
  const Index total = out.size();
  if (total == 0) return;
  const Index length = count > 0 ? size[0] : 1;
  const bool one = count > 0 && stride[0] == 0;
  const char* in = call.in[0].as<char>();
  char* to = out.as<char>();
  const bool stream = total * item >= kStreamBytes && length * item >= 1024;
  parallel_for(total, kGrain, [&](Index begin, Index end) {
    for (Index i = begin; i < end;) {
      Index row = i / length, from = 0;
      const Index column = i % length, n = std::min(length - column, end - i);
      for (int k = 1; k < count; ++k) {
        from += row % size[k] * stride[k];
        row /= size[k];
      }
      char* y = to + i * item;
      if (one) {
        repeat(in + from * item, item, y, n, stream);
      } else if (stream) {
        stream_run(y, in + (from + column) * item, n * item);
      } else {
        std::memcpy(y, in + (from + column) * item, static_cast<std::size_t>(n * item));
      }
      i += n;
    }
    if (stream) stream_end();
  });
}

bool accepts(const Call& call) { return call.in[0].dtype == call.out[0].dtype; }

}  // namespace
}  // namespace baryon::BARYON_ISA

BARYON_REGISTER(spread) {
  add("broadcast_to", baryon::BARYON_ISA::spread, baryon::BARYON_ISA::accepts);
}
