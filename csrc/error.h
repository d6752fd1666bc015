// The one exception of the engine; Python sees it as MXNetError.
#pragma once

#include <stdexcept>

namespace baryon {

struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace baryon
