// Joining arrays along an axis and splitting them: runs copied between one array and several.
#include "move.h"

namespace baryon::BARYON_ISA {
namespace {

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

// Calls move(part, run of the part, run of the whole, bytes) for every run, on all threads.
template <class Move>
void runs(const Call& call, const Tensor& whole, const Tensor* parts, int count, const Move& move) {
  const std::int64_t outer = integer(call.params[0]), size = item_size(whole.dtype);
  if (whole.size() == 0) return;
  const std::int64_t row = whole.size() / outer * size;
  std::int64_t start = 0;
  // Long runs are cut as well, so that few rows still occupy all threads.
  for (int i = 0; i < count; ++i) {
    const std::int64_t run = parts[i].size() / outer * size;
    if (run == 0) continue;
    char* part = parts[i].as<char>();
    char* all = whole.as<char>() + start;
    if (outer == 1) {
      parallel_for(run, kChunkBytes, [&](std::int64_t begin, std::int64_t end) {
        move(part + begin, all + begin, end - begin);
      });
    } else {
      parallel_for(outer, kChunkBytes / run + 1, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t k = begin; k < end; ++k) move(part + k * run, all + k * row, run);
      });
    }
    start += run;
  }
}

// Short runs are moved in words that the compiler keeps in registers.
inline void move_bytes(char* to, const char* from, std::int64_t bytes) {
  if (bytes == 4) {
    std::memcpy(to, from, 4);
  } else if (bytes == 8) {
    std::memcpy(to, from, 8);
  } else {
    std::memcpy(to, from, static_cast<std::size_t>(bytes));
  }
}

bool accepts_concat(const Call& call) {
  return call.n_out == 1 && call.n_in >= 1 && divides(call, call.out[0], call.in, call.n_in);
}

void concat(const Call& call) {
  runs(call, call.out[0], call.in, call.n_in,
       [](char* part, char* all, std::int64_t bytes) { move_bytes(all, part, bytes); });
}

bool accepts_split(const Call& call) {
  return call.n_in == 1 && call.n_out >= 1 && divides(call, call.in[0], call.out, call.n_out);
}

void split(const Call& call) {
  runs(call, call.in[0], call.out, call.n_out,
       [](char* part, char* all, std::int64_t bytes) { move_bytes(part, all, bytes); });
}

}  // namespace
}  // namespace baryon::BARYON_ISA

BARYON_REGISTER(join) {
  using namespace baryon::BARYON_ISA;
  add("Concat", concat, accepts_concat);
  add("SliceChannel", split, accepts_split);
}
