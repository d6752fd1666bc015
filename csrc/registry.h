// The kernels of this processor, by name.
#pragma once

#include <string>
#include <vector>

#include "kernel.h"

namespace baryon {

struct Kernel {
  KernelFn run;
  AcceptFn accepts;
  KeepFn keeps;  // or null
  const char* isa;
};

// The kernel of the best instruction set that this processor has (BARYON_ISA may force a lower
// one), or null.
const Kernel* find_kernel(const std::string& name);
std::vector<std::string> kernel_names();
// The instruction set chosen: "baseline", "v3" or "v4".
const char* isa();

}  // namespace baryon
