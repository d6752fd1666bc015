// Sequences of different lengths in one array: (time, batch, ...) or (batch, time, ...).
#include "move.h"

namespace baryon::BARYON_ISA {
namespace {

struct Layout {
  std::int64_t time = 0, batch = 0, inner = 1;
  bool time_first = true;

  // The first element of a step of a sequence.
  std::int64_t at(std::int64_t t, std::int64_t b) const {
    return (time_first ? t * batch + b : b * time + t) * inner;
  }
};

// The first parameter is the time axis.
bool layout(const Call& call, const Tensor& data, Layout* found) {
  if (call.n_params < 1 || !is_integer(call.params[0], 0, 1) || data.ndim < 2) return false;
  const int axis = static_cast<int>(call.params[0]);
  *found = {data.shape[axis], data.shape[1 - axis], 1, axis == 0};
  for (int i = 2; i < data.ndim; ++i) found->inner *= data.shape[i];
  return true;
}

// Lengths, the optional second input, are one index a sequence.
bool accepts_lengths(const Call& call, std::int64_t batch) {
  if (call.n_in == 1) return true;
  return call.n_in == 2 && is_index(call.in[1].dtype) && call.in[1].size() == batch;
}

// Calls body(sequence, its length within [0, time]) on all threads.
template <class Body>
void sequences(const Call& call, const Layout& l, std::int64_t bytes, const Body& body) {
  Scratch<std::int64_t> lengths(l.batch + 1);
  std::int64_t* length = lengths.get();
  if (call.n_in == 1) {
    std::fill(length, length + l.batch, l.time);
  } else {
    load_indices(call.in[1], length,
                 [&](std::int64_t n) { return std::min(std::max<std::int64_t>(n, 0), l.time); });
  }
  parallel_for(l.batch, kChunkBytes / (bytes + 1) + 1, [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t b = begin; b < end; ++b) body(b, length[b]);
  });
}

bool accepts_same(const Call& call, int n_params) {
  Layout l;
  return call.n_out == 1 && call.n_in >= 1 && call.n_params == n_params &&
         call.in[0].dtype == call.out[0].dtype && call.in[0].size() == call.out[0].size() &&
         layout(call, call.in[0], &l) && accepts_lengths(call, l.batch);
}

// ---- SequenceMask -------------------------------------------------------------------------------

bool accepts_mask(const Call& call) { return accepts_same(call, 2); }

// A step is kept while it is below the length, which need not be whole: 1.5 keeps two steps.
std::int64_t kept_steps(double length, std::int64_t time) {
  if (!(length > 0)) return 0;
  if (length >= static_cast<double>(time)) return time;
  const std::int64_t whole = integer(length);
  return whole + (static_cast<double>(whole) < length);
}

void mask(const Call& call) {
  Layout l;
  layout(call, call.in[0], &l);
  copy(call.in[0], call.out[0]);
  if (call.n_in == 1 || call.out[0].size() == 0) return;
  const std::uint64_t bits = encode(call.params[1], call.out[0].dtype);
  by_index(call.in[1], [&](const auto* length) {
    by_size(call.out[0].dtype, [&](auto kind) {
      using T = decltype(kind);
      T* to = call.out[0].as<T>();
      const std::int64_t bytes = l.time * l.inner * static_cast<std::int64_t>(sizeof(T));
      parallel_for(l.batch, kChunkBytes / bytes + 1, [=](std::int64_t begin, std::int64_t end) {
        for (std::int64_t b = begin; b < end; ++b) {
          const std::int64_t kept = kept_steps(static_cast<double>(length[b]), l.time);
          for (std::int64_t t = kept; t < l.time; ++t) {
            T* step = to + l.at(t, b);
            std::fill(step, step + l.inner, static_cast<T>(bits));
          }
        }
      });
    });
  });
}

// ---- SequenceReverse ----------------------------------------------------------------------------

bool accepts_reverse(const Call& call) { return accepts_same(call, 1); }

void reverse(const Call& call) {
  Layout l;
  layout(call, call.in[0], &l);
  by_size(call.out[0].dtype, [&](auto kind) {
    using T = decltype(kind);
    const T* from = call.in[0].as<const T>();
    T* to = call.out[0].as<T>();
    const std::int64_t bytes = l.time * l.inner * static_cast<std::int64_t>(sizeof(T));
    sequences(call, l, bytes, [=](std::int64_t b, std::int64_t length) {
      for (std::int64_t t = 0; t < l.time; ++t) {
        const std::int64_t source = t < length ? length - 1 - t : t;
        copy_run(to + l.at(t, b), from + l.at(source, b), l.inner);
      }
    });
  });
}

// ---- SequenceLast -------------------------------------------------------------------------------

bool accepts_last_of(const Call& call, const Tensor& whole, const Tensor& last) {
  Layout l;
  return call.n_params == 1 && whole.dtype == last.dtype && layout(call, whole, &l) &&
         accepts_lengths(call, l.batch) && l.time > 0 && last.size() == l.batch * l.inner;
}

bool accepts_last(const Call& call) {
  return call.n_out == 1 && call.n_in >= 1 && accepts_last_of(call, call.in[0], call.out[0]);
}

bool accepts_last_gradient(const Call& call) {
  return call.n_out == 1 && call.n_in >= 1 && accepts_last_of(call, call.out[0], call.in[0]);
}

// An empty sequence is taken to have one step.
void last(const Call& call) {
  Layout l;
  layout(call, call.in[0], &l);
  by_size(call.out[0].dtype, [&](auto kind) {
    using T = decltype(kind);
    const T* from = call.in[0].as<const T>();
    T* to = call.out[0].as<T>();
    sequences(call, l, l.inner * static_cast<std::int64_t>(sizeof(T)),
              [=](std::int64_t b, std::int64_t length) {
                const std::int64_t t = std::max<std::int64_t>(length, 1) - 1;
                copy_run(to + b * l.inner, from + l.at(t, b), l.inner);
              });
  });
}

void last_gradient(const Call& call) {
  Layout l;
  layout(call, call.out[0], &l);
  fill(call.out[0], 0);
  by_size(call.out[0].dtype, [&](auto kind) {
    using T = decltype(kind);
    const T* from = call.in[0].as<const T>();
    T* to = call.out[0].as<T>();
    sequences(call, l, l.inner * static_cast<std::int64_t>(sizeof(T)),
              [=](std::int64_t b, std::int64_t length) {
                const std::int64_t t = std::max<std::int64_t>(length, 1) - 1;
                copy_run(to + l.at(t, b), from + b * l.inner, l.inner);
              });
  });
}

}  // namespace
}  // namespace baryon::BARYON_ISA

BARYON_REGISTER(sequence) {
  using namespace baryon::BARYON_ISA;
  add("SequenceMask", mask, accepts_mask);
  add("SequenceReverse", reverse, accepts_reverse);
  add("SequenceLast", last, accepts_last);
  add("_backward_SequenceLast", last_gradient, accepts_last_gradient);
}
