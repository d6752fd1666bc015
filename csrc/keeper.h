// What one instruction keeps between runs of an input that has not been written since.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "allocator.h"
#include "parallel.h"

namespace baryon {

// The memory of all keepers of a program, in one piece: its pages are the largest there are, and
// what is read once a run needs no walk through the page tables every 4 KB.
class KeptMemory {
 public:
  void reserve(std::int64_t bytes) { all_ += rounded(bytes); }

  // Some of the piece, for good; what was not reserved gets memory of its own.
  std::shared_ptr<void> take(std::int64_t bytes) {
    const std::lock_guard lock(mutex_);
    if (taken_ + rounded(bytes) > all_) return own(bytes);
    if (piece_ == nullptr) piece_ = own(all_);
    void* const place = static_cast<char*>(piece_.get()) + taken_;
    taken_ += rounded(bytes);
    return {piece_, place};
  }

 private:
  static std::int64_t rounded(std::int64_t bytes) { return (bytes + 63) / 64 * 64; }
  static std::shared_ptr<void> own(std::int64_t bytes) {
    return {allocate_to_keep(static_cast<std::size_t>(bytes)), release};
  }

  std::mutex mutex_;
  std::int64_t all_ = 0, taken_ = 0;
  std::shared_ptr<void> piece_;
};

// Values are known by stamps: equal ones that are not zero stand for the same values. Memory is
// filled when a stamp comes for the second time, so that weights which change with every call (in
// training) cost nothing. Several threads may run the instruction at once.
class Keeper {
 public:
  struct Loan {
    std::shared_ptr<void> memory;  // or null: nothing is kept in this call
    bool filled;
    std::uint64_t stamp;
  };

  Keeper(KeptMemory& source, std::int64_t bytes) : source_(source), bytes_(bytes) {
    source.reserve(bytes);
  }

  Loan lend(std::uint64_t stamp) {
    if (stamp == 0) return {nullptr, false, 0};
    const std::lock_guard lock(mutex_);
    if (stamp == stamp_) return {memory_, true, stamp};
    stamp_ = 0;
    if (stamp != seen_) {
      seen_ = stamp;
      return {nullptr, false, stamp};
    }
    // (Running calls may still read the old values, or fill the memory.)
    if (memory_.use_count() != 1) memory_ = source_.take(bytes_);
    return {memory_, false, stamp};
  }

  // After the call.
  void take_back(const Loan& loan) {
    if (loan.memory == nullptr || loan.filled) return;
    const std::lock_guard lock(mutex_);
    memory_ = loan.memory;
    stamp_ = loan.stamp;
  }

 private:
  KeptMemory& source_;
  const std::int64_t bytes_;
  std::mutex mutex_;
  std::uint64_t seen_ = 0, stamp_ = 0;  // of the last call; of what `memory_` was made of
  std::shared_ptr<void> memory_;
};

// One stamp for the values of several inputs together.
class StampOfMany {
 public:
  std::uint64_t of(std::vector<std::uint64_t> stamps) {
    if (stamps.size() == 1) return stamps[0];
    if (std::find(stamps.begin(), stamps.end(), 0) != stamps.end()) return 0;
    const std::lock_guard lock(mutex_);
    if (stamps != last_) {
      last_ = std::move(stamps);
      ++stamp_;
    }
    return stamp_;
  }

 private:
  std::mutex mutex_;
  std::vector<std::uint64_t> last_;
  std::uint64_t stamp_ = 0;
};

}  // namespace baryon
