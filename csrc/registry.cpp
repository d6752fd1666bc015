#include "registry.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <unordered_map>

namespace baryon {

#define FAMILY(name) void register_##name##_baseline(AddFn add);
#include "kernels/families.def"
#undef FAMILY
#ifdef __x86_64__
#define FAMILY(name)                    \
  void register_##name##_v3(AddFn add); \
  void register_##name##_v4(AddFn add);
#include "kernels/families.def"
#undef FAMILY
void register_split_product_amx(AddFn add);
#endif

namespace {

using Table = std::unordered_map<std::string, Kernel>;

struct Isa {
  const char* name;
  void (*fill)(AddFn add);
  bool supported;
};

struct Registry {
  Table table;
  std::vector<const Kernel*> numbered;
  const char* isa = "baseline";
};

Registry* filling = nullptr;

void fill_baseline([[maybe_unused]] AddFn add) {
#define FAMILY(name) register_##name##_baseline(add);
#include "kernels/families.def"
#undef FAMILY
}

#ifdef __x86_64__
void fill_v3([[maybe_unused]] AddFn add) {
#define FAMILY(name) register_##name##_v3(add);
#include "kernels/families.def"
#undef FAMILY
}

void fill_v4([[maybe_unused]] AddFn add) {
#define FAMILY(name) register_##name##_v4(add);
#include "kernels/families.def"
#undef FAMILY
}

// The matrix unit, of some of v4's processors, adds kernels and changes none.
void fill_amx(AddFn add) { register_split_product_amx(add); }
#else
void fill_amx(AddFn) {}
#endif

// Fills the table from the lowest instruction set up, so that the best one stays.
Registry make_registry() {
  const Isa isas[] = {
      {"baseline", fill_baseline, true},
#ifdef __x86_64__
      {"v3", fill_v3, __builtin_cpu_supports("x86-64-v3") != 0},
      {"v4", fill_v4, __builtin_cpu_supports("x86-64-v4") != 0},
#endif
  };
  const char* forced = std::getenv("BARYON_ISA");
  bool found = forced == nullptr || *forced == 0;
  for (const Isa& isa : isas) found = found || std::strcmp(forced, isa.name) == 0;
  if (!found) {
    std::fprintf(stderr, "baryon: BARYON_ISA=%s is unknown here and ignored\n", forced);
    forced = nullptr;
  }
  Registry registry;
  filling = &registry;
  for (const Isa& isa : isas) {
    if (!isa.supported) break;
    registry.isa = isa.name;
    isa.fill(Adder());
    if (forced != nullptr && std::strcmp(forced, isa.name) == 0) break;
  }
  const bool free = forced == nullptr || *forced == 0;
  if (free && std::strcmp(registry.isa, "v4") == 0) fill_amx(Adder());
  filling = nullptr;
  for (const auto& entry : registry.table) registry.numbered.push_back(&entry.second);
  return registry;
}

const Registry& registry() {
  static const Registry made = make_registry();
  return made;
}

}  // namespace

void Adder::operator()(const char* name, KernelFn run, AcceptFn accepts, KeepFn keeps,
                       KeptFn kept) const {
  filling->table[name] = {run, accepts, keeps, kept, filling->isa};
}

const Kernel* find_kernel(const std::string& name) {
  const auto found = registry().table.find(name);
  return found == registry().table.end() ? nullptr : &found->second;
}

const Kernel* kernel_at(int number) {
  const auto& numbered = registry().numbered;
  return number >= 0 && number < static_cast<int>(numbered.size()) ? numbered[number] : nullptr;
}

int kernel_number(const std::string& name) {
  const auto& numbered = registry().numbered;
  const auto found = std::find(numbered.begin(), numbered.end(), find_kernel(name));
  return found == numbered.end() ? -1 : static_cast<int>(found - numbered.begin());
}

std::vector<std::string> kernel_names() {
  std::vector<std::string> names;
  for (const auto& entry : registry().table) names.push_back(entry.first);
  return names;
}

const char* isa() { return registry().isa; }

}  // namespace baryon
