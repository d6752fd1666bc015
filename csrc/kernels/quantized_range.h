// What bytes stand for: tensors of bytes go with the ends of their range, symmetric about zero.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "../kernel.h"

namespace baryon::BARYON_ISA {

using Byte = std::int8_t;
using Word = std::int32_t;  // sums of products of bytes

inline double reach_of(const Tensor& low, const Tensor& high) {
  return std::max(std::abs(static_cast<double>(*low.as<float>())),
                  std::abs(static_cast<double>(*high.as<float>())));
}

inline void write_range(const Call& call, double reach) {
  *call.out[1].as<float>() = static_cast<float>(-reach);
  *call.out[2].as<float>() = static_cast<float>(reach);
}

constexpr double kSteps8 = 127, kSteps32 = 2147483647;
inline double half_steps(DType dtype) { return dtype == DType::u8 ? 255.5 : 127.5; }

inline bool takes_bytes(const Call& call) {
  return (call.in[0].dtype == DType::u8 || call.in[0].dtype == DType::i8) && call.in[0].ndim <= 5;
}

}  // namespace baryon::BARYON_ISA
