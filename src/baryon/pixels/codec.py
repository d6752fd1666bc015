"""Compressed images (JPEG, PNG, …) and their pixels."""

from __future__ import annotations

import io
from types import ModuleType
from typing import Any

import numpy as np

from ..base import MXNetError
from ._cv import opencv

_NO_CODEC = "reading and writing images needs OpenCV or Pillow: pip install baryon[image]"
_JPEG, _PNG = (".jpg", ".jpeg"), (".png",)


def decode(data: Any, flag: int = 1, to_rgb: bool = True, name: str = "imdecode") -> np.ndarray:
    """The 8-bit pixels of a compressed image.

    data : bytes, or a buffer of them.    name : what an error calls the caller.
    flag : 0: grey, (h, w, 1); positive: colour, (h, w, 3); -1: the image's own channels and depth.
    to_rgb : channels in order RGB(A); else BGR(A), as OpenCV has them.

    Raises MXNetError where the bytes are no image.
    """
    buffer = np.frombuffer(data, np.uint8)
    if not buffer.size:
        raise MXNetError(f"{name}: the buffer is empty")
    cv2 = opencv()
    read = _decode_pillow if cv2 is None else _decode_cv
    pixels = read(cv2, buffer, flag, to_rgb)
    if pixels is None:
        raise MXNetError(
            f"{name}: {buffer.size} bytes that are no image OpenCV or Pillow can read "
            f"(they begin with {bytes(buffer[:8])!r})"
        )
    return pixels[:, :, None] if pixels.ndim == 2 else pixels


def swapped(pixels: np.ndarray) -> np.ndarray:
    """RGB(A) from BGR(A), and the other way; without a copy for three channels."""
    if pixels.shape[2] == 4:
        return pixels[:, :, [2, 1, 0, 3]]
    return pixels[:, :, ::-1] if pixels.shape[2] == 3 else pixels


def _decode_cv(cv2: ModuleType, buffer: np.ndarray, flag: int, to_rgb: bool) -> np.ndarray | None:
    mode = cv2.IMREAD_UNCHANGED if flag < 0 else cv2.IMREAD_COLOR if flag else cv2.IMREAD_GRAYSCALE
    in_order = to_rgb and flag > 0 and hasattr(cv2, "IMREAD_COLOR_RGB")
    try:
        pixels = cv2.imdecode(buffer, cv2.IMREAD_COLOR_RGB if in_order else mode)
    except cv2.error:  # sizes beyond OpenCV's limits
        return None
    if pixels is None or pixels.ndim == 2 or in_order or not to_rgb:
        return pixels
    return np.ascontiguousarray(swapped(pixels))


def _pillow() -> ModuleType:
    try:
        from PIL import Image
    except ImportError as error:
        raise MXNetError(_NO_CODEC) from error
    return Image


def _decode_pillow(_: None, buffer: np.ndarray, flag: int, to_rgb: bool) -> np.ndarray | None:
    pillow = _pillow()
    from PIL import ImageOps

    try:
        with pillow.open(io.BytesIO(buffer)) as image:
            image.load()
            if flag >= 0:  # a photograph taken with the camera turned says so
                image = ImageOps.exif_transpose(image)
            if image.mode.startswith("I"):  # 16 bits, of which OpenCV too keeps the upper 8
                grey = np.asarray(image)
                return grey if flag < 0 else _as_grey_or_colour(grey >> 8, flag)
            if flag < 0:
                own = image.mode if image.mode in ("L", "RGB", "RGBA") else "RGB"
            else:
                own = "RGB" if flag else "L"
            pixels = np.array(image.convert(own))
            if to_rgb or pixels.ndim == 2:
                return pixels
            return np.ascontiguousarray(swapped(pixels))
    except (OSError, ValueError, SyntaxError, pillow.DecompressionBombError):
        return None


def _as_grey_or_colour(grey: np.ndarray, flag: int) -> np.ndarray:
    grey = grey.astype(np.uint8)
    return np.repeat(grey[:, :, None], 3, axis=2) if flag else grey


def encode(pixels: Any, extension: str = ".jpg", quality: int = 95) -> bytes:
    """An image file of 8-bit pixels, (h, w) or (h, w, channels) in order BGR(A).

    extension : ``".jpg"`` or ``".jpeg"`` (quality 0 to 100) or ``".png"`` (compression 0 to 9;
        more counts as 9); other formats as OpenCV or Pillow knows them.
    """
    pixels = np.ascontiguousarray(pixels)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    if pixels.ndim not in (2, 3) or not pixels.size or pixels.shape[2:] not in ((), (3,), (4,)):
        raise MXNetError(
            f"encoding an image needs pixels (h, w) or (h, w, 1, 3 or 4), got shape {pixels.shape}"
        )
    if pixels.dtype != np.uint8:
        raise MXNetError(f"encoding an image needs 8-bit pixels (uint8), got {pixels.dtype}")
    cv2 = opencv()
    write = _encode_cv if cv2 else _encode_pillow
    encoded = write(cv2, pixels, extension.lower(), int(quality))
    if encoded is None:
        raise MXNetError(f"no encoder for image format {extension!r}; use '.jpg' or '.png'")
    return encoded


def _encode_cv(cv2: ModuleType, pixels: np.ndarray, kind: str, quality: int) -> bytes | None:
    options = []
    if kind in _JPEG:
        options = [cv2.IMWRITE_JPEG_QUALITY, min(max(quality, 0), 100)]
    elif kind in _PNG:
        options = [cv2.IMWRITE_PNG_COMPRESSION, min(max(quality, 0), 9)]
    try:
        done, encoded = cv2.imencode(kind, pixels, options)
    except cv2.error:
        return None
    return encoded.tobytes() if done else None


def _encode_pillow(_: None, pixels: np.ndarray, kind: str, quality: int) -> bytes | None:
    pillow = _pillow()
    if pixels.ndim == 3:
        pixels = np.ascontiguousarray(swapped(pixels))
    known = pillow.registered_extensions()
    if kind not in known:
        return None
    options = {"quality": min(max(quality, 1), 100)} if kind in _JPEG else {}
    if kind in _PNG:
        options = {"compress_level": min(max(quality, 0), 9)}
    stream = io.BytesIO()
    try:
        pillow.fromarray(pixels).save(stream, known[kind], **options)
    except OSError:  # four channels in a JPEG
        return None
    return stream.getvalue()
