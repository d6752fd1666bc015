"""Making, saving and loading arrays, where MXNet keeps these functions too."""

from .creation import array, empty, zeros
from .ndarray import NDArray
from .serialization import load, load_frombuffer, save

__all__ = ["NDArray", "array", "empty", "load", "load_frombuffer", "save", "zeros"]
