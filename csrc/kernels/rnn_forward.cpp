// The fused recurrent network forward: products for the inputs of many steps, one for each step's
// state, and the gates of a step in one pass.
//
// "RNN": in = {data, parameters, state, [state_cell]}, out = {output, state, cell, kept, hidden,
// mask}; params[4] = probability of dropping, then seed and stream. "_inference_RNN" gives the
// first three outputs alone: in = {data, state, [state_cell], weights}, which are the parameters as
// one vector or one by one; what is packed of them lasts between calls.

#include <optional>
#include <vector>

#include "philox.h"
#include "rnn_factor.h"

namespace baryon::BARYON_ISA {
namespace {

constexpr Index kBlockRows = 160;   // of inputs that go through a product together on one thread
constexpr Index kWholeRows = 1024;  // the same for all threads
constexpr Index kSamples = 6;       // that are worth another thread
constexpr Index kCache = 1 << 20;   // bytes of a recurrent matrix that a thread's cache keeps

// Matrices and biases, wherever they lie.
template <class T>
struct Weights {
  const Tensor* tensors;
  bool whole;  // one vector
  const RnnShape& r;

  const T* wx(Index k) const { return at(r.wx(k), 2 * k); }
  const T* wh(Index k) const { return at(r.wh(k), 2 * k + 1); }
  const T* bx(Index k) const { return at(r.bx(k), 2 * (r.count() + k)); }
  const T* bh(Index k) const { return at(r.bh(k), 2 * (r.count() + k) + 1); }

 private:
  const T* at(Index offset, Index piece) const {
    return whole ? tensors[0].as<T>() + offset : tensors[piece].as<T>();
  }
};

// Both matrices of one layer and direction as factors.
template <class T>
struct Factors {
  RnnFactor<T> inputs, states;

  Factors(const RnnShape& r, Index layer, const T* wx, const T* wh)
      : inputs(input_rows(r), true, r.gates(), r.inputs(layer), wx),
        states(r.batch, true, r.gates(), r.units, wh) {}

  Index bytes() const { return inputs.bytes() + states.bytes(); }
  void place(char* memory, bool filled) {
    inputs.place(memory, filled);
    states.place(memory + inputs.bytes(), filled);
  }

 private:
  static Index input_rows(const RnnShape& r) {
    const Index rows = r.steps * r.batch;
    return r.state_bytes(sizeof(T)) <= kCache ? std::min(rows, kBlockRows) : rows;
  }
};

template <class T>
struct Forward {
  const Call& call;
  bool lean;  // nothing is kept for a backward pass
  RnnShape r;
  const T *data, *state, *cell;
  Weights<T> weights;
  Scratch<T> own_hidden, own_kept;  // where nobody asks for these

  Forward(const Call& c, bool lean)
      : call(c),
        lean(lean),
        r(c, c.in[0]),
        data(c.in[0].as<T>()),
        state(c.in[lean ? 1 : 2].as<T>()),
        cell(r.mode == kLstm ? c.in[lean ? 2 : 3].as<T>() : nullptr),
        weights{c.in + (lean ? first_weight(c) : 1), !lean || c.n_in == first_weight(c) + 1, r},
        own_hidden(lean ? (r.layers - 1) * r.steps * r.batch * r.width() : 0),
        own_kept(lean ? r.count() * r.batch * r.kept() : 0) {}

  static int first_weight(const Call& c) {
    return static_cast<RnnMode>(static_cast<int>(c.params[0])) == kLstm ? 3 : 2;
  }

  // A layer's output (steps, batch, width).
  T* output(Index layer) const {
    if (layer == r.layers - 1) return call.out[0].as<T>();
    T* hidden = lean ? own_hidden.get() : call.out[4].as<T>();
    return hidden + layer * r.steps * r.batch * r.width();
  }
  T* kept(Index k, Index t) const {
    if (lean) return own_kept.get() + k * r.batch * r.kept();  // of the last step alone
    return call.out[3].as<T>() + (k * r.steps + t) * r.batch * r.kept();
  }

  void draw_mask() const {
    const double keep = 1 - call.params[4];
    const float limit = static_cast<float>(keep);
    const T scale = keep > 0 ? static_cast<T>(1 / keep) : T(0);
    T* mask = call.out[5].as<T>();
    each_uniform<float>(Philox(call), call.out[5].size(),
                        [=](Index first, const float* u, Index n) {
                          for (Index i = 0; i < n; ++i) mask[first + i] = u[i] < limit ? scale : 0;
                        });
  }

  void run() const {
    const bool dropping = !lean && call.out[5].size() > 0;
    if (dropping) draw_mask();
    const Index size = r.steps * r.batch * r.width();
    const Scratch<T> dropped(dropping ? size : 0);
    char* memory = static_cast<char*>(call.kept);
    for (Index layer = 0; layer < r.layers; ++layer) {
      const T* x = layer == 0 ? data : output(layer - 1);
      if (layer > 0 && dropping) {
        const T* mask = call.out[5].as<T>() + (layer - 1) * size;
        for (Index i = 0; i < size; ++i) dropped.get()[i] = x[i] * mask[i];
        x = dropped.get();
      }
      memory = one_layer(layer, x, memory);
    }
  }

  // The end of the memory that the layer's factors take between calls.
  char* one_layer(Index layer, const T* x, char* memory) const {
    const Index first = layer * r.directions;
    std::vector<Factors<T>> factors;
    for (Index k = first; k < first + r.directions; ++k)
      factors.emplace_back(r, layer, weights.wx(k), weights.wh(k));
    const Index bytes = factors[0].bytes();
    const Scratch<char> own(memory == nullptr ? r.directions * bytes : 0);
    char* const place = memory == nullptr ? own.get() : memory;
    for (Index d = 0; d < r.directions; ++d)
      factors[d].place(place + d * bytes, memory != nullptr && call.filled);
    each_share([&](Index d, Index from, Index to) { walk(first + d, x, factors[d], from, to); });
    for (Index k = first; k < first + r.directions; ++k) last_states(k);
    return memory == nullptr ? nullptr : memory + r.directions * bytes;
  }

  // body(direction, first, end) for each direction and shares of the batch, which go through all
  // steps on a thread of their own without waiting for others, as long as each thread's cache keeps
  // the recurrent matrix and has samples enough for it; else for the whole batch.
  template <class Body>
  void each_share(const Body& body) const {
    const bool fits = r.state_bytes(sizeof(T)) <= kCache;
    const Index shares = fits ? std::clamp<Index>(r.batch / kSamples, 1, num_threads()) : Index{1};
    const auto task = [&](Index i) {
      const Index share = i % shares;
      body(i / shares, r.batch * share / shares, r.batch * (share + 1) / shares);
    };
    const Index tasks = r.directions * shares;
    if (!fits || tasks == 1) {
      for (Index i = 0; i < tasks; ++i) task(i);
      return;
    }
    parallel_for(tasks, 1, [&](Index begin, Index end) {
      for (Index i = begin; i < end; ++i) task(i);
    });
  }

  // All steps of samples [from, to).
  void walk(Index k, const T* x, const Factors<T>& factors, Index from, Index to) const {
    const Index n = to - from, gates = r.gates(), inputs = r.inputs(k / r.directions);
    const Index rows = in_parallel() ? kBlockRows : kWholeRows;
    const Index block = std::clamp<Index>(rows / n, 1, r.steps);  // steps
    const Scratch<T> gx(block * n * gates), gh(r.mode == kGru ? n * gates : 0);
    const Scratch<T> gathered(n < r.batch ? block * n * inputs : 0);
    Rows<const T> h{state + (k * r.batch + from) * r.units, r.units}, c{nullptr, 0};
    if (r.mode == kLstm) c = {cell + (k * r.batch + from) * r.units, r.units};
    for (Index s = 0; s < r.steps; s += block) {
      const Index count = std::min(block, r.steps - s);
      const Index first = r.backwards(k) ? r.time(k, s + count - 1) : s;
      const T* a = x + first * r.batch * inputs;
      if (n < r.batch) a = gather(a, from, n, count, inputs, gathered.get());
      factors.inputs.multiply(count * n, a, inputs, false, gx.get(), gates);
      for (Index i = s; i < s + count; ++i) {
        const Index t = r.time(k, i);
        T* x_gates = gx.get() + (t - first) * n * gates;
        T* both = r.mode == kGru ? gh.get() : x_gates;  // where the state's half goes
        factors.states.multiply(n, h.data, h.stride, r.mode != kGru, both, gates);
        const Rows<T> out{output(k / r.directions) + (t * r.batch + from) * r.width() +
                              k % r.directions * r.units,
                          r.width()};
        const Rows<T> keep{kept(k, t) + from * r.kept(), r.kept()};
        each_sample(r, 0, n, [&](Index begin, Index end) {
          step(k, begin, end, x_gates, gh.get(), h, c, keep, out);
        });
        h = {out.data, out.stride};
        c = {keep.data + 4 * r.units, keep.stride};
      }
    }
  }

  // The inputs of samples [from, from + n) at `count` steps, one after the other.
  const T* gather(const T* x, Index from, Index n, Index count, Index inputs, T* to) const {
    for (Index t = 0; t < count; ++t)
      std::copy_n(x + (t * r.batch + from) * inputs, n * inputs, to + t * n * inputs);
    return to;
  }

  void step(Index k, Index begin, Index end, const T* gx, const T* gh, Rows<const T> h,
            Rows<const T> c, Rows<T> keep, Rows<T> to) const {
    const T *bx = weights.bx(k), *bh = weights.bh(k);
    const Index gates = r.gates(), units = r.units;
    for (Index n = begin; n < end; ++n) {
      if (r.mode == kLstm)
        lstm_row(gx + n * gates, bx, bh, c[n], keep[n], to[n], units);
      else if (r.mode == kGru)
        gru_row(gx + n * gates, gh + n * gates, bx, bh, h[n], keep[n], to[n], units);
      else
        plain_row(r.mode == kRnnRelu, gx + n * gates, bx, bh, keep[n], to[n], units);
    }
  }

  void last_states(Index k) const {
    const Index t = r.time(k, r.steps - 1), units = r.units;
    const Rows<const T> h{
        output(k / r.directions) + t * r.batch * r.width() + k % r.directions * units, r.width()};
    const Rows<const T> c{kept(k, t) + 4 * units, r.kept()};
    for (Index n = 0; n < r.batch; ++n) {
      const Index at = (k * r.batch + n) * units;
      std::copy_n(h[n], units, call.out[1].as<T>() + at);
      if (r.mode == kLstm) std::copy_n(c[n], units, call.out[2].as<T>() + at);
    }
  }
};

template <bool lean>
void rnn(const Call& call) {
  if (call.out[0].dtype == DType::f32)
    Forward<float>(call, lean).run();
  else
    Forward<double>(call, lean).run();
}

bool accepts(const Call& call) {
  return call.in[0].size() > 0 && same_dtype<DType::f32, DType::f64>(call);
}

// ---- what inference keeps -----------------------------------------------------------------------

template <class T>
Index factor_bytes(const Call& call) {
  const RnnShape r(call, call.in[0]);
  Index bytes = 0;
  for (Index k = 0; k < r.count(); ++k)
    bytes += Factors<T>(r, k / r.directions, nullptr, nullptr).bytes();
  return bytes;
}
Index kept_bytes(const Call& call) {
  return call.out[0].dtype == DType::f32 ? factor_bytes<float>(call) : factor_bytes<double>(call);
}
InputRange kept_of(const Call& call) { return {Forward<float>::first_weight(call), call.n_in}; }

}  // namespace
}  // namespace baryon::BARYON_ISA

BARYON_REGISTER(rnn_forward) {
  using namespace baryon::BARYON_ISA;
  add("RNN", rnn<false>, accepts);
  add("_inference_RNN", rnn<true>, accepts, kept_bytes, kept_of);
}
