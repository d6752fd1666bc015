#include "types.h"

#include "error.h"

namespace baryon {

const Type& type_of(DType dtype) {
  for (const Type& type : kTypes)
    if (type.code == dtype) return type;
  throw Error("unknown dtype code " + std::to_string(static_cast<int>(dtype)));
}

std::int64_t item_bytes(DType dtype) { return type_of(dtype).bytes; }

std::int64_t bytes_of(const Tensor& tensor) { return tensor.size() * item_bytes(tensor.dtype); }

DType dtype_from_code(int code) { return type_of(static_cast<DType>(code)).code; }

std::string describe(const Tensor& tensor) {
  std::string text = std::string(type_of(tensor.dtype).name) + " (";
  for (int i = 0; i < tensor.ndim; ++i) {
    text += (i > 0 ? "," : "") + std::to_string(tensor.shape[i]);
  }
  return text + ")";
}

}  // namespace baryon
