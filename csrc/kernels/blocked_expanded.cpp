// A convolution of 1 x 1 windows and a depthwise one of its results, on channel-blocked images.
//
// What lies between is never written as a whole. A task computes some rows of a pair of blocks of
// filters: those rows of the first results that a row of windows reads go round in a ring that fits
// the first cache.
#include <algorithm>

#include "../kernel.h"
#include "../parallel.h"
#include "blocked_call.h"
#include "blocked_depthwise.h"
#include "blocked_finish.h"
#include "blocked_pack.h"

namespace baryon::BARYON_ISA {
namespace {

constexpr Int kFewest = 14;    // rows of a band: the first results beside it are computed twice
constexpr Int kWork = 131072;  // multiplications that are worth another thread

struct Product {
  ConvShape s;   // of the depthwise part, whose channels are the filters of the first
  Int channels;  // of the data
  const float *data, *weights;  // packed
  const float *bias, *scale;    // of the first part, as many as there are lanes
  Finish inner;
  const float* depth_weights;
  const float *depth_bias, *depth_scale;
  Finish finish;
  float* out;

  Int blocks() const { return parts(s.filters, kBlock); }
  Int groups() const { return parts(channels, kBlock); }
};

// The rows of first results that are at hand, for two blocks; columns beside the image are 0.
class Ring {
 public:
  explicit Ring(const ConvShape& s)
      : s_(s),
        rows_((s.kernel[1] - 1) * s.dilate[1] + 1),
        line_(line_of(s)),
        values_(2 * rows_ * line_) {
    std::fill_n(values_.get(), 2 * rows_ * line_, 0.0f);
    for (Int phase = 0; phase < rows_; ++phase) taps_.push_back(taps_at(phase));
  }

  Int rows() const { return rows_; }
  Int block() const { return rows_ * line_; }
  // Where row `y` of the image has its place in a block.
  Int slot(Int y) const { return (y % rows_ + rows_) % rows_; }
  // What the windows read that begin at the row in a slot.
  const Taps& taps(Int slot) const { return taps_[slot]; }
  const float* values(Int block) const { return values_.get() + block * rows_ * line_; }
  // The row in a slot, in the first block.
  float* row(Int slot) const { return values_.get() + slot * line_ + s_.pad[2] * kBlock; }
  void clear(Int slot) const {
    for (Int v = 0; v < 2; ++v) std::fill_n(row(slot) + v * block(), s_.in[2] * kBlock, 0.0f);
  }

 private:
  static Int line_of(const ConvShape& s) {
    const Int read = (s.out[2] - 1) * s.stride[2] + (s.kernel[2] - 1) * s.dilate[2] + 1;
    return std::max(read, s.pad[2] + s.in[2]) * kBlock;
  }

  Taps taps_at(Int phase) const {
    Taps taps;
    for_each_place(s_.kernel, [&](Int index, const Int3& at) {
      const Int row = (phase + at[1] * s_.dilate[1]) % rows_;
      taps.add(row * line_ + at[2] * s_.dilate[2] * kBlock, index * kBlock);
    });
    if (s_.stride[2] <= 2) taps.join();
    return taps;
  }

  const ConvShape& s_;
  Int rows_, line_;
  Scratch<float> values_;
  std::vector<Taps> taps_;
};

class Runner {
 public:
  explicit Runner(const Product& product)
      : p_(product),
        pair_tiles_(tiles_of(product.s.in[2], 2)),
        single_tiles_(tiles_of(product.s.in[2], 1)) {
    const Int plane = p_.s.in[1] * p_.s.in[2] * kBlock;
    for (Int g = 0; g < p_.groups(); ++g) terms_.push_back(g * plane);
  }

  // Bands of rows, and in them pairs of blocks: see DepthwiseRunner.
  void run() const {
    const Int pairs = parts(p_.blocks(), 2), threads = num_threads();
    const Int bands = std::clamp<Int>(p_.s.out[1] / kFewest, 1, threads);
    const Int work = p_.channels * 2 * kBlock * p_.s.in[1] * p_.s.in[2] / bands;
    parallel_for(p_.s.batch * bands * pairs, 1 + kWork / (1 + work), [&](Int begin, Int end) {
      const Ring ring(p_.s);
      const Scratch<float> depth(2 * p_.s.taps() * kBlock);
      for (Int i = begin; i < end; ++i) {
        const Int image = i / pairs / bands, band = i / pairs % bands, rows = p_.s.out[1];
        run_pair(image, i % pairs, rows * band / bands, rows * (band + 1) / bands, ring,
                 depth.get());
      }
    });
  }

 private:
  void run_pair(Int image, Int pair, Int begin, Int end, const Ring& ring, float* depth) const {
    const ConvShape& s = p_.s;
    const Int first = 2 * pair, vectors = std::min<Int>(2, p_.blocks() - first);
    const auto& tiles = vectors == 2 ? pair_tiles_ : single_tiles_;
    PixelTile tile = pixel_tile(first, ring);
    const float* data = p_.data + image * p_.groups() * s.in[1] * s.in[2] * kBlock;
    DepthwiseTile deep[2];
    for (Int v = 0; v < vectors; ++v)
      deep[v] = depth_tile(first + v, depth + v * s.taps() * kBlock);
    const DepthwiseRow row(s.out[2], deep[0].step, ring.taps(0));
    const auto after = [&](Int slot) { return slot + 1 == ring.rows() ? 0 : slot + 1; };
    Int next = begin * s.stride[1] - s.pad[1], slot = ring.slot(next);
    for (Int y = begin; y < end; ++y) {
      const Int top = y * s.stride[1] - s.pad[1];
      if (next < top) {
        next = top;
        slot = ring.slot(next);
      }
      for (; next < top + ring.rows(); ++next, slot = after(slot)) {
        if (next < 0 || next >= s.in[1]) {
          ring.clear(slot);
        } else {
          run_row(tiles, tile, data + next * s.in[2] * kBlock, ring.row(slot));
        }
      }
      // (After a whole round the slot is that of the first row.)
      for (Int v = 0; v < vectors; ++v) {
        const Int plane = image * p_.blocks() + first + v;
        row.run(deep[v], ring.taps(slot), ring.values(v),
                p_.out + (plane * s.out[1] + y) * s.out[2] * kBlock);
      }
    }
  }

  PixelTile pixel_tile(Int block, const Ring& ring) const {
    PixelTile tile{};
    tile.terms = terms_.data();
    tile.count = p_.groups();
    tile.lanes = static_cast<int>(p_.channels % kBlock);
    tile.cut = tile.lanes == 0 ? 0 : 1;
    tile.weights = p_.weights + block * kBlock * p_.channels;
    tile.bias = p_.bias + block * kBlock;
    tile.scale = p_.scale + block * kBlock;
    tile.to_pixel = kBlock;
    tile.to_block = ring.block();
    tile.finish = p_.inner;
    return tile;
  }

  DepthwiseTile depth_tile(Int block, float* weights) const {
    const Int taps = p_.s.taps();
    pack_depthwise_block(p_.s, p_.depth_weights, block, weights);
    scale_depthwise(weights, p_.depth_scale + block * kBlock, taps, weights);
    DepthwiseTile tile{};
    tile.weights = weights;
    tile.bias = p_.depth_bias + block * kBlock;
    tile.step = p_.s.stride[2] * kBlock;
    tile.to_step = kBlock;
    tile.finish = p_.finish;
    return tile;
  }

  using Tiles = std::vector<std::pair<Int, PixelFn>>;

  static Tiles tiles_of(Int columns, Int vectors) {
    Tiles found;
    const Int tiles = parts(columns, vectors == 2 ? kPairRows : kSingleRows);
    for (Int t = 0; t < tiles; ++t) {
      const Int x = columns * t / tiles, end = columns * (t + 1) / tiles;
      found.emplace_back(x, pixels_of(end - x, vectors, true));
    }
    return found;
  }

  // A row of first results.
  static void run_row(const Tiles& tiles, PixelTile& tile, const float* from, float* to) {
    for (const auto& [x, run] : tiles) {
      tile.from = from + x * kBlock;
      tile.to = to + x * kBlock;
      run(tile);
    }
  }

  const Product& p_;
  std::vector<Int> terms_;
  const Tiles pair_tiles_, single_tiles_;
};

// The first part as a convolution.
ConvShape first_of(const Call& call, const ConvShape& s) {
  ConvShape one = s;
  one.groups = 1;
  one.channels = call.in[1].shape[1];
  one.out = one.in;
  one.kernel = one.stride = one.dilate = {1, 1, 1};
  one.pad = {0, 0, 0};
  return one;
}

// data, weight, bias, scale, then the latter three of the depthwise part[, addend] -> out. Behind
// its params: the bounds of the first results and 0, its own, and whether there is an addend.
void forward(const Call& call) {
  const auto in = [&](int i) { return call.in[i].as<float>(); };
  Product p{};
  p.s = shape_of(call, call.in[0], call.in[4], call.out[0]);
  if (p.s.batch == 0 || volume(p.s.out) == 0) return;
  const ConvShape one = first_of(call, p.s);
  const ByLanes bias(in(2), p.s.filters), scale(in(3), p.s.filters);
  const ByLanes depth_bias(in(5), p.s.filters), depth_scale(in(6), p.s.filters);
  const Int numbers = p.blocks() * kBlock * one.channels;
  const Scratch<float> packed(call.kept == nullptr ? numbers : 0);
  p.channels = one.channels;
  p.data = in(0);
  p.weights = made(call, packed, [&](float* to) { pack_forward(one, in(1), kBlock, to); });
  p.bias = bias.get();
  p.scale = scale.get();
  p.inner = finish_of(call, call.n_params - 6, 0);
  p.depth_weights = in(4);
  p.depth_bias = depth_bias.get();
  p.depth_scale = depth_scale.get();
  p.finish = finish_of(call, call.n_params - 3, 7);
  p.out = call.out[0].as<float>();
  Runner(p).run();
}

std::int64_t kept_bytes(const Call& call) {
  const Tensor &weight = call.in[1], &out = call.out[0];
  return out.shape[1] * kBlock * weight.shape[1] * static_cast<Int>(sizeof(float));
}

bool fits(const Call& call) {
  const Tensor &data = call.in[0], &weight = call.in[1], &depth = call.in[4], &out = call.out[0];
  const int rank = out.ndim - 3;
  if (!same_dtype<DType::f32>(call) || (rank != 1 && rank != 2) || !is_blocked(data, rank) ||
      !is_blocked(out, rank) || weight.ndim != rank + 2 || depth.ndim != rank + 2)
    return false;
  const Int filters = weight.shape[0];
  if (data.shape[1] != parts(weight.shape[1], kBlock) || out.shape[1] != parts(filters, kBlock))
    return false;
  for (const int i : {2, 3, 5, 6})
    if (call.in[i].size() != filters) return false;
  return depth.shape[0] == filters && depth.shape[1] == 1 &&
         static_cast<Int>(call.params[0]) == filters;
}

}  // namespace
}  // namespace baryon::BARYON_ISA

BARYON_REGISTER(blocked_expanded) {
  using namespace baryon;
  using namespace baryon::BARYON_ISA;
  add("_blocked__expanded_Convolution", forward, fits, kept_bytes);
}
