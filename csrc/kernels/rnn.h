// Where things lie in a fused recurrent network, and the element-wise halves of its steps.
//
// T steps, N samples, H units; G blocks of H gates, K blocks of H kept for backward. A row is one
// sample's H values of a block; blocks of a row lie side by side.
#pragma once

#include "loops.h"
#include "vmath.h"

namespace baryon::BARYON_ISA {

enum RnnMode { kRnnRelu, kRnnTanh, kLstm, kGru };  // as MODES in ops/rnn.py

// params = {mode, layers, directions, units, ...}; `data` is (T, N, features).
struct RnnShape {
  RnnMode mode;
  Index layers, directions, units, steps, batch, features;

  RnnShape(const Call& call, const Tensor& data)
      : mode(static_cast<RnnMode>(static_cast<int>(call.params[0]))),
        layers(static_cast<Index>(call.params[1])),
        directions(static_cast<Index>(call.params[2])),
        units(static_cast<Index>(call.params[3])),
        steps(data.shape[0]),
        batch(data.shape[1]),
        features(data.shape[2]) {}

  Index gates() const { return (mode == kLstm ? 4 : mode == kGru ? 3 : 1) * units; }
  Index kept() const { return (mode == kLstm ? 5 : mode == kGru ? 4 : 1) * units; }
  Index width() const { return directions * units; }  // of a layer's output
  Index count() const { return layers * directions; }
  Index state_bytes(Index item) const { return gates() * units * item; }  // of a recurrent matrix
  Index inputs(Index layer) const { return layer == 0 ? features : width(); }

  // Offsets in the parameters of layer and direction k: all matrices come first, then all biases.
  Index wx(Index k) const {
    const Index layer = k / directions;
    const Index below =
        layer == 0 ? 0
                   : directions * (features + units) + (layer - 1) * directions * (width() + units);
    return gates() * (below + k % directions * (inputs(layer) + units));
  }
  Index wh(Index k) const { return wx(k) + gates() * inputs(k / directions); }
  Index bx(Index k) const { return wx(layers * directions) + 2 * k * gates(); }
  Index bh(Index k) const { return bx(k) + gates(); }

  bool backwards(Index k) const { return directions == 2 && k % 2 == 1; }
  // The time of step s in the order of direction k.
  Index time(Index k, Index s) const { return backwards(k) ? steps - 1 - s : s; }
};

// f(first, end) over samples [from, to), by threads where it pays.
template <class F>
void each_sample(const RnnShape& r, Index from, Index to, const F& f) {
  parallel_for(to - from, std::max<Index>(1, kGrain / 4 / r.kept()),
               [&](Index begin, Index end) { f(from + begin, from + end); });
}

template <class T>
void lstm_row(const T* x, const T* bx, const T* bh, const T* c, T* kept, T* h, Index units) {
#pragma GCC ivdep
  for (Index j = 0; j < units; ++j) {
    const T i = vm::sigmoid(x[j] + (bx[j] + bh[j]));
    const T f = vm::sigmoid(x[units + j] + (bx[units + j] + bh[units + j]));
    const T g = vm::tanh(x[2 * units + j] + (bx[2 * units + j] + bh[2 * units + j]));
    const T o = vm::sigmoid(x[3 * units + j] + (bx[3 * units + j] + bh[3 * units + j]));
    const T next = f * c[j] + i * g;
    kept[j] = i;
    kept[units + j] = f;
    kept[2 * units + j] = g;
    kept[3 * units + j] = o;
    kept[4 * units + j] = next;
    h[j] = o * vm::tanh(next);
  }
}

// dh: gradient of the new h. dc: in, of the new c; out, of the previous one.
template <class T>
void lstm_row_back(const T* kept, const T* c, const T* dh, T* dc, T* d, Index units) {
#pragma GCC ivdep
  for (Index j = 0; j < units; ++j) {
    const T i = kept[j], f = kept[units + j], g = kept[2 * units + j], o = kept[3 * units + j];
    const T squashed = vm::tanh(kept[4 * units + j]);
    const T total = dc[j] + dh[j] * o * (1 - squashed * squashed);
    d[j] = total * g * (i * (1 - i));
    d[units + j] = total * c[j] * (f * (1 - f));
    d[2 * units + j] = total * i * (1 - g * g);
    d[3 * units + j] = dh[j] * squashed * (o * (1 - o));
    dc[j] = total * f;
  }
}

template <class T>
void gru_row(const T* x, const T* y, const T* bx, const T* bh, const T* before, T* kept, T* h,
             Index units) {
#pragma GCC ivdep
  for (Index j = 0; j < units; ++j) {
    const T r = vm::sigmoid(x[j] + bx[j] + (y[j] + bh[j]));
    const T z = vm::sigmoid(x[units + j] + bx[units + j] + (y[units + j] + bh[units + j]));
    const T inner = y[2 * units + j] + bh[2 * units + j];
    const T n = vm::tanh(x[2 * units + j] + bx[2 * units + j] + r * inner);
    kept[j] = r;
    kept[units + j] = z;
    kept[2 * units + j] = n;
    kept[3 * units + j] = inner;
    h[j] = (1 - z) * n + z * before[j];
  }
}

// dx, dy: gradients of the input's and the state's half of the gates. rest: of the previous h,
// beyond what comes through the gates.
template <class T>
void gru_row_back(const T* kept, const T* before, const T* dh, T* rest, T* dx, T* dy, Index units) {
#pragma GCC ivdep
  for (Index j = 0; j < units; ++j) {
    const T r = kept[j], z = kept[units + j], n = kept[2 * units + j];
    const T total = dh[j];
    const T dn = total * (1 - z) * (1 - n * n);
    const T dr = dn * kept[3 * units + j] * (r * (1 - r));
    const T dz = total * (before[j] - n) * (z * (1 - z));
    dx[j] = dy[j] = dr;
    dx[units + j] = dy[units + j] = dz;
    dx[2 * units + j] = dn;
    dy[2 * units + j] = dn * r;
    rest[j] = total * z;
  }
}

template <class T>
void plain_row(bool relu, const T* x, const T* bx, const T* bh, T* kept, T* h, Index units) {
#pragma GCC ivdep
  for (Index j = 0; j < units; ++j) {
    const T v = x[j] + (bx[j] + bh[j]);
    kept[j] = h[j] = relu ? (v < 0 ? T(0) : v) : vm::tanh(v);
  }
}

template <class T>
void plain_row_back(bool relu, const T* kept, const T* dh, T* d, Index units) {
#pragma GCC ivdep
  for (Index j = 0; j < units; ++j)
    d[j] = dh[j] * (relu ? static_cast<T>(kept[j] > 0 ? 1 : 0) : 1 - kept[j] * kept[j]);
}

}  // namespace baryon::BARYON_ISA
