// What each binding file adds to the module.
#pragma once

#include <pybind11/pybind11.h>

namespace baryon {

void bind_program(pybind11::module_& m);
void bind_eager(pybind11::module_& m);
void bind_walk(pybind11::module_& m);

}  // namespace baryon
