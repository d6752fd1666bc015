"""Operators whose names begin with an underscore; here those that decode and resize images.

The sizes of what they return depend on the content of a file, so these are functions of arrays
and no nodes of a graph. `baryon.image` has them under friendlier names.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import pixels
from ..base import MXNetError
from ..util import in_mode
from .ndarray import NDArray

__all__ = ["_cvcopyMakeBorder", "_cvimdecode", "_cvimread", "_cvimresize"]


def _cvimdecode(buf: Any, flag: int = 1, to_rgb: bool = True, out: Any = None) -> NDArray:
    """Pixels (h, w, channels), uint8, of the compressed image in a uint8 array or bytes."""
    data = buf.asnumpy() if isinstance(buf, NDArray) else buf
    if flag < 0:
        raise MXNetError(f"imdecode: flag must be 0 (grey) or 1 (colour), got {flag}")
    return _result(pixels.decode(data, flag, to_rgb), None, out)


def _cvimread(
    filename: str | os.PathLike, flag: int = 1, to_rgb: bool = True, out: Any = None
) -> NDArray:
    """Pixels (h, w, channels), uint8, of an image file."""
    if flag < 0:
        raise MXNetError(f"imread: flag must be 0 (grey) or 1 (colour), got {flag}")
    try:
        with open(filename, "rb") as file:
            data = file.read()
    except OSError as error:
        raise MXNetError(f"imread: cannot open {filename}: {error.strerror}") from error
    return _result(pixels.decode(data, flag, to_rgb, f"imread: {filename}"), None, out)


def _cvimresize(src: NDArray, w: int, h: int, interp: int = 1, out: Any = None) -> NDArray:
    """An image (h, w, channels) resized; see `baryon.image.imresize`."""
    return _result(pixels.resize(_on_host(src, "imresize"), int(w), int(h), int(interp)), src, out)


def _cvcopyMakeBorder(
    src: NDArray,
    top: int,
    bot: int,
    left: int,
    right: int,
    type: int = 0,
    value: float = 0.0,
    values: Sequence[float] = (),
    out: Any = None,
) -> NDArray:
    """An image (h, w, channels) with a border; see `baryon.image.copyMakeBorder`."""
    if src.ndim != 3:
        raise MXNetError(f"copyMakeBorder: expected an image (h, w, channels), got {src.shape}")
    sizes = (int(top), int(bot), int(left), int(right))
    fill = tuple(values) if len(values) else value
    return _result(
        pixels.add_border(_on_host(src, "copyMakeBorder"), sizes, int(type), fill), src, out
    )


def _on_host(image: NDArray, name: str) -> np.ndarray:
    if image.context.device_type == "gpu":
        raise MXNetError(
            f"{name} runs on the CPU only, got an image on {image.context}; "
            "copy it with as_in_context(mx.cpu())"
        )
    return image.asnumpy()


def _result(made: np.ndarray, source: NDArray | None, out: NDArray | None) -> NDArray:
    if out is None:
        array = NDArray(np.ascontiguousarray(made))
        if source is None:
            return in_mode(array)
        array = array.as_in_context(source.context)
        return array if type(source) is NDArray else array.as_np_ndarray()
    if out.shape != made.shape:
        raise MXNetError(f"the image has shape {made.shape}, out has {out.shape}")
    out[:] = NDArray(np.ascontiguousarray(made.astype(out.dtype, copy=False)), ctx=out.context)
    return out
