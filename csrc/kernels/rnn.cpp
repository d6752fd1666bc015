// The gradient of the fused recurrent network: one product for each step's state, one for all
// inputs and one for all weights of a layer, and the gates of a step in one pass.

#include "rnn_factor.h"

namespace baryon::BARYON_ISA {
namespace {

// walk(first, end) for shares of the batch, each of which goes through all steps on a thread of its
// own, without waiting for others: as long as each thread's cache keeps the recurrent matrix, and
// has samples enough for it. Else for the whole batch.
template <class F>
void each_share(const RnnShape& r, Index matrix_bytes, const F& walk) {
  constexpr Index kSamples = 6, kCache = 1 << 20;
  const Index shares = std::min<Index>(num_threads(), r.batch / kSamples);
  if (matrix_bytes > kCache || shares < 2) return walk(Index{0}, r.batch);
  parallel_for(shares, 1, [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) walk(r.batch * i / shares, r.batch * (i + 1) / shares);
  });
}

// in = {d_output, d_state, d_cell, output, kept, hidden, mask, data, parameters,
// state, [state_cell]}, out = {d_data, d_parameters, d_state, [d_state_cell]} ---------------------

template <class T>
struct Backward {
  const Call& call;
  RnnShape r;
  const T* parameters;
  T* gradients;

  explicit Backward(const Call& c)
      : call(c), r(c, c.in[7]), parameters(c.in[8].as<T>()), gradients(c.out[1].as<T>()) {}

  const T* output(Index layer) const {
    if (layer == r.layers - 1) return call.in[3].as<T>();
    return call.in[5].as<T>() + layer * r.steps * r.batch * r.width();
  }
  const T* kept(Index k, Index t) const {
    return call.in[4].as<T>() + (k * r.steps + t) * r.batch * r.kept();
  }

  void run() const {
    const bool dropping = call.in[6].size() > 0;
    const Index rows = r.steps * r.batch, size = r.layers > 1 ? rows * r.width() : 0;
    Scratch<T> gx(rows * r.gates()), gh(r.mode == kGru ? rows * r.gates() : 0);
    Scratch<T> one(size), two(size), dropped(dropping ? size : 0);
    const T* d_out = call.in[0].as<T>();
    for (Index layer = r.layers - 1; layer >= 0; --layer) {
      const T* mask = dropping && layer > 0 ? call.in[6].as<T>() + (layer - 1) * size : nullptr;
      const T* x = layer == 0 ? call.in[7].as<T>() : output(layer - 1);
      if (mask != nullptr) {
        for (Index i = 0; i < size; ++i) dropped.get()[i] = x[i] * mask[i];
        x = dropped.get();
      }
      T* below = layer == 0 ? call.out[0].as<T>() : d_out == one.get() ? two.get() : one.get();
      for (Index k = layer * r.directions; k < (layer + 1) * r.directions; ++k) {
        T* states = r.mode == kGru ? gh.get() : gx.get();
        direction(k, d_out, gx.get(), states);
        weights(k, x, gx.get(), states);
        const Index inputs = r.inputs(layer);
        gemm(false, false, rows, inputs, r.gates(), T(1), gx.get(), r.gates(), parameters + r.wx(k),
             inputs, k % r.directions == 0 ? T(0) : T(1), below, inputs);
      }
      if (mask != nullptr)
        for (Index i = 0; i < size; ++i) below[i] *= mask[i];
      d_out = below;
    }
  }

  // The state before step s: h, or c for the LSTM.
  Rows<const T> h_before(Index k, Index s) const {
    if (s == 0) return {call.in[9].as<T>() + k * r.batch * r.units, r.units};
    const Index at = r.time(k, s - 1) * r.batch * r.width() + k % r.directions * r.units;
    return {output(k / r.directions) + at, r.width()};
  }
  Rows<const T> c_before(Index k, Index s) const {
    if (r.mode != kLstm) return {nullptr, 0};
    if (s == 0) return {call.in[10].as<T>() + k * r.batch * r.units, r.units};
    return {kept(k, r.time(k, s - 1)) + 4 * r.units, r.kept()};
  }

  // Gradients of both halves of the gates at all steps, and of the first states.
  void direction(Index k, const T* d_out, T* gx, T* gh) const {
    const Index count = r.batch * r.units;
    const Scratch<T> total(count);
    RnnFactor<T> states(r.batch, false, r.units, r.gates(), parameters + r.wh(k));
    const Scratch<char> memory(states.bytes());
    states.place(memory.get(), false);
    T* dh = call.out[2].as<T>() + k * count;
    T* dc = r.mode == kLstm ? call.out[3].as<T>() + k * count : nullptr;
    std::copy_n(call.in[1].as<T>() + k * count, count, dh);
    if (dc != nullptr) std::copy_n(call.in[2].as<T>() + k * count, count, dc);
    each_share(r, r.state_bytes(sizeof(T)), [&](Index from, Index to) {
      walk(k, d_out, total.get(), dh, dc, gx, gh, states, from, to);
    });
  }

  // The steps of samples [from, to), the last one first.
  void walk(Index k, const T* d_out, T* total, T* dh, T* dc, T* gx, T* gh,
            const RnnFactor<T>& states, Index from, Index to) const {
    const Index units = r.units, gates = r.gates(), block = r.batch * gates;
    for (Index s = r.steps - 1; s >= 0; --s) {
      const Index t = r.time(k, s);
      const Rows<const T> d{d_out + t * r.batch * r.width() + k % r.directions * units, r.width()};
      each_sample(r, from, to, [&](Index begin, Index end) {
        step(k, s, begin, end, d, total, dh, dc, gx + t * block, gh + t * block);
      });
      states.multiply(to - from, gh + t * block + from * gates, gates, r.mode == kGru,
                      dh + from * units, units);
    }
  }

  void step(Index k, Index s, Index begin, Index end, Rows<const T> d_out, T* total, T* dh, T* dc,
            T* gx, T* gh) const {
    const Rows<const T> h = h_before(k, s), c = c_before(k, s);
    const Rows<const T> keep{kept(k, r.time(k, s)), r.kept()};
    const Index gates = r.gates(), units = r.units;
    for (Index n = begin; n < end; ++n) {
      T *sum = total + n * units, *back = dh + n * units;
      const T* d = d_out[n];
      for (Index j = 0; j < units; ++j) sum[j] = back[j] + d[j];
      if (r.mode == kLstm)
        lstm_row_back(keep[n], c[n], sum, dc + n * units, gx + n * gates, units);
      else if (r.mode == kGru)
        gru_row_back(keep[n], h[n], sum, back, gx + n * gates, gh + n * gates, units);
      else
        plain_row_back(r.mode == kRnnRelu, keep[n], sum, gx + n * gates, units);
    }
  }

  // Gradients of the matrices and biases of one layer and direction.
  void weights(Index k, const T* x, const T* gx, const T* gh) const {
    const Index rows = r.steps * r.batch, gates = r.gates(), units = r.units;
    const Index inputs = r.inputs(k / r.directions), block = r.batch * gates;
    gemm(true, false, gates, inputs, rows, T(1), gx, gates, x, inputs, T(0), gradients + r.wx(k),
         inputs);
    T* wh = gradients + r.wh(k);
    const Rows<const T> first = h_before(k, 0);
    gemm(true, false, gates, units, r.batch, T(1), gh + r.time(k, 0) * block, gates, first.data,
         first.stride, T(0), wh, units);
    if (r.steps > 1) {  // the states before all later steps lie one step off
      const bool back = r.backwards(k);
      const T* states =
          output(k / r.directions) + k % r.directions * units + (back ? r.batch * r.width() : 0);
      gemm(true, false, gates, units, rows - r.batch, T(1), gh + (back ? 0 : block), gates, states,
           r.width(), T(1), wh, units);
    }
    sum_rows(gx, rows, gates, gradients + r.bx(k));
    if (gh == gx) {
      std::copy_n(gradients + r.bx(k), gates, gradients + r.bh(k));
    } else {
      sum_rows(gh, rows, gates, gradients + r.bh(k));
    }
  }

  static void sum_rows(const T* from, Index rows, Index n, T* to) {
    constexpr Index kColumns = 128;
    parallel_for((n + kColumns - 1) / kColumns, std::max<Index>(1, kGrain / (kColumns * rows)),
                 [&](Index begin, Index end) {
                   const Index first = begin * kColumns, last = std::min(n, end * kColumns);
                   std::fill(to + first, to + last, T(0));
                   for (Index i = 0; i < rows; ++i)
#pragma GCC ivdep
                     for (Index j = first; j < last; ++j) to[j] += from[i * n + j];
                 });
  }
};

void backward_rnn(const Call& call) {
  call.out[0].dtype == DType::f32 ? Backward<float>(call).run() : Backward<double>(call).run();
}

bool accepts(const Call& call) {
  return call.in[7].size() > 0 && same_dtype<DType::f32, DType::f64>(call);
}

}  // namespace
}  // namespace baryon::BARYON_ISA

BARYON_REGISTER(rnn) {
  using namespace baryon::BARYON_ISA;
  add("_backward_RNN", backward_rnn, accepts);
}
