// What a kernel is, and how kernel files register theirs.
//
// A kernel file is compiled once per instruction set with BARYON_ISA naming the namespace, so
// everything in it lives in `namespace baryon::BARYON_ISA`, and it ends with one
//
//     BARYON_REGISTER(elementwise) {
//       add("relu", relu_kernel, same_dtype<DType::f32, DType::f64>);
//     }
//
// Kernel files are plain C++20, include no Python header, and keep clear of inline functions from
// other headers that the linker could share between instruction sets.
#pragma once

#include "tensor.h"

namespace baryon {

struct Call {
  const Tensor* in;
  int n_in;
  const Tensor* out;  // inputs that the operator mutates follow the outputs, aliasing their input
  int n_out;
  const double* params;  // numbers packed by the operator's `params`
  int n_params;
  // Memory that lasts between calls, as large as the kernel's KeepFn says, or null. It is `filled`
  // once a call has put there what it makes of its weights, whose values are still the same.
  void* kept = nullptr;
  bool filled = false;
};

// A kernel throws only from its caller's thread: std::bad_alloc, or std::out_of_range for an index
// that it read from an input (Python's IndexError).
using KernelFn = void (*)(const Call&);
// Whether the kernel serves these shapes, dtypes and parameters; asked once per planned call,
// before any data pointer is set. A false answer sends the call to the reference body.
using AcceptFn = bool (*)(const Call&);

// Bytes that a kernel would keep between calls of what it makes of its weights (inputs), as long as
// nobody writes to these; asked once per planned call that was accepted.
using KeepFn = std::int64_t (*)(const Call&);

// Which inputs these are, up to the last; the second alone where a kernel does not say.
struct InputRange {
  int first, last;
};
using KeptFn = InputRange (*)(const Call&);

template <DType... kinds>
bool same_dtype(const Call& call) {
  const DType dtype = call.n_in > 0 ? call.in[0].dtype : call.out[0].dtype;
  if (!((dtype == kinds) || ...)) return false;
  for (int i = 0; i < call.n_in; ++i)
    if (call.in[i].dtype != dtype) return false;
  for (int i = 0; i < call.n_out; ++i)
    if (call.out[i].dtype != dtype) return false;
  return true;
}

// Takes a kernel up into the registry.
struct Adder {
  void operator()(const char* name, KernelFn kernel, AcceptFn accepts, KeepFn keeps = nullptr,
                  KeptFn kept = nullptr) const;
};
using AddFn = const Adder&;

}  // namespace baryon

#define BARYON_CONCAT_(a, b) a##b
#define BARYON_CONCAT(a, b) BARYON_CONCAT_(a, b)
// Defines `void register_<family>_<isa>(AddFn add)`, which the registry calls when this processor
// has the instruction set.
#define BARYON_REGISTER(family)                                    \
  namespace baryon {                                               \
  void BARYON_CONCAT(register_##family##_, BARYON_ISA)(AddFn add); \
  }                                                                \
  void baryon::BARYON_CONCAT(register_##family##_, BARYON_ISA)([[maybe_unused]] AddFn add)
