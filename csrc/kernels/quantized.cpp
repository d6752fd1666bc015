// Products of bytes: convolution and FullyConnected in 32-bit integers.
#include <algorithm>
#include <cmath>
#include <vector>

#include "byte_product.h"
#include "conv_shape.h"
#include "quantized_range.h"
#include "windows.h"

namespace baryon::BARYON_ISA {
namespace {

// The ranges of products come after data, weight and the bias that may be there.
struct Ranges {
  const Tensor* at;

  explicit Ranges(const Call& call) : at(call.in + (call.n_in == 9 ? 3 : 2)) {}
  double data() const { return reach_of(at[0], at[1]); }
  double weight() const { return reach_of(at[2], at[3]); }
  double bias() const { return reach_of(at[4], at[5]); }
};

// int8 bias in the steps of the products; null where there is none.
class Bias {
 public:
  Bias(const Call& call, Int count) : values_(std::max<Int>(count, 1)), here_(call.n_in == 9) {
    if (!here_) return;
    const Ranges ranges(call);
    const double both = ranges.data() * ranges.weight();
    const double steps = half_steps(call.in[0].dtype);
    const double factor = both > 0 ? ranges.bias() * steps / both : 0;
    for (Int i = 0; i < count; ++i)
      values_.get()[i] = static_cast<Word>(std::trunc(call.in[2].as<Byte>()[i] * factor));
  }
  const Word* get() const { return here_ ? values_.get() : nullptr; }

 private:
  Scratch<Word> values_;
  bool here_;
};

// Rows of bytes, kColumnTile in each, as words of Unit::kDepth rows.    row(k): which comes k-th.
template <class Unit, class T, class Row>
void interleave(const T* rows, Int depth, const Row& row, bool shifted, Word* to) {
  static const T zeros[kColumnTile] = {};
  const Word flip = shifted && Unit::kShift != 0 ? static_cast<Word>(0x80808080u) : 0;
  for (Int k = 0; k < depth; k += Unit::kDepth, to += kColumnTile) {
    const T* at[Unit::kDepth];
    for (int i = 0; i < Unit::kDepth; ++i)
      at[i] = k + i < depth ? rows + row(k + i) * kColumnTile : zeros;
    for (Int p = 0; p < kColumnTile; ++p) to[p] = Unit::data(at, p) ^ flip;
  }
}

template <class Unit, class T>
void conv_of(const Call& call, const ConvShape& s) {
  const Int plane = volume(s.in), grid = volume(s.out), depth = s.depth(), taps = s.taps();
  const Int channels = s.channels_per_group(), height = s.filters_per_group();
  const bool shifted = std::is_signed_v<T>;
  const std::vector<Int3> tap_places = taps_of(s);
  const Bias bias(call, s.filters);
  const T* data = call.in[0].as<T>();
  // Rows are packed tap by tap; weights go channel by channel.
  const auto row = [&](Int k) { return k % taps * channels + k / taps; };
  for (Int g = 0; g < s.groups; ++g) {
    const Byte* weight = call.in[1].as<Byte>() + g * height * depth;
    const Word* start = bias.get() == nullptr ? nullptr : bias.get() + g * height;
    const ByteFilters<Unit> filters(height, depth, weight, start, shifted);
    const Images<T> images{data + g * channels * plane,
                           data + s.batch * s.channels * plane,
                           s.channels * plane,
                           plane,
                           s.in,
                           s.stride};
    const auto pack = [&](Int first, Int count, Word* to) {
      Scratch<T> rows(depth * kColumnTile + kVectorBytes);
      Packer<T> packer(images, s.out, tap_places, channels);
      packer.columns(first, count);
      packer.rows(0, depth, rows.get(), kColumnTile);
      interleave<Unit>(rows.get(), depth, row, shifted, to);
    };
    const auto place = [&](Int column) {
      return (column / grid * s.filters + g * height) * grid + column % grid;
    };
    byte_product<Unit>(filters, s.batch * grid, pack, place, call.out[0].as<Word>(), grid);
  }
}

template <class Unit, class T>
void connected_of(const Call& call, Int rows, Int hidden, Int depth) {
  const bool shifted = std::is_signed_v<T>;
  const Byte* weight = call.in[1].as<Byte>();
  const T* data = call.in[0].as<T>();
  const Bias bias(call, hidden);
  const ByteFilters<Unit> filters(hidden, depth, weight, bias.get(), shifted);
  const auto pack = [&](Int first, Int count, Word* to) {
    Scratch<T> columns(depth * kColumnTile);
    std::fill_n(columns.get(), depth * kColumnTile, T(0));
    for (Int p = 0; p < count; ++p)
      for (Int k = 0; k < depth; ++k)
        columns.get()[k * kColumnTile + p] = data[(first + p) * depth + k];
    interleave<Unit>(columns.get(), depth, [](Int k) { return k; }, shifted, to);
  };
  const auto place = [&](Int column) { return column * hidden; };
  byte_product<Unit>(filters, rows, pack, place, call.out[0].as<Word>(), 1);
}

// Calls body(unit, element) for what this processor multiplies and what the data are.
template <class Body>
void with_unit(const Call& call, const Body& body) {
  const auto by_type = [&](auto unit) {
    call.in[0].dtype == DType::u8 ? body(unit, std::uint8_t{}) : body(unit, Byte{});
  };
#if defined(__AVX512BW__)
  if (Quads::here()) return by_type(Quads{});
#endif
  by_type(Pairs{});
}

void conv(const Call& call) {
  const Ranges ranges(call);
  write_range(call, ranges.data() / kSteps8 * (ranges.weight() / kSteps8) * kSteps32);
  const ConvShape s = conv_shape(call, call.in[0], call.out[0]);
  if (s.empty()) return;
  with_unit(call,
            [&](auto unit, auto element) { conv_of<decltype(unit), decltype(element)>(call, s); });
}

// params: rows, hidden, features.
void connected(const Call& call) {
  const Ranges ranges(call);
  const double steps = call.in[0].dtype == DType::u8 ? 255 : kSteps8;
  write_range(call, ranges.data() / steps * (ranges.weight() / kSteps8) * kSteps32);
  const auto param = [&](int i) { return static_cast<Int>(call.params[i]); };
  if (param(0) == 0 || param(1) == 0) return;
  with_unit(call, [&](auto unit, auto element) {
    connected_of<decltype(unit), decltype(element)>(call, param(0), param(1), param(2));
  });
}

}  // namespace
}  // namespace baryon::BARYON_ISA

BARYON_REGISTER(quantized) {
  using namespace baryon::BARYON_ISA;
  add("_contrib_quantized_conv", conv, takes_bytes);
  add("_contrib_quantized_fully_connected", connected, takes_bytes);
}
