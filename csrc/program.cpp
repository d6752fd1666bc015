#include "program.h"

#include <algorithm>
#include <chrono>
#include <string_view>
#include <utility>

#include "error.h"
#include "keeper.h"
#include "registry.h"
#include "types.h"

namespace baryon {
namespace {

constexpr int kStreamParams = 3;  // seed high, seed low, stream

[[noreturn]] void refuse(std::size_t index, const std::string& name, const std::string& why) {
  throw Error("program instruction " + std::to_string(index) + " (" + name + "): " + why);
}

bool same_bytes(const Tensor& a, const Tensor& b) {
  return a.dtype == b.dtype && a.size() == b.size();
}

const Tensor* at(const std::vector<Tensor>& list, std::int64_t index) {
  return index >= 0 && index < static_cast<std::int64_t>(list.size()) ? &list[index] : nullptr;
}

std::int64_t now() {
  const auto time = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(time).count();
}

}  // namespace

Program::Program(std::vector<Instruction> instructions, std::vector<Tensor> externals,
                 std::vector<Tensor> constants, std::int64_t arena_bytes)
    : instructions_(std::move(instructions)),
      externals_(std::move(externals)),
      constants_(std::move(constants)),
      arena_bytes_(arena_bytes),
      memory_(std::make_unique<KeptMemory>()) {
  if (arena_bytes < 0) throw Error("program: arena_bytes is negative");
  for (Instruction& instruction : instructions_) {
    for (const Ref& ref : instruction.ins) check(instruction, ref, false);
    for (const Ref& ref : instruction.outs) check(instruction, ref, true);
    add(instruction);
  }
  add_keepers();
}

Program::~Program() = default;

void Program::check(const Instruction& instruction, const Ref& ref, bool output) const {
  const std::size_t index = steps_.size();
  const auto fail = [&](const std::string& why) {
    refuse(index, instruction.name,
           std::string(output ? "output " : "input ") + describe(ref.tensor) + " " + why);
  };
  if (ref.space == Space::arena) {
    const std::int64_t bytes = bytes_of(ref.tensor);
    if (ref.offset < 0 || bytes > arena_bytes_ || ref.offset > arena_bytes_ - bytes) {
      fail("at offset " + std::to_string(ref.offset) + " leaves the arena of " +
           std::to_string(arena_bytes_) + " bytes");
    }
    if (ref.offset % item_bytes(ref.tensor.dtype) != 0) fail("is not aligned");
    return;
  }
  const bool external = ref.space == Space::external;
  const std::string what = (external ? "external " : "constant ") + std::to_string(ref.offset);
  const Tensor* given = at(external ? externals_ : constants_, ref.offset);
  if (given == nullptr) fail("names " + what + ", which does not exist");
  if (!same_bytes(*given, ref.tensor)) fail("differs from " + what + ", " + describe(*given));
  if (output && !external) fail("would be written to " + what);
}

void Program::add(Instruction& instruction) {
  const std::size_t index = steps_.size();
  Step step{};
  step.first_tensor = blank_.tensors.size();
  step.first_param = blank_.params.size();
  step.n_in = static_cast<int>(instruction.ins.size());
  step.n_out = static_cast<int>(instruction.outs.size());
  step.ordinal = random_count_;
  step.bytes_before = bytes_;
  std::int64_t bytes = 0;
  for (std::vector<Ref>* refs : {&instruction.ins, &instruction.outs}) {
    for (Ref& ref : *refs) {
      if (ref.space == Space::constant) ref.tensor.data = constants_[ref.offset].data;
      blank_.tensors.push_back(ref.tensor);
      bytes += bytes_of(ref.tensor);
    }
  }
  blank_.params.insert(blank_.params.end(), instruction.params.begin(), instruction.params.end());
  if (instruction.random) {
    ++random_count_;
    blank_.params.resize(blank_.params.size() + kStreamParams);
  }
  if (instruction.random) last_random_ = blank_.params.size();
  step.n_params = static_cast<int>(blank_.params.size() - step.first_param);
  if (instruction.callback < 0) {
    const Kernel* kernel = find_kernel(instruction.name);
    if (kernel == nullptr) refuse(index, instruction.name, "there is no such kernel");
    if (!kernel->accepts(call_of(blank_, step))) {
      std::string text = "the kernel does not accept";
      for (const Ref& ref : instruction.ins) text += " " + describe(ref.tensor);
      text += " ->";
      for (const Ref& ref : instruction.outs) text += " " + describe(ref.tensor);
      refuse(index, instruction.name, text);
    }
    step.kernel = kernel->run;
    bytes_ += bytes;
  }
  steps_.push_back(step);
}

// Externals are kept track of that only kernels touch, and these only read.
void Program::add_keepers() {
  std::vector<bool> fixed(externals_.size(), true);
  for (const Instruction& instruction : instructions_) {
    for (const Ref& ref : instruction.outs)
      if (ref.space == Space::external) fixed[ref.offset] = false;
    for (const Ref& ref : instruction.ins)
      if (ref.space == Space::external && instruction.callback >= 0) fixed[ref.offset] = false;
  }
  for (std::size_t i = 0; i < size(); ++i) add_keeper(i, fixed);
}

void Program::add_keeper(std::size_t index, const std::vector<bool>& fixed) {
  Step& step = steps_[index];
  const Kernel* kernel = step.kernel == nullptr ? nullptr : find_kernel(instructions_[index].name);
  if (kernel == nullptr || kernel->keeps == nullptr || step.n_in < 2) return;
  const Call call = call_of(blank_, step);
  const InputRange of = kernel->kept == nullptr ? InputRange{1, 2} : kernel->kept(call);
  const std::vector<Ref>& ins = instructions_[index].ins;
  for (int i = of.first; i < of.last; ++i)
    if (ins[i].space != Space::external || !fixed[ins[i].offset]) return;
  const std::int64_t bytes = kernel->keeps(call);
  if (bytes == 0) return;
  for (int i = of.first; i < of.last; ++i) {
    const auto known = std::find(kept_.begin(), kept_.end(), ins[i].offset);
    step.kept.push_back(static_cast<std::size_t>(known - kept_.begin()));
    if (known == kept_.end()) kept_.push_back(ins[i].offset);
  }
  keeping_.resize(kept_.size());
  if (const Step* like = step_like(index)) {
    step.keeper = like->keeper;
    step.stamp = like->stamp;
    return;
  }
  keeping_[step.kept[0]].push_back(index);
  kept_bytes_ += bytes;
  keepers_.push_back(std::make_unique<Keeper>(*memory_, bytes));
  kept_stamps_.push_back(std::make_unique<StampOfMany>());
  step.keeper = keepers_.back().get();
  step.stamp = kept_stamps_.back().get();
}

// An earlier step that makes the same of the same weights, for other samples; or null.
const Program::Step* Program::step_like(std::size_t index) const {
  const auto alike = [](const Tensor& a, const Tensor& b) {
    return a.dtype == b.dtype && a.ndim == b.ndim && std::equal(a.shape, a.shape + a.ndim, b.shape);
  };
  const Step& step = steps_[index];
  const Call call = call_of(blank_, step);
  for (const std::size_t i : keeping_[step.kept[0]]) {
    const Step& other = steps_[i];
    if (other.kernel != step.kernel || other.kept != step.kept) continue;
    const Call its = call_of(blank_, other);
    if (std::equal(call.in, call.in + call.n_in, its.in, its.in + its.n_in, alike) &&
        std::equal(call.out, call.out + call.n_out, its.out, its.out + its.n_out, alike) &&
        std::equal(call.params, call.params + call.n_params, its.params, its.params + its.n_params))
      return &other;
  }
  return nullptr;
}

Call Program::call_of(const Frame& frame, const Step& step) {
  const Tensor* tensors = frame.tensors.data() + step.first_tensor;
  const double* params = frame.params.data() + step.first_param;
  return {tensors, step.n_in, tensors + step.n_in, step.n_out, params, step.n_params};
}

std::int64_t Program::kernel_bytes(std::size_t begin, std::size_t end) const {
  const auto before = [&](std::size_t i) { return i < size() ? steps_[i].bytes_before : bytes_; };
  return before(end) - before(begin);
}

// ---- running ----------------------------------------------------------------------------------

// A frame that no other run uses.
class Program::Borrowed {
 public:
  explicit Borrowed(const Program& program) : program_(program) {
    const std::lock_guard lock(program.mutex_);
    if (!program.idle_.empty()) {
      frame_ = std::move(program.idle_.back());
      program.idle_.pop_back();
    }
    if (!frame_) frame_ = std::make_unique<Frame>(program.blank_);
  }
  ~Borrowed() {
    const std::lock_guard lock(program_.mutex_);
    program_.idle_.push_back(std::move(frame_));
  }
  Borrowed(const Borrowed&) = delete;
  Borrowed& operator=(const Borrowed&) = delete;
  Frame& frame() { return *frame_; }

 private:
  const Program& program_;
  std::unique_ptr<Frame> frame_;
};

void Program::bind(Frame& frame, std::size_t begin, std::size_t end, char* arena,
                   const std::vector<External>& externals, Streams streams) const {
  for (std::size_t i = begin; i < end; ++i) {
    bind_step(frame, i, arena, externals);
    const Step& step = steps_[i];
    if (!instructions_[i].random) continue;
    double* last = frame.params.data() + step.first_param + step.n_params - kStreamParams;
    last[0] = static_cast<double>(streams.seed >> 32);
    last[1] = static_cast<double>(streams.seed & 0xFFFFFFFFu);
    last[2] = static_cast<double>(streams.stream + step.ordinal);
  }
}

// Gives the last parameters a run's own numbers, and all others what they are.
void Program::number(Frame& frame, const std::vector<double>& numbers) const {
  const std::size_t all = blank_.params.size();
  if (numbers.size() > all - last_random_) {
    throw Error("program: expected at most " + std::to_string(all - last_random_) +
                " numbers, of what comes after anything random, got " +
                std::to_string(numbers.size()));
  }
  const auto plain = blank_.params.end() - static_cast<std::ptrdiff_t>(frame.changed);
  std::copy(plain, blank_.params.end(),
            frame.params.end() - static_cast<std::ptrdiff_t>(frame.changed));
  frame.changed = numbers.size();
  std::copy(numbers.begin(), numbers.end(),
            frame.params.end() - static_cast<std::ptrdiff_t>(frame.changed));
}

void Program::bind_step(Frame& frame, std::size_t index, char* arena,
                        const std::vector<External>& externals) const {
  const Instruction& instruction = instructions_[index];
  Tensor* tensor = frame.tensors.data() + steps_[index].first_tensor;
  const auto place = [&](const Ref& ref, bool output) {
    if (ref.space == Space::arena) {
      tensor->data = arena + ref.offset;
    } else if (ref.space == Space::external) {
      const External& given = externals[ref.offset];
      const std::string_view problem = !given.given                 ? "is not given"
                                       : output && !given.writeable ? "is read-only"
                                                                    : "";
      if (!problem.empty()) {
        refuse(index, instruction.name,
               "external " + std::to_string(ref.offset) + " " + std::string(problem));
      }
      tensor->data = given.data;
    }
    ++tensor;
  };
  for (const Ref& ref : instruction.ins) place(ref, false);
  for (const Ref& ref : instruction.outs) place(ref, true);
}

void Program::execute(const Step& step, Call call, const std::vector<std::uint64_t>& stamps) const {
  if (step.keeper == nullptr || stamps.empty()) return step.kernel(call);
  std::vector<std::uint64_t> given;
  for (const std::size_t place : step.kept) given.push_back(stamps[place]);
  const Keeper::Loan loan = step.keeper->lend(step.stamp->of(std::move(given)));
  call.kept = loan.memory.get();
  call.filled = loan.filled;
  step.kernel(call);
  step.keeper->take_back(loan);
}

void Program::run(std::size_t begin, std::size_t end, char* arena,
                  const std::vector<External>& externals, const std::vector<std::uint64_t>& stamps,
                  const std::vector<double>& numbers, Streams streams, Host& host,
                  std::int64_t* clock) const {
  Borrowed borrowed(*this);
  Frame& frame = borrowed.frame();
  bind(frame, begin, end, arena, externals, streams);
  number(frame, numbers);
  if (clock != nullptr) *clock++ = now();
  for (std::size_t i = begin; i < end; ++i) {
    const Step& step = steps_[i];
    const Call call = call_of(frame, step);
    if (step.kernel != nullptr) {
      execute(step, call, stamps);
    } else {
      host.call(instructions_[i], call, {streams.seed, streams.stream + step.ordinal});
    }
    if (clock != nullptr) *clock++ = now();
  }
}

}  // namespace baryon
