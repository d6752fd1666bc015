// The end of a fused call, read from its parameters: low, high, whether a tensor is added.
#pragma once

#include <limits>

#include "../kernel.h"
#include "blocked_tile.h"

namespace baryon::BARYON_ISA {

// `first` is the place of these parameters, `input` that of the tensor.
inline Finish finish_of(const Call& call, int first, int input) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  Finish finish;
  finish.base = call.out[0].as<float>();
  if (call.params[first + 2] != 0) finish.addend = call.in[input].as<float>();
  finish.low = static_cast<float>(call.params[first]);
  finish.high = static_cast<float>(call.params[first + 1]);
  finish.bounded = call.params[first] != -kInfinity || call.params[first + 1] != kInfinity;
  return finish;
}

}  // namespace baryon::BARYON_ISA
