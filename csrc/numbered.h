// Kernels by number, for kernels that run others.
#pragma once

#include "kernel.h"

namespace baryon {

struct Kernel {
  KernelFn run;
  AcceptFn accepts;
  KeepFn keeps;     // or null
  KeptFn kept;      // or null
  const char* isa;  // the instruction set that it is compiled for
};

// The kernel that `kernel_number` gave this number, or null.
const Kernel* kernel_at(int number);

}  // namespace baryon
