// Kernels of floats that also serve 16-bit types: their arguments are widened, results narrowed.
#pragma once

#include <vector>

#include "../kernel.h"
#include "../parallel.h"
#include "half.h"
#include "simd.h"

namespace baryon::BARYON_ISA {

// float32 and one 16-bit type, which some tensor has.
inline bool has_halves(const Call& call) {
  bool found = false;
  DType half = DType::f32;
  for (int i = 0; i < call.n_in + call.n_out; ++i) {
    const DType dtype = i < call.n_in ? call.in[i].dtype : call.out[i - call.n_in].dtype;
    if (dtype == DType::f32) continue;
    if (!is_half(dtype) || (found && dtype != half)) return false;
    found = true;
    half = dtype;
  }
  return found;
}

inline bool accepts_floats(const Call& call) {
  return same_dtype<DType::f32, DType::f64>(call) || has_halves(call);
}

// Tensors of 16 bits as float32 in memory of their own.
class Widened {
 public:
  Widened(const Tensor* tensors, int count, bool read) : tensors_(tensors, tensors + count) {
    Int bytes = 0;
    for (const Tensor& t : tensors_)
      if (is_half(t.dtype)) bytes += room(t);
    memory_ = static_cast<char*>(allocate(static_cast<std::size_t>(bytes)));
    char* at = memory_;
    for (Tensor& t : tensors_) {
      if (!is_half(t.dtype)) continue;
      if (read) each(t, [&](Int i, Int n) { widen(t.dtype, half(t, i), to(at, i), n); });
      t.data = at;
      at += room(t);
      t.dtype = DType::f32;
    }
  }
  ~Widened() { release(memory_); }
  Widened(const Widened&) = delete;
  Widened& operator=(const Widened&) = delete;

  const Tensor* get() const { return tensors_.data(); }

  // Writes what was computed into the tensors of 16 bits.
  void write(const Tensor* tensors) const {
    for (std::size_t k = 0; k < tensors_.size(); ++k) {
      const Tensor& t = tensors[k];
      if (!is_half(t.dtype)) continue;
      char* from = static_cast<char*>(tensors_[k].data);
      each(t, [&](Int i, Int n) { narrow(t.dtype, to(from, i), half(t, i), n); });
    }
  }

 private:
  static Int room(const Tensor& t) { return round_up(t.size() * 4, 64); }
  static float* to(char* memory, Int i) { return reinterpret_cast<float*>(memory) + i; }
  static std::uint16_t* half(const Tensor& t, Int i) { return t.as<std::uint16_t>() + i; }

  template <class Body>
  static void each(const Tensor& t, const Body& body) {
    parallel_for(t.size(), 1 << 15, [&](Int begin, Int end) { body(begin, end - begin); });
  }

  std::vector<Tensor> tensors_;
  char* memory_ = nullptr;
};

template <KernelFn of_float>
void in_float(const Call& call) {
  const Widened in(call.in, call.n_in, true), out(call.out, call.n_out, false);
  of_float({in.get(), call.n_in, out.get(), call.n_out, call.params, call.n_params});
  out.write(call.out);
}

// A kernel for calls that `accepts_floats` accepts.
template <KernelFn of_float, KernelFn of_double>
void by_float_type(const Call& call) {
  if (has_halves(call)) return in_float<of_float>(call);
  call.in[0].dtype == DType::f32 ? of_float(call) : of_double(call);
}

}  // namespace baryon::BARYON_ISA
