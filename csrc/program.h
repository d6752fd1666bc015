// A Program: a flat list of kernel calls over one arena, external arrays and constants.
//
// Everything that could go wrong is checked when a program is made or bound; the loop only calls.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "kernel.h"

namespace baryon {

enum class Space { arena, external, constant };

// Where a tensor of an instruction lies: a byte offset into the arena, or an index.
struct Ref {
  Space space;
  std::int64_t offset;
  Tensor tensor;  // its data is only set for constants
};

struct Instruction {
  std::string name;  // the kernel's, or what the callback is called in messages
  int callback;      // the host's number of it; -1: a kernel
  std::vector<Ref> ins, outs;
  std::vector<double> params;
  bool random;
};

// An external array as one run gives it; none where the run does not touch it.
struct External {
  void* data = nullptr;
  bool given = false;
  bool writeable = false;
};

struct Streams {
  std::uint64_t seed;
  std::uint64_t stream;  // of the program's first random instruction
};

// What runs keep of one external: the memory of each instruction that makes something of it.
class Keeper;
class StampOfMany;
class KeptMemory;

// Whoever runs instructions that are no kernels.
class Host {
 public:
  virtual ~Host() = default;
  virtual void call(const Instruction& instruction, const Call& call, Streams streams) = 0;
};

class Program {
 public:
  // Throws Error that names the instruction if a reference leaves its space, differs from the
  // external or constant it names, or a kernel does not accept its call.
  Program(std::vector<Instruction> instructions, std::vector<Tensor> externals,
          std::vector<Tensor> constants, std::int64_t arena_bytes);
  ~Program();

  // Runs instructions [begin, end). May be called by several threads at once. A clock is given the
  // monotonic time, in nanoseconds, before the first instruction and after each.
  // `stamps` of the externals that `kept` names, or none: as long as one stays the same and is not
  // zero, that external's values are the same, too.
  // `numbers` take the place of the last instructions' parameters, all of them, in this run.
  void run(std::size_t begin, std::size_t end, char* arena, const std::vector<External>& externals,
           const std::vector<std::uint64_t>& stamps, const std::vector<double>& numbers,
           Streams streams, Host& host, std::int64_t* clock = nullptr) const;

  std::size_t size() const { return steps_.size(); }
  std::int64_t arena_bytes() const { return arena_bytes_; }
  const std::vector<Tensor>& externals() const { return externals_; }
  // Externals of which kernels would keep something between runs; none is written by the program
  // or read by the host.
  const std::vector<std::int64_t>& kept() const { return kept_; }
  // Bytes of all that they would keep.
  std::int64_t kept_bytes() const { return kept_bytes_; }
  // Bytes that the kernels of a range touch.
  std::int64_t kernel_bytes(std::size_t begin, std::size_t end) const;

 private:
  struct Step {
    KernelFn kernel;  // null: the host's
    std::size_t first_tensor, first_param;
    int n_in, n_out, n_params;
    std::uint64_t ordinal;          // among the random instructions
    std::int64_t bytes_before;      // touched by the kernels of earlier steps
    Keeper* keeper;                 // or null
    StampOfMany* stamp;             // beside a keeper
    std::vector<std::size_t> kept;  // the places of its externals in `kept_`
  };
  struct Frame {  // tensors and parameters as one run sets them
    std::vector<Tensor> tensors;
    std::vector<double> params;
    std::size_t changed = 0;  // of the last parameters, which a run gave its own numbers
  };
  class Borrowed;

  void check(const Instruction& instruction, const Ref& ref, bool output) const;
  void add(Instruction& instruction);
  void add_keepers();
  const Step* step_like(std::size_t index) const;
  void add_keeper(std::size_t index, const std::vector<bool>& fixed);
  void execute(const Step& step, Call call, const std::vector<std::uint64_t>& stamps) const;
  static Call call_of(const Frame& frame, const Step& step);
  void number(Frame& frame, const std::vector<double>& numbers) const;
  void bind(Frame& frame, std::size_t begin, std::size_t end, char* arena,
            const std::vector<External>& externals, Streams streams) const;
  void bind_step(Frame& frame, std::size_t index, char* arena,
                 const std::vector<External>& externals) const;

  std::vector<Instruction> instructions_;
  std::vector<Step> steps_;
  std::vector<Tensor> externals_, constants_;
  std::int64_t arena_bytes_;
  std::uint64_t random_count_ = 0;
  std::size_t last_random_ = 0;  // where its parameters end
  std::int64_t bytes_ = 0, kept_bytes_ = 0;
  Frame blank_;
  std::vector<std::int64_t> kept_;
  std::vector<std::vector<std::size_t>> keeping_;  // steps with a keeper, by what it is of first
  std::unique_ptr<KeptMemory> memory_;             // of all keepers
  std::vector<std::unique_ptr<Keeper>> keepers_;
  std::vector<std::unique_ptr<StampOfMany>> kept_stamps_;
  mutable std::mutex mutex_;  // guards idle_
  mutable std::vector<std::unique_ptr<Frame>> idle_;
};

}  // namespace baryon
