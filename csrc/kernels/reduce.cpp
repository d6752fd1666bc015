// Reductions over any axes, and broadcasts of one tensor.
//
// A call's dimensions are collapsed to alternating kept and reduced ones. Floating-point values
// are combined in double (short runs of a float sum in float lanes first), integers in 64 bits, so
// a float32 sum of any length is as exact as its rounding. The cut into partial results depends
// on the shapes alone: results do not vary with the number of threads.
#include <cmath>

#include "reduce_loops.h"

namespace baryon::BARYON_ISA {
namespace {

// ---- the shape of a reduction -------------------------------------------------------------------

struct Dims {
  int count = 0;
  Index size[kMaxDim], stride[kMaxDim];

  Index total() const {
    Index n = 1;
    for (int i = 0; i < count; ++i) n *= size[i];
    return n;
  }
  // Offset of the element with this linear index over these dimensions.
  Index offset(Index linear) const {
    Index sum = 0;
    for (int i = count - 1; i >= 0; --i) {
      sum += linear % size[i] * stride[i];
      linear /= size[i];
    }
    return sum;
  }
};

struct Layout {
  Dims kept, reduced;         // outer dimensions of either kind, slowest first
  Index length = 1;           // of the innermost dimension, which is contiguous
  bool inner_reduced = true;  // its kind
};

// params[first...]: the reduced axes of the input.
Layout layout_of(const Tensor& in, const double* params, int n_params) {
  bool reduced[kMaxDim] = {};
  for (int i = 0; i < n_params; ++i) reduced[static_cast<int>(params[i])] = true;
  Index size[kMaxDim];
  bool kind[kMaxDim];
  int count = 0;
  for (int i = 0; i < in.ndim; ++i) {
    if (in.shape[i] == 1) continue;
    if (count > 0 && kind[count - 1] == reduced[i]) {
      size[count - 1] *= in.shape[i];
    } else {
      size[count] = in.shape[i];
      kind[count++] = reduced[i];
    }
  }
  Layout layout;
  if (count == 0) return layout;
  layout.length = size[count - 1];
  layout.inner_reduced = kind[count - 1];
  Index stride[kMaxDim];
  stride[count - 1] = 1;
  for (int i = count - 2; i >= 0; --i) stride[i] = stride[i + 1] * size[i + 1];
  for (int i = 0; i < count - 1; ++i) {
    Dims& dims = kind[i] ? layout.reduced : layout.kept;
    dims.size[dims.count] = size[i];
    dims.stride[dims.count++] = stride[i];
  }
  return layout;
}

// ---- the driver ---------------------------------------------------------------------------------

constexpr Index kNarrow = 32;      // columns up to which neighbouring rows are joined
constexpr Index kTile = 1024;      // columns combined at a time: their results stay in cache
constexpr Index kSegment = 65536;  // elements of a long run, or of a partial result

// How a result becomes an output element.
struct Finish {
  double scale = 1;  // divisor of a mean
  bool mean = false, root = false;
};

void store(DType dtype, const void* results, Index n, const Finish& finish, void* out, Index at_) {
  const auto each = [&](auto* to, const auto* from) {
    using T = std::remove_pointer_t<decltype(to)>;
    using A = std::remove_cv_t<std::remove_pointer_t<decltype(from)>>;
    for (Index i = 0; i < n; ++i) {
      A x = from[i];
      if constexpr (std::is_same_v<T, bool>) {
        to[at_ + i] = x != A(0);
      } else if constexpr (std::is_integral_v<T>) {
        const T sum = static_cast<T>(x);  // integers are summed in their own type
        to[at_ + i] = finish.mean ? static_cast<T>(static_cast<double>(sum) / finish.scale) : sum;
      } else {
        if (finish.mean) x /= finish.scale;
        if (finish.root) x = std::sqrt(x);
        if constexpr (std::is_same_v<T, Half> || std::is_same_v<T, BFloat>) {
          from_float(static_cast<float>(x), to[at_ + i]);
        } else {
          to[at_ + i] = static_cast<T>(x);
        }
      }
    }
  };
  const double* real = static_cast<const double*>(results);
  const std::int64_t* whole = static_cast<const std::int64_t*>(results);
  switch (dtype) {
    case DType::f32:
      return each(static_cast<float*>(out), real);
    case DType::f64:
      return each(static_cast<double*>(out), real);
    case DType::f16:
      return each(static_cast<Half*>(out), real);
    case DType::bf16:
      return each(static_cast<BFloat*>(out), real);
    case DType::i32:
      return each(static_cast<std::int32_t*>(out), whole);
    case DType::i64:
      return each(static_cast<std::int64_t*>(out), whole);
    case DType::i8:
      return each(static_cast<std::int8_t*>(out), whole);
    case DType::u8:
      return each(static_cast<std::uint8_t*>(out), whole);
    case DType::b8:
      return each(static_cast<bool*>(out), whole);
  }
}

// One reduction, cut into tasks. A task combines, for one outer kept index and one tile of kept
// columns, one range of the reduced rows.
class Reduction {
 public:
  Reduction(const Table& table, const Call& call, const double* axes, int n_axes, Finish finish)
      : dtype_(call.in[0].dtype),
        item_(item_size(dtype_)),
        loops_(table.of(dtype_)),
        in_(call.in[0].as<char>()),
        out_(call.out[0]),
        layout_(layout_of(call.in[0], axes, n_axes)),
        finish_(finish) {
    // A long reduced run counts as several rows.
    segment_ = layout_.inner_reduced ? std::min(layout_.length, kSegment) : layout_.length;
    segments_ = layout_.inner_reduced ? (layout_.length + kSegment - 1) / kSegment : 1;
    rows_ = layout_.reduced.total() * segments_;
    outer_ = layout_.kept.total();
    columns_ = layout_.inner_reduced ? 1 : layout_.length;
    // Few results of many elements: partial results of ranges of rows.
    const Index results = outer_ * columns_, tiles = outer_ * ((columns_ + kTile - 1) / kTile);
    const Index row = layout_.inner_reduced ? segment_ : std::min(columns_, kTile);
    rows_per_part_ = rows_;
    if (tiles < 32) rows_per_part_ = std::max<Index>(1, kSegment / std::max<Index>(row, 1));
    if (results * parts() > 1 << 20) rows_per_part_ = rows_;
    tile_ = columns_ < kTile ? columns_ : kTile;
  }

  void run() {
    if (out_.size() == 0) return;
    if (rows_ == 1 && layout_.inner_reduced && layout_.kept.count <= 1) return adjacent();
    if (parts() <= 1) return whole();
    const Index results = outer_ * columns_;
    Scratch<double> partial(results * parts());  // as large as an int64
    const Index tasks = tiles() * outer_ * parts();
    parallel_for(tasks, grain(rows_per_part_), [&](Index first, Index last) {
      for (Index t = first; t < last; ++t) {
        const Index part = t % parts(), place = t / parts();
        const Index begin = part * rows_per_part_;
        combine(place, begin, std::min(begin + rows_per_part_, rows_),
                partial.get() + part * results + results_at(place));
      }
    });
    for (Index part = 1; part < parts(); ++part)
      loops_.merge(partial.get(), partial.get() + part * results, results);
    store(dtype_, partial.get(), results, finish_, out_.data, 0);
  }

 private:
  // Results of neighbouring contiguous runs, stored many at a time.
  void adjacent() {
    const Index length = layout_.length;
    parallel_for(outer_, grain(1), [&](Index first, Index last) {
      double results[kTile];
      for (Index i = first; i < last; i += kTile) {
        const Index n = std::min(kTile, last - i);
        if (length < kPartials && !is_half(dtype_)) {
          loops_.short_runs(in_ + i * length * item_, n, length, results);
        } else {
          loops_.begin(results, n);
          for (Index k = 0; k < n; ++k)
            feed(loops_.along, in_ + (i + k) * length * item_, length, results + k);
        }
        store(dtype_, results, n, finish_, out_.data, i);
      }
    });
  }

  // Without partial results: every task finishes its outputs.
  void whole() {
    parallel_for(tiles() * outer_, grain(rows_), [&](Index first, Index last) {
      double results[kTile];
      for (Index place = first; place < last; ++place) {
        combine(place, 0, rows_, results);
        store(dtype_, results, width(place), finish_, out_.data, results_at(place));
      }
    });
  }

  // Rows [begin, end) of one place into `results`.
  void combine(Index place, Index begin, Index end, double* results) const {
    const Index base = layout_.kept.offset(place / tiles()) + place % tiles() * tile_;
    loops_.begin(results, width(place));
    if (!layout_.inner_reduced && columns_ <= kNarrow)
      return narrow_rows(base, begin, end, results);
    Index row = begin;
    if (!layout_.inner_reduced && !is_half(dtype_)) {
      for (; row + 4 <= end; row += 4) {
        const void* rows[4];
        for (Index k = 0; k < 4; ++k)
          rows[k] = in_ + (base + layout_.reduced.offset(row + k)) * item_;
        loops_.across_four(rows, width(place), results);
      }
    }
    for (; row < end; ++row) {
      const Index segment = row % segments_ * kSegment;
      const char* from = in_ + (base + layout_.reduced.offset(row / segments_) + segment) * item_;
      if (layout_.inner_reduced) {
        feed(loops_.along, from, std::min(kSegment, layout_.length - segment), results);
      } else {
        feed(loops_.across, from, width(place), results);
      }
    }
  }

  // The same for rows of a few columns: neighbouring rows count as one wide row, which is folded
  // at the end.
  void narrow_rows(Index base, Index begin, Index end, double* results) const {
    double wide[kTile];
    const Index fold = kTile / columns_;
    const int last = layout_.reduced.count - 1;
    const Index run = last < 0 ? 1 : layout_.reduced.size[last];
    loops_.begin(wide, fold * columns_);
    for (Index row = begin; row < end;) {
      const Index n = std::min({fold, end - row, run - row % run});
      feed(loops_.across, in_ + (base + layout_.reduced.offset(row)) * item_, n * columns_, wide);
      row += n;
    }
    for (Index i = 0; i < fold; ++i) loops_.merge(results, wide + i * columns_, columns_);
  }

  // Contiguous elements through one of the loops.
  void feed(ElementsFn loop, const char* from, Index n, double* results) const {
    if (!is_half(dtype_)) return loop(from, n, results);
    alignas(64) float buffer[kBlock];
    buffer[0] = 0;  // GCC cannot see that blocks are never empty
    for (Index i = 0; i < n; i += kBlock) {
      const Index count = std::min(kBlock, n - i);
      widen(dtype_, from + i * item_, buffer, count);
      loop(buffer, count, loop == loops_.along ? results : results + i);
    }
  }

  Index parts() const { return rows_ == 0 ? 1 : (rows_ + rows_per_part_ - 1) / rows_per_part_; }
  Index tiles() const { return columns_ == 0 ? 0 : (columns_ + tile_ - 1) / tile_; }
  Index width(Index place) const { return std::min(tile_, columns_ - place % tiles() * tile_); }
  Index results_at(Index place) const {
    return place / tiles() * columns_ + place % tiles() * tile_;
  }
  // Tasks of `rows` rows that make a chunk worth another thread.
  Index grain(Index rows) const {
    const Index work = rows * (layout_.inner_reduced ? segment_ : tile_);
    return std::max<Index>(1, kGrain / std::max<Index>(work, 1));
  }

  DType dtype_;
  Index item_;
  const Loops& loops_;
  const char* in_;
  const Tensor& out_;
  Layout layout_;
  Finish finish_;
  Index segment_, segments_, rows_, outer_, columns_, rows_per_part_, tile_;
};

template <class Op>
constexpr Table kTable =
    table<Op, float, double, std::int32_t, std::int64_t, std::int8_t, std::uint8_t, bool>();
template <class Op>
constexpr Table kReal = table<Op, float, double>();

template <const Table& table>
bool accepts(const Call& call) {
  const DType dtype = call.in[0].dtype;
  return dtype == call.out[0].dtype && table.of(dtype).along != nullptr;
}

template <const Table& table>
void run(const Call& call) {
  Reduction(table, call, call.params, call.n_params, {}).run();
}

void mean(const Call& call) {
  Finish finish;
  finish.mean = call.in[0].dtype != DType::b8;
  for (int i = 0; i < call.n_params; ++i)
    finish.scale *= static_cast<double>(call.in[0].shape[static_cast<int>(call.params[i])]);
  Reduction(kTable<Sum>, call, call.params, call.n_params, finish).run();
}

// params[0]: the order, 1 or 2.
void norm(const Call& call) {
  const bool two = call.params[0] == 2;
  Finish finish;
  finish.root = two;
  const Table& table = two ? kReal<SumSquares> : kReal<SumAbs>;
  Reduction(table, call, call.params + 1, call.n_params - 1, finish).run();
}

// Products and extremes of an empty set: the body knows what NumPy says.
template <const Table& table>
bool accepts_nonempty(const Call& call) {
  return accepts<table>(call) && (call.in[0].size() > 0 || call.out[0].size() == 0);
}

bool accepts_mean(const Call& call) {
  return accepts<kTable<Sum>>(call) && (call.in[0].size() > 0 || call.out[0].size() == 0);
}

}  // namespace
}  // namespace baryon::BARYON_ISA

BARYON_REGISTER(reduce) {
  using namespace baryon::BARYON_ISA;
#define REDUCTION(name, Op) add(name, run<kTable<Op>>, accepts<kTable<Op>>)
  REDUCTION("sum", Sum);
  REDUCTION("nansum", NanSum);
  REDUCTION("prod", Prod);
  REDUCTION("nanprod", NanProd);
#undef REDUCTION
  add("max", run<kTable<Max>>, accepts_nonempty<kTable<Max>>);
  add("min", run<kTable<Min>>, accepts_nonempty<kTable<Min>>);
  add("mean", mean, accepts_mean);
  add("norm", norm, accepts<kReal<SumSquares>>);
}
