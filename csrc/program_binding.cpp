#include "bindings.h"
namespace baryon {
void bind_program(pybind11::module_&) {}
}  // namespace baryon
