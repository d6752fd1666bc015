"""Counter-based random numbers: Philox4x32-10, the same on every device and in every kernel.

Source: Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
"""

from __future__ import annotations

from typing import Any

import numpy as np

_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)
_MASK = 0xFFFFFFFF
_CHUNK = 1 << 16  # blocks computed at a time, so that the rounds stay in cache


def _rounds(xp: Any, counter: list, key: tuple[int, int]) -> list:
    """Ten rounds over four arrays of uint64 that hold 32-bit words."""
    mask, half = np.uint64(_MASK), np.uint64(32)
    k0, k1 = key
    c0, c1, c2, c3 = counter
    for _ in range(10):
        p0, p1 = c0 * np.uint64(_MULTIPLIERS[0]), c2 * np.uint64(_MULTIPLIERS[1])
        c0, c1, c2, c3 = (
            (p1 >> half) ^ c1 ^ np.uint64(k0),
            p1 & mask,
            (p0 >> half) ^ c3 ^ np.uint64(k1),
            p0 & mask,
        )
        k0, k1 = (k0 + _WEYL[0]) & _MASK, (k1 + _WEYL[1]) & _MASK
    return [c0, c1, c2, c3]


class Philox:
    """The random numbers of one call: `seed` names the generator, `stream` the call.

    Word ``i`` comes from the block with counter ``(i // 4, stream)`` under the key `seed`; methods
    called one after another use consecutive blocks. C++ kernels map elements to words alike.

    >>> from baryon.ops.philox import Philox
    >>> Philox(np, 0, 0).bits((2,))
    array([1713891541, 3781805453], dtype=uint32)
    """

    advance: Any = None

    def __init__(self, xp: Any, seed: int, stream: int) -> None:
        self._xp = xp
        self._key = (seed & _MASK, seed >> 32 & _MASK)
        self._stream = (stream & _MASK, stream >> 32 & _MASK)
        self._block = 0

    def drawn_by_kernel(self, count: int) -> tuple[np.ndarray, Any]:
        """What a kernel needs to draw `count` words itself, which are thereby used up.

        Key, stream and first block, each as a low and a high word; and `advance`: None, or a
        device array of one uint64 that is added to the stream when the kernel runs.
        """
        first, self._block = self._block, self._block + -(-count // 4)
        state = *self._key, *self._stream, first & _MASK, first >> 32
        return np.array(state, np.uint32), self.advance

    def bits(self, shape: tuple[int, ...]) -> Any:
        """uint32 words, each value equally likely."""
        xp, count = self._xp, int(np.prod(shape, dtype=np.int64))
        blocks = -(-count // 4)
        words = xp.empty((blocks, 4), np.uint32)
        for begin in range(0, blocks, _CHUNK):
            end = min(begin + _CHUNK, blocks)
            index = xp.arange(self._block + begin, self._block + end, dtype=np.uint64)
            counter = [index & np.uint64(_MASK), index >> np.uint64(32)]
            counter += [xp.full_like(index, s) for s in self._stream]
            for column, word in enumerate(_rounds(xp, counter, self._key)):
                words[begin:end, column] = word
        self._block += blocks
        return words.reshape(-1)[:count].reshape(shape)

    def uniform(self, shape: tuple[int, ...], dtype: Any = "float32") -> Any:
        """Values in [0, 1): 24 random bits as float32, or 53 bits of two words as float64."""
        if np.dtype(dtype) == np.float64:
            words = self.bits((*shape, 2)).astype(np.float64)
            high, low = words[..., 0] // 32, words[..., 1] // 64
            return (high * 67108864.0 + low) * 2.0**-53
        return (self.bits(shape) >> np.uint32(8)).astype(np.float32) * np.float32(2.0**-24)

    def normal(self, shape: tuple[int, ...], dtype: Any = "float32") -> Any:
        """Standard Gaussian values: Box-Muller over pairs of neighbouring uniforms."""
        xp, count = self._xp, int(np.prod(shape, dtype=np.int64))
        pairs = self.uniform((-(-count // 2), 2), dtype)
        radius = xp.sqrt(-2 * xp.log1p(-pairs[:, 0]))
        angle = pairs[:, 1] * pairs.dtype.type(2 * np.pi)
        both = xp.stack([radius * xp.cos(angle), radius * xp.sin(angle)], axis=1)
        return both.reshape(-1)[:count].reshape(shape)
