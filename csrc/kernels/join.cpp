// Joining arrays along an axis and splitting them: runs copied between one array and several.
#include "move.h"
#include "stream.h"

namespace baryon::BARYON_ISA {
namespace {

constexpr std::int64_t kShortRow = 2048;  // bytes

// The one parameter is the number of runs before the axis; whole and parts divide into as many.
bool divides(const Call& call, const Tensor& whole, const Tensor* parts, int count) {
  if (call.n_params != 1 || !is_integer(call.params[0], 0, 0x1p53)) return false;
  const std::int64_t outer = integer(call.params[0]);
  std::int64_t total = 0;
  for (int i = 0; i < count; ++i) {
    if (parts[i].dtype != whole.dtype) return false;
    if (outer != 0 && parts[i].size() % outer != 0) return false;
    total += parts[i].size();
  }
  return total == whole.size();
}

// One run between a part and the whole.
template <bool kJoin>
inline void move_run(char* part, char* all, std::int64_t bytes, bool stream) {
  char *to = kJoin ? all : part, *from = kJoin ? part : all;
  if (stream && bytes >= kStreamRow) {
    stream_run(to, from, bytes);
  } else {
    std::memcpy(to, from, static_cast<std::size_t>(bytes));
  }
}

// `rows` runs between a part and the whole, which has one every `row` bytes; runs of one element in
// words that the compiler keeps in registers.
template <bool kJoin, int kBytes>
void move_words(char* part, char* all, std::int64_t row, std::int64_t rows) {
  for (std::int64_t k = 0; k < rows; ++k)
    std::memcpy(kJoin ? all + k * row : part + k * kBytes,
                kJoin ? part + k * kBytes : all + k * row, kBytes);
}
template <bool kJoin>
void move_runs(char* part, char* all, std::int64_t bytes, std::int64_t row, std::int64_t rows,
               bool stream) {
  if (bytes == 4) return move_words<kJoin, 4>(part, all, row, rows);
  if (bytes == 8) return move_words<kJoin, 8>(part, all, row, rows);
  for (std::int64_t k = 0; k < rows; ++k)
    move_run<kJoin>(part + k * bytes, all + k * row, bytes, stream);
}

// All runs: long ones in the order of the whole, which threads cut anywhere; short ones part by
// part over a few rows.
template <bool kJoin>
void move_all(const Call& call, const Tensor& whole, const Tensor* parts, int count) {
  const std::int64_t outer = integer(call.params[0]), size = item_size(whole.dtype);
  const std::int64_t total = whole.size() * size;
  if (total == 0) return;
  const std::int64_t row = total / outer;
  char* all = whole.as<char>();
  const bool stream = total >= kStreamBytes;
  const auto run = [&](int i) { return parts[i].size() / outer * size; };
  if (row <= kShortRow) {
    const std::int64_t block = kChunkBytes / row;
    parallel_for(outer, block, [&](std::int64_t k, std::int64_t end) {
      for (; k < end; k += block) {
        char* start = all + k * row;
        for (int i = 0; i < count; ++i) {
          const std::int64_t n = run(i);
          move_runs<kJoin>(parts[i].as<char>() + k * n, start, n, row, std::min(block, end - k),
                           stream);
          start += n;
        }
      }
      if (stream) stream_end();
    });
    return;
  }
  parallel_for(total, kChunkBytes, [&](std::int64_t at, std::int64_t end) {
    std::int64_t k = at / row, offset = at % row;
    int i = 0;
    while (offset >= run(i)) offset -= run(i++);
    for (; at < end; offset = 0) {
      const std::int64_t length = run(i), n = std::min(length - offset, end - at);
      move_run<kJoin>(parts[i].as<char>() + k * length + offset, all + at, n, stream);
      at += n;
      i = i + 1 < count ? i + 1 : 0;
      k += i == 0;
    }
    if (stream) stream_end();
  });
}

bool accepts_concat(const Call& call) {
  return call.n_out == 1 && call.n_in >= 1 && divides(call, call.out[0], call.in, call.n_in);
}
void concat(const Call& call) { move_all<true>(call, call.out[0], call.in, call.n_in); }

bool accepts_split(const Call& call) {
  return call.n_in == 1 && call.n_out >= 1 && divides(call, call.in[0], call.out, call.n_out);
}
void split(const Call& call) { move_all<false>(call, call.in[0], call.out, call.n_out); }

}  // namespace
}  // namespace baryon::BARYON_ISA

BARYON_REGISTER(join) {
  using namespace baryon::BARYON_ISA;
  add("Concat", concat, accepts_concat);
  add("SliceChannel", split, accepts_split);
}
