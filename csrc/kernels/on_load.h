// What a batch norm and bounds do to the values of blocked images, done as these are read.
#pragma once

#include "../kernel.h"
#include "../parallel.h"
#include "blocked_tile.h"

namespace baryon::BARYON_ISA {

struct OnLoad {
  const float *middle, *factor, *start;  // of each channel
  float low, high;

  // The function of a vector of one block of channels.
  auto of(Int block) const {
    const Int k = block * kBlock;
    return [middle = load(this->middle + k), factor = load(this->factor + k),
            start = load(this->start + k), low = low, high = high](Lane value) {
      value = (value - middle) * factor + start;
      value = value < low ? broadcast(low) : value;  // (NaN passes)
      return value > high ? broadcast(high) : value;
    };
  }
};

// That of a call, from its inputs gamma, beta, mean and scale and its numbers fix_gamma, low, high.
class NormOfCall {
 public:
  NormOfCall(const Call& call, int first_input, int first_number)
      : factors_(call.in[first_input].size()) {
    const float* in[4];
    for (int i = 0; i < 4; ++i) in[i] = call.in[first_input + i].as<float>();
    const double* numbers = call.params + first_number;
    for (Int k = 0; k < call.in[first_input].size(); ++k)
      factors_.get()[k] = numbers[0] != 0 ? in[3][k] : in[3][k] * in[0][k];
    norm_ = {in[2], factors_.get(), in[1], static_cast<float>(numbers[1]),
             static_cast<float>(numbers[2])};
  }
  const OnLoad& get() const { return norm_; }

 private:
  Scratch<float> factors_;
  OnLoad norm_;
};

}  // namespace baryon::BARYON_ISA
