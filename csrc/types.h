// Element types by code, and tensors in words.
#pragma once

#include <cstdint>
#include <string>

#include "tensor.h"

namespace baryon {

struct Type {
  DType code;
  int bytes;
  const char* name;
};

inline constexpr Type kTypes[] = {
    {DType::f32, 4, "float32"}, {DType::f64, 8, "float64"}, {DType::f16, 2, "float16"},
    {DType::u8, 1, "uint8"},    {DType::i32, 4, "int32"},   {DType::i8, 1, "int8"},
    {DType::i64, 8, "int64"},   {DType::b8, 1, "bool"},     {DType::bf16, 2, "bfloat16"},
};

const Type& type_of(DType dtype);
std::int64_t item_bytes(DType dtype);
std::int64_t bytes_of(const Tensor& tensor);
DType dtype_from_code(int code);             // throws Error
std::string describe(const Tensor& tensor);  // "float32 (2,3)"

}  // namespace baryon
