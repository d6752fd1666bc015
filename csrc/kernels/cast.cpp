// Conversion between any two dtypes.
#include <cmath>
#include <limits>
#include <type_traits>

#include "loops.h"

namespace baryon::BARYON_ISA {
namespace {

// A floating-point number as an integer, as x86-64 converts: cut towards zero; out of range (of
// int64, or of int32 for the smaller types) and NaN give the smallest value; then it wraps.
template <class To, class From>
To to_integer(From x) {
  using Middle = std::conditional_t<sizeof(To) == 8, std::int64_t, std::int32_t>;
  constexpr From bound = -static_cast<From>(std::numeric_limits<Middle>::min());
  const bool inside = x >= -bound && x < bound;
  return static_cast<To>(inside ? static_cast<Middle>(inside ? x : From(0))
                                : std::numeric_limits<Middle>::min());
}

template <class To, class From>
void convert(const void* from, void* to, Index n, const double*) {
  const From* x = static_cast<const From*>(from);
  To* y = static_cast<To*>(to);
  for (Index i = 0; i < n; ++i) {
    if constexpr (std::is_same_v<To, bool>) {
      y[i] = x[i] != From(0);
    } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
      y[i] = to_integer<To>(x[i]);
    } else {
      y[i] = static_cast<To>(x[i]);
    }
  }
}

template <class From>
UnaryLoop from(DType to) {
  switch (to) {
    case DType::f64:
      return convert<double, From>;
    case DType::i32:
      return convert<std::int32_t, From>;
    case DType::i64:
      return convert<std::int64_t, From>;
    case DType::i8:
      return convert<std::int8_t, From>;
    case DType::u8:
      return convert<std::uint8_t, From>;
    case DType::b8:
      return convert<bool, From>;
    default:  // float, and the 16-bit floats by way of it
      return convert<float, From>;
  }
}

UnaryLoop loop_for(DType source, DType to) {
  switch (source) {
    case DType::f64:
      return from<double>(to);
    case DType::i32:
      return from<std::int32_t>(to);
    case DType::i64:
      return from<std::int64_t>(to);
    case DType::i8:
      return from<std::int8_t>(to);
    case DType::u8:
      return from<std::uint8_t>(to);
    case DType::b8:
      return from<bool>(to);
    default:
      return from<float>(to);
  }
}

void cast(const Call& call) {
  const DType source = call.in[0].dtype, target = call.out[0].dtype;
  const UnaryLoop loop = loop_for(source, target);
  const Index from_item = item_size(source), to_item = item_size(target);
  const char* in = call.in[0].as<char>();
  char* out = call.out[0].as<char>();
  const Index n = call.out[0].size();
  if (source == target) {
    if (in != out && n > 0) std::memmove(out, in, static_cast<std::size_t>(n * to_item));
    return;
  }
  const bool stream = n * to_item >= kStreamBytes && call.in[0].data != call.out[0].data;
  parallel_for(n, kGrain, [&](Index begin, Index end) {
    alignas(64) float wide[kBlock], single[kBlock];
    alignas(64) char result[kBlock * 8];
    wide[0] = single[0] = 0;  // GCC cannot see that blocks are never empty
    for (Index i = begin; i < end; i += kBlock) {
      const Index count = std::min(kBlock, end - i);
      const void* x = in + i * from_item;
      if (is_half(source)) {
        widen(source, x, wide, count);
        x = wide;
      }
      char* y = out + i * to_item;
      if (is_half(target)) {
        loop(x, single, count, nullptr);
        narrow(target, single, y, count);
      } else if (stream) {
        loop(x, result, count, nullptr);
        stream_copy(y, result, count * to_item,
                    [&](Index at) { fetch(in + (i + count) * from_item + at); });
      } else {
        loop(x, y, count, nullptr);
      }
    }
    if (stream) stream_end();
  });
}

bool always(const Call&) { return true; }

}  // namespace
}  // namespace baryon::BARYON_ISA

BARYON_REGISTER(cast) { add("Cast", baryon::BARYON_ISA::cast, baryon::BARYON_ISA::always); }
