// Released blocks are kept by size class and handed out again, warm and without a system call.
//
// Small classes have a list a thread (no lock) with one shared list behind it. Large classes share
// one table under a lock, from which the blocks longest unused leave when the limit is reached.
// Every block starts with a header, so its size and origin are known when it comes back.
#include "allocator.h"

#include <pthread.h>
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>

#include "parallel.h"
#include "settings.h"

namespace baryon {
namespace {

constexpr std::size_t kAlign = 64;
constexpr std::size_t kHuge = std::size_t{2} << 20;
constexpr std::size_t kPage = std::size_t{64} << 10;  // a multiple of every system's small pages
constexpr std::size_t kThreadBytes = std::size_t{256} << 10;  // a thread keeps of one class
constexpr std::size_t kMostBytes = std::size_t{1} << 47;
constexpr int kClasses = 312;   // class_of(kMostBytes) + 1
constexpr int kMostTraded = 4;  // times a new block's size is what leaves for it at most
constexpr int kSpare = 2;       // a large request may take a block this many classes above its own

struct alignas(kAlign) Block {
  std::int32_t size_class;
  bool mapped;
  bool fresh;            // never used: a mapped block is still zero
  bool scratch;          // last taken for the time of a kernel
  std::size_t capacity;  // bytes after the header
  void* base;            // what the system gave, and how much of it
  std::size_t base_bytes;
  Block* next;   // in the list of its class
  Block* older;  // large blocks, by time of release
  Block* newer;

  void* data() { return this + 1; }
  static Block* of(void* pointer) { return static_cast<Block*>(pointer) - 1; }
};
static_assert(sizeof(Block) == kAlign);

// Classes are multiples of 64 bytes up to 512, then eight steps from each power of two to the next.
int class_of(std::size_t bytes) {
  if (bytes <= 512) return bytes == 0 ? 0 : static_cast<int>((bytes - 1) / 64);
  const int log = std::bit_width(bytes - 1) - 1;
  return (log - 9) * 8 + static_cast<int>((bytes - 1) >> (log - 3));
}

std::size_t class_bytes(int size_class) {
  if (size_class < 8) return (static_cast<std::size_t>(size_class) + 1) * 64;
  const int log = size_class / 8 + 8;
  return static_cast<std::size_t>(size_class % 8 + 9) << (log - 3);
}

constexpr int kSmallClasses = 64;  // up to 64 KiB

std::atomic<std::size_t> kept{0};  // bytes in the shared lists

// ---- the system -----------------------------------------------------------------------------

Block* place(void* at, void* base, std::size_t base_bytes, std::size_t bytes, bool mapped) {
  auto* block = static_cast<Block*>(at);
  block->size_class = class_of(bytes);
  block->mapped = block->fresh = mapped;
  block->scratch = false;
  block->capacity = bytes;
  block->base = base;
  block->base_bytes = base_bytes;
  return block;
}

// Buffers that all begin at one offset in their page would meet in the same cache sets, so each
// large block starts some lines further than the last.
std::size_t colour() {
  static std::atomic<unsigned> count{0};
  return (count.fetch_add(1, std::memory_order_relaxed) * 5 % 16) * 4 * kAlign;
}

// Huge pages only as far as `used` bytes fill them: what lies behind is touched by small ones, and
// what is never touched takes no memory.
Block* map_block(std::size_t bytes, std::size_t used) {
  const std::size_t before = colour();
  const std::size_t whole = (before + sizeof(Block) + bytes + kPage - 1) / kPage * kPage;
  char* got = static_cast<char*>(
      mmap(nullptr, whole + kHuge, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  if (got == MAP_FAILED) return nullptr;
  const std::size_t skip = (kHuge - reinterpret_cast<std::uintptr_t>(got) % kHuge) % kHuge;
  if (skip != 0) munmap(got, skip);
  munmap(got + skip + whole, kHuge - skip);
  char* base = got + skip;
#ifdef MADV_HUGEPAGE
  madvise(base, (before + sizeof(Block) + used) / kHuge * kHuge, MADV_HUGEPAGE);
#endif
  return place(base + before, base, whole, bytes, true);
}

// A block of `bytes`, of which `used` are asked for now.
Block* new_block(std::size_t bytes, std::size_t used) {
  if (bytes >= kHuge) return map_block(bytes, used);
  void* base = nullptr;
  const std::size_t whole = bytes + sizeof(Block);
  return posix_memalign(&base, kAlign, whole) != 0 ? nullptr
                                                   : place(base, base, whole, bytes, false);
}

void give_back(Block* block) {
  if (block->mapped) {
    munmap(block->base, block->base_bytes);
  } else {
    std::free(block->base);
  }
}

void give_back_list(Block* block) {
  while (block != nullptr) {
    Block* next = block->next;
    give_back(block);
    block = next;
  }
}

// ---- large blocks ---------------------------------------------------------------------------

class Large {
 public:
  std::mutex mutex;

  Block* take(int size_class) {
    const std::lock_guard lock(mutex);
    for (int c = size_class; c <= size_class + kSpare && c < kClasses; ++c) {
      if (Block* block = lists_[c]) {
        remove(block);
        return block;
      }
    }
    return nullptr;
  }

  // A block for a short time: the smallest that is large enough, however large that is. Without
  // one, the largest scratch block that is too small comes back in `outgrown`: kernels that need
  // more and more then leave one block, and not one of each size.
  Block* lend(int size_class, Block*& outgrown) {
    const std::lock_guard lock(mutex);
    for (int c = size_class; c < kClasses; ++c) {
      if (Block* block = lists_[c]) {
        remove(block);
        return block;
      }
    }
    for (int c = size_class - 1; c >= kSmallClasses && outgrown == nullptr; --c) {
      outgrown = lists_[c];
      while (outgrown != nullptr && !outgrown->scratch) outgrown = outgrown->next;
    }
    if (outgrown != nullptr) {
      remove(outgrown);
      outgrown->next = nullptr;
    }
    return nullptr;
  }

  // Keeps a block; those that leave for it come back as a list.
  Block* keep(Block* block, std::size_t limit) {
    const std::lock_guard lock(mutex);
    block->next = lists_[block->size_class];
    lists_[block->size_class] = block;
    block->older = newest_;
    block->newer = nullptr;
    (newest_ != nullptr ? newest_->newer : oldest_) = block;
    newest_ = block;
    kept.fetch_add(block->capacity, std::memory_order_relaxed);
    return evict(limit);
  }

  Block* clear() {
    const std::lock_guard lock(mutex);
    return evict(0);
  }

  // Before a new block of `bytes` comes from the system: as much of what has waited longest leaves
  // (none that is far larger), for who asks for something new is often through with the old. Where
  // it is missed later that was wrong, and once half has been missed nothing leaves any more.
  Block* make_room(int size_class, std::size_t bytes) {
    const std::lock_guard lock(mutex);
    if (traded_[size_class] > 0) {
      --traded_[size_class];
      missed_bytes_ += bytes;
    }
    if (2 * missed_bytes_ > traded_bytes_ && missed_bytes_ > 0) return nullptr;
    Block* leaving = nullptr;
    std::size_t freed = 0;
    for (Block *block = oldest_, *next; block != nullptr && freed < bytes; block = next) {
      next = block->newer;
      if (block->capacity / kMostTraded > bytes) continue;
      remove(block);
      ++traded_[block->size_class];
      traded_bytes_ += block->capacity;
      freed += block->capacity;
      block->next = leaving;
      leaving = block;
    }
    return leaving;
  }

 private:
  Block* evict(std::size_t limit) {
    Block* leaving = nullptr;
    while (oldest_ != nullptr && kept.load(std::memory_order_relaxed) > limit) {
      Block* block = oldest_;
      remove(block);
      block->next = leaving;
      leaving = block;
    }
    return leaving;
  }

  void remove(Block* block) {
    kept.fetch_sub(block->capacity, std::memory_order_relaxed);
    Block** at = &lists_[block->size_class];
    while (*at != block) at = &(*at)->next;
    *at = block->next;
    (block->older != nullptr ? block->older->newer : oldest_) = block->newer;
    (block->newer != nullptr ? block->newer->older : newest_) = block->older;
  }

  Block* lists_[kClasses] = {};
  Block* oldest_ = nullptr;
  Block* newest_ = nullptr;
  std::uint32_t traded_[kClasses] = {};  // blocks that left for others
  std::size_t traded_bytes_ = 0, missed_bytes_ = 0;
};

// ---- small blocks ---------------------------------------------------------------------------

struct List {
  Block* first = nullptr;
  int count = 0;

  void push(Block* block) {
    block->next = first;
    first = block;
    ++count;
  }
  Block* pop() {
    Block* block = first;
    if (block != nullptr) {
      first = block->next;
      --count;
    }
    return block;
  }
};

class Small {
 public:
  std::mutex mutex;

  // Moves up to `most` blocks of one class into a thread's list, or out of it.
  void fill(List& list, int size_class, int most) {
    const std::lock_guard lock(mutex);
    const int count = std::min(most, lists_[size_class].count);
    for (int i = 0; i < count; ++i) list.push(lists_[size_class].pop());
    kept.fetch_sub(count * class_bytes(size_class), std::memory_order_relaxed);
  }
  void drain(List& list, int size_class, int most) {
    const std::lock_guard lock(mutex);
    const int count = std::min(most, list.count);
    for (int i = 0; i < count; ++i) lists_[size_class].push(list.pop());
    kept.fetch_add(count * class_bytes(size_class), std::memory_order_relaxed);
  }
  void clear() {
    const std::lock_guard lock(mutex);
    for (int c = 0; c < kSmallClasses; ++c) {
      kept.fetch_sub(lists_[c].count * class_bytes(c), std::memory_order_relaxed);
      give_back_list(lists_[c].first);
      lists_[c] = List();
    }
  }

 private:
  List lists_[kSmallClasses];
};

struct Shared {
  Large large;
  Small small;
  std::size_t limit = default_cache_bytes();
};

// Never destroyed: arrays are released until the very end of the process.
Shared* make_shared() {
  static Shared* made = nullptr;
  made = new Shared;
  pthread_atfork(
      [] {
        made->large.mutex.lock();
        made->small.mutex.lock();
      },
      [] {
        made->small.mutex.unlock();
        made->large.mutex.unlock();
      },
      [] {
        made->small.mutex.unlock();
        made->large.mutex.unlock();
      });
  return made;
}

Shared& shared() {
  static Shared* const made = make_shared();
  return *made;
}

struct ThreadLists {
  List lists[kSmallClasses];

  void drain() {
    for (int c = 0; c < kSmallClasses; ++c) shared().small.drain(lists[c], c, lists[c].count);
  }
};

// A plain pointer is the quickest thread-local to reach; its owner below returns the blocks when
// the thread ends. Whatever is released after that goes to the shared lists.
__attribute__((tls_model("initial-exec"))) thread_local ThreadLists* mine = nullptr;
thread_local bool ended = false;

struct Owner {
  ThreadLists lists;

  Owner() { mine = &lists; }
  ~Owner() {
    lists.drain();
    mine = nullptr;
    ended = true;
  }
};

ThreadLists* open_lists() {
  if (ended) return nullptr;
  thread_local Owner owner;
  return &owner.lists;
}

ThreadLists* thread_lists() { return mine != nullptr ? mine : open_lists(); }

int share_of(int size_class) {
  return static_cast<int>(std::clamp<std::size_t>(kThreadBytes / class_bytes(size_class), 4, 256));
}

Block* take_small(int size_class) {
  List late;
  ThreadLists* lists = thread_lists();
  List& list = lists != nullptr ? lists->lists[size_class] : late;
  if (list.first == nullptr) {
    shared().small.fill(list, size_class, lists != nullptr ? share_of(size_class) / 2 : 1);
  }
  return list.pop();
}

void keep_small(Block* block) {
  List late;
  const int size_class = block->size_class;
  ThreadLists* lists = thread_lists();
  List& list = lists != nullptr ? lists->lists[size_class] : late;
  list.push(block);
  const int most = lists != nullptr ? share_of(size_class) : 0;
  if (list.count > most) shared().small.drain(list, size_class, list.count - most / 2);
}

// Without a cache every block is the system's own and of exact size, as sanitizers like it.
Block* take(std::size_t bytes) noexcept {
  if (bytes > kMostBytes) return nullptr;
  if (shared().limit == 0) return new_block(bytes, bytes);
  const int size_class = class_of(bytes);
  Block* block =
      size_class < kSmallClasses ? take_small(size_class) : shared().large.take(size_class);
  if (block == nullptr) {
    if (bytes >= kHuge) give_back_list(shared().large.make_room(size_class, bytes));
    return new_block(class_bytes(size_class), bytes);
  }
  block->fresh = block->scratch = false;
  return block;
}

Block* take_scratch(std::size_t bytes) noexcept {
  const int size_class = class_of(std::min(bytes, kMostBytes));
  if (shared().limit == 0 || size_class < kSmallClasses) return take(bytes);
  Block* outgrown = nullptr;
  Block* block = shared().large.lend(size_class, outgrown);
  give_back_list(outgrown);
  if (block == nullptr) block = take(bytes);
  if (block != nullptr) {
    block->fresh = false;
    block->scratch = true;
  }
  return block;
}

}  // namespace

void* try_allocate(std::size_t bytes) noexcept {
  Block* block = take(bytes);
  if (block == nullptr && cached_bytes() > 0) {  // what is kept in other sizes may be in the way
    release_cache();
    block = take(bytes);
  }
  return block == nullptr ? nullptr : block->data();
}

void* try_allocate_zeroed(std::size_t bytes) noexcept {
  void* pointer = try_allocate(bytes);
  if (pointer != nullptr && !Block::of(pointer)->fresh) std::memset(pointer, 0, bytes);
  return pointer;
}

void forget_zeros(void* pointer, std::size_t bytes) noexcept {
#ifdef MADV_DONTNEED
  const auto from = reinterpret_cast<std::uintptr_t>(pointer), to = from + bytes;
  const auto first = (from + kPage - 1) / kPage * kPage, last = to / kPage * kPage;
  if (bytes >= kHuge && first < last)
    madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);
#endif
}

void* try_reallocate(void* pointer, std::size_t bytes) noexcept {
  if (pointer == nullptr) return try_allocate(bytes);
  const std::size_t had = Block::of(pointer)->capacity;
  if (bytes <= had && bytes >= had / 2) return pointer;
  void* moved = try_allocate(bytes);
  if (moved == nullptr) return nullptr;
  std::memcpy(moved, pointer, std::min(had, bytes));
  release(pointer);
  return moved;
}

void* allocate_to_keep(std::size_t bytes) {
  void* pointer = try_allocate(bytes);
  if (pointer == nullptr) throw std::bad_alloc();
  return pointer;
}

void* allocate(std::size_t bytes) {
  Block* block = take_scratch(bytes);
  return block != nullptr ? block->data() : allocate_to_keep(bytes);
}

void release(void* pointer) {
  if (pointer == nullptr) return;
  Block* block = Block::of(pointer);
  if (shared().limit == 0) {
    give_back(block);
  } else if (block->size_class < kSmallClasses) {
    keep_small(block);
  } else {
    give_back_list(shared().large.keep(block, shared().limit));
  }
}

std::size_t cached_bytes() {
  std::size_t bytes = kept.load(std::memory_order_relaxed);
  if (const ThreadLists* lists = thread_lists()) {
    for (int c = 0; c < kSmallClasses; ++c) bytes += lists->lists[c].count * class_bytes(c);
  }
  return bytes;
}

std::size_t cache_limit() { return shared().limit; }

void release_cache() {
  if (ThreadLists* lists = thread_lists()) lists->drain();
  shared().small.clear();
  give_back_list(shared().large.clear());
}

}  // namespace baryon
