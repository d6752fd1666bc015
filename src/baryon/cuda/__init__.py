"""CUDA kernels for operators whose bodies would launch many: found by the operator's name."""

from .draws import Generator
from .registry import implementation

__all__ = ["Generator", "implementation"]
