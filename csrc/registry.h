// The kernels of this processor, by name.
#pragma once

#include <string>
#include <vector>

#include "numbered.h"

namespace baryon {

// The kernel of the best instruction set that this processor has (BARYON_ISA may force a lower
// one), or null.
const Kernel* find_kernel(const std::string& name);
std::vector<std::string> kernel_names();
// A number by which kernels name other kernels, the same as long as the process lives; -1: unknown.
int kernel_number(const std::string& name);
// The instruction set chosen: "baseline", "v3" or "v4".
const char* isa();

}  // namespace baryon
