// A chain of element-wise kernels run block by block: what passes between them stays in the cache.
//
// A block is a run of elements of the result. Each step is a kernel of the registry, called on
// tensors of one block; so a chain computes, bit for bit, what its kernels compute one by one.
#include "../numbered.h"
#include "chain_blocks.h"

namespace baryon::BARYON_ISA {
namespace {

constexpr int kMostSteps = 64, kMostPlaces = 128, kMostOperands = 256, kMostRow = 1 << 16;
constexpr Index kBlockBytes = 8192;  // of one value: several fit the first cache
constexpr Index kSmallRoom = 4096;   // bytes of values that need no memory from the allocator

// The chain as `params` spell it: elements of a row (0: nothing is reduced), the number of values
// that live only in blocks and their dtypes, the number of steps, and each step as kernel, whether
// it reduces rows, count of inputs, their places, the result's place, count of numbers, numbers.
// Places are inputs, then outputs, then values in blocks.
struct Step {
  const Kernel* kernel;
  bool reduces;
  int first, n_in;  // among the operands, the result last
  const double* params;
  int n_params;
};

struct Chain {
  int n_in = 0, n_out = 0, n_values = 0, n_steps = 0, n_operands = 0;
  int row = 0;
  DType dtypes[kMostPlaces];
  Step steps[kMostSteps];
  int operands[kMostOperands];
  int last_step[kMostPlaces];   // that reads a place; -1: none
  int written_by[kMostPlaces];  // step; -1: none
  bool reduced[kMostPlaces];    // has an element a row

  int places() const { return n_in + n_out + n_values; }
  // False unless everything is in bounds, and each place is written before it is read, an output
  // once. `known`: an earlier call has found it so.
  template <bool known>
  bool parse(const Call& call);

 private:
  template <bool known>
  bool parse_step(int index, const double*& next, const double* end);
};

// The next number as an integer in [0, limit); -1 where there is none.
template <bool known>
int take(const double*& next, const double* end, int limit) {
  if constexpr (known) return static_cast<int>(*next++);
  if (next == end) return -1;
  const double value = *next++;
  return value >= 0 && value < limit && value == static_cast<int>(value) ? static_cast<int>(value)
                                                                         : -1;
}

template <bool known>
bool Chain::parse(const Call& call) {
  const double* next = call.params;
  const double* end = next + call.n_params;
  n_in = call.n_in;
  n_out = call.n_out;
  if (n_in < 1 || n_out < 1 || n_in + n_out > kMostPlaces) return false;
  row = take<known>(next, end, kMostRow + 1);
  if (row < 0) return false;
  n_values = take<known>(next, end, kMostPlaces - n_in - n_out + 1);
  if (n_values < 0) return false;
  for (int i = 0; i < n_in; ++i) dtypes[i] = call.in[i].dtype;
  for (int i = 0; i < n_out; ++i) dtypes[n_in + i] = call.out[i].dtype;
  for (int i = 0; i < n_values; ++i) {
    const int code = take<known>(next, end, 13);
    if (code < 0 || (code > 7 && code != 12)) return false;
    dtypes[n_in + n_out + i] = static_cast<DType>(code);
  }
  n_steps = take<known>(next, end, kMostSteps + 1);
  if (n_steps < 1) return false;
  std::fill_n(last_step, places(), -1);
  std::fill_n(written_by, places(), -1);
  std::fill_n(reduced, places(), false);
  for (int i = 0; i < n_steps; ++i)
    if (!parse_step<known>(i, next, end)) return false;
  for (int i = 0; i < n_out; ++i)
    if (written_by[n_in + i] < 0) return false;
  return next == end;
}

template <bool known>
bool Chain::parse_step(int index, const double*& next, const double* end) {
  Step& step = steps[index];
  step.kernel = kernel_at(take<known>(next, end, 1 << 20));
  const int reduces = take<known>(next, end, row > 0 ? 2 : 1);
  step.reduces = reduces > 0;
  step.n_in = take<known>(next, end, 64);
  step.first = n_operands;
  if (step.kernel == nullptr || reduces < 0 || step.n_in < 1 ||
      n_operands + step.n_in + 1 > kMostOperands)
    return false;
  for (int k = 0; k < step.n_in; ++k) {
    const int place = take<known>(next, end, places());
    if (place < 0 || (place >= n_in && written_by[place] < 0) || reduced[place]) return false;
    last_step[place] = index;
    operands[n_operands++] = place;
  }
  const int result = take<known>(next, end, places());
  if (result < n_in || (result < n_in + n_out && written_by[result] >= 0)) return false;
  if (step.reduces && (result >= n_in + n_out || step.n_in != 1)) return false;
  reduced[result] = step.reduces;
  written_by[result] = index;
  operands[n_operands++] = result;
  step.n_params = take<known>(next, end, 1 << 20);
  if (step.n_params < 0 || step.n_params > end - next) return false;
  step.params = next;
  next += step.n_params;
  return true;
}

Call call_of(const Step& step, const Tensor* operands) {
  const Tensor* in = operands + step.first;
  return {in, step.n_in, in + step.n_in, 1, step.params, step.n_params};
}

void shape_operands(const Chain& chain, Tensor* operands, Index size) {
  for (int i = 0; i < chain.n_operands; ++i) {
    operands[i].data = nullptr;
    operands[i].dtype = chain.dtypes[chain.operands[i]];
    operands[i].ndim = 1;
    operands[i].shape[0] = size;
  }
  for (int i = 0; i < chain.n_steps; ++i) {
    if (!chain.steps[i].reduces) continue;
    Tensor* in = operands + chain.steps[i].first;
    in->ndim = 2;
    in->shape[0] = in[1].shape[0] = size / chain.row;
    in->shape[1] = chain.row;
  }
}

bool accepts(const Call& call) {
  Chain chain;
  if (!chain.parse<false>(call)) return false;
  const Tensor whole = whole_of(call);
  const Index n = whole.size();
  if (chain.row > 0 && n % chain.row != 0) return false;
  for (int i = 0; i < call.n_out; ++i) {
    const bool reduced = chain.reduced[chain.n_in + i];
    if (reduced ? call.out[i].size() != n / chain.row : !same_shape(call.out[i], whole))
      return false;
  }
  Tensor operands[kMostOperands];
  shape_operands(chain, operands, chain.row > 0 ? 2 * chain.row : kBlock);
  for (int i = 0; i < chain.n_steps; ++i)
    if (!chain.steps[i].kernel->accepts(call_of(chain.steps[i], operands))) return false;
  return true;
}

// How one output is written.
enum class Way { direct, copied, streamed };

// An output takes over an input's memory, which a step reads after the output was written.
bool overtakes(const Chain& chain, const Call& call, int out) {
  for (int i = 0; i < call.n_in; ++i)
    if (call.in[i].data == call.out[out].data &&
        chain.last_step[i] > chain.written_by[chain.n_in + out])
      return true;
  return false;
}

Way way_of(const Chain& chain, const Call& call, int out) {
  if (chain.reduced[chain.n_in + out]) return Way::direct;
  for (int i = 0; i < call.n_in; ++i)
    if (call.in[i].data == call.out[out].data)
      return overtakes(chain, call, out) ? Way::copied : Way::direct;
  const Index bytes = call.out[out].size() * item_size(call.out[out].dtype);
  return bytes >= kStreamBytes ? Way::streamed : Way::direct;
}

// What one thread needs to run blocks of a call.
class Runner {
 public:
  Runner(const Chain& chain, const Call& call, const Blocks& blocks)
      : chain_(chain), call_(call), blocks_(blocks) {
    char* next = room(bytes());
    for (int place = 0; place < chain.places(); ++place) {
      item_[place] = item_size(chain.dtypes[place]);
      buffer_[place] = at_[place] = next;
      if (place < chain.n_in && !blocks.needs_room(place)) continue;
      if (place >= chain.n_in && place < chain.n_in + chain.n_out) {
        way_[place - chain.n_in] = way_of(chain, call, place - chain.n_in);
        if (way_[place - chain.n_in] == Way::direct) continue;
      }
      next += room_of(place);
    }
    for (int i = 0; i < chain.n_in; ++i)
      if (blocks.fixed(i))
        blocks.fill(i, call.in[i].as<char>(), item_[i], {0, 0, blocks.length()}, buffer_[i]);
  }

  ~Runner() { release(memory_); }
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;

  void run(const Block& block) {
    place(block);
    if (block.size != size_) shape_operands(chain_, operands_, size_ = block.size);
    for (int i = 0; i < chain_.n_operands; ++i) operands_[i].data = at_[chain_.operands[i]];
    for (int i = 0; i < chain_.n_steps; ++i)
      chain_.steps[i].kernel->run(call_of(chain_.steps[i], operands_));
    finish(block);
  }

 private:
  Index room_of(int place) const {
    return (blocks_.length() * item_size(chain_.dtypes[place]) + 127) / 64 * 64;
  }
  char* room(Index bytes) {
    if (bytes <= kSmallRoom) return small_;
    return memory_ = static_cast<char*>(allocate(static_cast<std::size_t>(bytes)));
  }
  Index bytes() const {
    Index total = 0;
    for (int place = 0; place < chain_.places(); ++place) total += room_of(place);
    return total;
  }

  void place(const Block& block) {
    for (int i = 0; i < chain_.n_in; ++i) {
      if (blocks_.fixed(i)) continue;
      at_[i] = blocks_.fill(i, call_.in[i].as<char>(), item_[i], block, buffer_[i]);
    }
    for (int i = 0; i < chain_.n_out; ++i) {
      const int place = chain_.n_in + i;
      const Index begin = chain_.reduced[place] ? block.begin / chain_.row : block.begin;
      if (way_[i] == Way::direct) at_[place] = call_.out[i].as<char>() + begin * item_[place];
    }
  }

  void finish(const Block& block) {
    for (int i = 0; i < chain_.n_out; ++i) {
      if (way_[i] == Way::direct) continue;
      const Index item = item_[chain_.n_in + i], bytes = block.size * item;
      char* to = call_.out[i].as<char>() + block.begin * item;
      if (way_[i] == Way::streamed) {
        stream_copy(to, at_[chain_.n_in + i], bytes);
      } else {
        std::memcpy(to, at_[chain_.n_in + i], static_cast<std::size_t>(bytes));
      }
    }
  }

  const Chain& chain_;
  const Call& call_;
  const Blocks& blocks_;
  char* memory_ = nullptr;
  Index size_ = 0;  // of the block that the operands have the shapes of
  alignas(64) char small_[kSmallRoom];
  char *buffer_[kMostPlaces], *at_[kMostPlaces];
  Index item_[kMostPlaces];
  Way way_[kMostPlaces];
  union {  // not cleared
    Tensor operands_[kMostOperands];
  };
};

void run(const Call& call) {
  const Tensor whole = whole_of(call);
  if (whole.size() == 0) return;
  Chain chain;
  chain.parse<true>(call);
  Index widest = 1;
  for (int i = 0; i < chain.places(); ++i) widest = std::max(widest, item_size(chain.dtypes[i]));
  const Blocks blocks(call, whole, kBlockBytes / widest, chain.row);
  const Index grain = std::max<Index>(1, 2 * kGrain / ((chain.n_steps + 1) * blocks.length()));
  parallel_for(blocks.count(), grain, [&](Index begin, Index end) {
    Runner runner(chain, call, blocks);
    for (Index i = begin; i < end; ++i) runner.run(blocks.block(i));
    stream_end();
  });
}

}  // namespace
}  // namespace baryon::BARYON_ISA

BARYON_REGISTER(chain) {
  add("_fused_chain", baryon::BARYON_ISA::run, baryon::BARYON_ISA::accepts);
}
