// Choosing between two tensors by a condition.
#include <cstring>

#include "move.h"

namespace baryon::BARYON_ISA {
namespace {

// The one parameter of `where` is how many elements each element of the condition decides.
bool accepts_condition(const Call& call, const Tensor& values) {
  const double block = call.params[0];
  return is_integer(block, 0, 0x1p53) && call.in[0].size() * integer(block) == call.out[0].size() &&
         values.dtype == call.out[0].dtype && values.size() == call.out[0].size();
}

bool accepts_where(const Call& call) {
  return call.n_in == 3 && call.n_out == 1 && call.n_params == 1 &&
         accepts_condition(call, call.in[1]) && accepts_condition(call, call.in[2]);
}

inline bool is_set(float x) { return x != 0; }
inline bool is_set(double x) { return x != 0; }
inline bool is_set(std::uint8_t x) { return x != 0; }
inline bool is_set(std::uint32_t x) { return x != 0; }
inline bool is_set(std::uint64_t x) { return x != 0; }
inline bool is_set(std::uint16_t x) { return (x & 0x7fff) != 0; }  // 16-bit floats: -0 is zero

template <class Body>
void by_condition(const Tensor& t, const Body& body) {
  switch (t.dtype) {
    case DType::f32:
      return body(t.as<const float>());
    case DType::f64:
      return body(t.as<const double>());
    case DType::i32:
      return body(t.as<const std::uint32_t>());
    case DType::i64:
      return body(t.as<const std::uint64_t>());
    case DType::f16:
    case DType::bf16:
      return body(t.as<const std::uint16_t>());
    default:
      return body(t.as<const std::uint8_t>());
  }
}

// to = condition ? x : y, where a null pointer stands for zeros.
template <class T>
void choose(const Tensor& condition, std::int64_t block, const T* x, const T* y, T* to) {
  by_condition(condition, [&](const auto* c) {
    parallel_for(
        condition.size(), 1 + (1 << 14) / (block + 1), [=](std::int64_t begin, std::int64_t end) {
          if (block != 1) {
            for (std::int64_t k = begin; k < end; ++k) {
              const T* from = is_set(c[k]) ? x : y;
              if (from != nullptr) {
                std::memmove(to + k * block, from + k * block,
                             static_cast<std::size_t>(block) * sizeof(T));
              } else {
                std::memset(to + k * block, 0, static_cast<std::size_t>(block) * sizeof(T));
              }
            }
          } else if (x == nullptr) {
            for (std::int64_t k = begin; k < end; ++k) to[k] = is_set(c[k]) ? T(0) : y[k];
          } else if (y == nullptr) {
            for (std::int64_t k = begin; k < end; ++k) to[k] = is_set(c[k]) ? x[k] : T(0);
          } else {
            for (std::int64_t k = begin; k < end; ++k) {
              const T a = x[k], b = y[k];
              to[k] = is_set(c[k]) ? a : b;
            }
          }
        });
  });
}

void where(const Call& call) {
  by_size(call.out[0].dtype, [&](auto kind) {
    using T = decltype(kind);
    choose(call.in[0], integer(call.params[0]), call.in[1].as<const T>(), call.in[2].as<const T>(),
           call.out[0].as<T>());
  });
}

// Parameters: block, then the branch of the condition that `dy`, the second input, belongs to.
bool accepts_where_gradient(const Call& call) {
  return call.n_in == 2 && call.n_out == 1 && call.n_params == 2 &&
         accepts_condition(call, call.in[1]);
}

void where_gradient(const Call& call) {
  by_size(call.out[0].dtype, [&](auto kind) {
    using T = decltype(kind);
    const T *dy = call.in[1].as<const T>(), *none = nullptr;
    const bool branch = call.params[1] != 0;
    choose(call.in[0], integer(call.params[0]), branch ? dy : none, branch ? none : dy,
           call.out[0].as<T>());
  });
}

}  // namespace
}  // namespace baryon::BARYON_ISA

BARYON_REGISTER(where) {
  using namespace baryon::BARYON_ISA;
  add("where", where, accepts_where);
  add("_backward_where", where_gradient, accepts_where_gradient);
}
