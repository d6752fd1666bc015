"""Counter-based random numbers: Philox4x32-10, the same on every device and in every kernel.

Source: Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .sampling import poisson, standard_gamma

_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)
_MASK = 0xFFFFFFFF
_CHUNK = 1 << 16  # blocks computed at a time, so that the rounds stay in cache


def _rounds(counter: list, key: tuple) -> list:
    """Ten rounds over four words of 32 bits each, held as uint64: arrays, or numbers for all."""
    mask, half = np.uint64(_MASK), np.uint64(32)
    k0, k1 = key
    c0, c1, c2, c3 = counter
    for _ in range(10):
        p0, p1 = c0 * np.uint64(_MULTIPLIERS[0]), c2 * np.uint64(_MULTIPLIERS[1])
        c0, c1, c2, c3 = (p1 >> half) ^ c1 ^ k0, p1 & mask, (p0 >> half) ^ c3 ^ k1, p0 & mask
        k0, k1 = (k0 + np.uint64(_WEYL[0])) & mask, (k1 + np.uint64(_WEYL[1])) & mask
    return [c0, c1, c2, c3]


def _halves(word: Any) -> tuple:
    """The low and the high 32 bits of a uint64."""
    return word & np.uint64(_MASK), word >> np.uint64(32)


class Philox:
    """The random numbers of one call: `seed` names the generator, `stream` the call.

    Word ``i`` comes from the block with counter ``(i // 4, stream)`` under the key `seed`; methods
    called one after another use consecutive blocks. C++ kernels map elements to words alike.

    >>> from baryon.ops.philox import Philox
    >>> Philox(np, 0, 0).bits((2,))
    array([1713891541, 3781805453], dtype=uint32)
    """

    def __init__(self, xp: Any, seed: int, stream: int, advance: Any = None) -> None:
        self._xp, self._key, self._stream = xp, _halves(np.uint64(seed)), np.uint64(stream)
        self.advance, self.block = advance, 0  # of the words that come next

    def key(self) -> Any:
        """Seed and stream in device memory, as two int64; `of_key` makes them a generator again."""
        made = self._xp.empty(2, np.uint64)
        made[0] = self._key[0] + (self._key[1] << np.uint64(32))
        made[1] = self._stream if self.advance is None else (self.advance + self._stream)[0]
        return made.view(np.int64)

    @classmethod
    def of_key(cls, xp: Any, key: Any) -> Philox:
        """The generator of a key, from its first block on."""
        made, words = cls(xp, 0, 0), key.view(np.uint64)
        made._key, made._stream = _halves(words[0]), words[1]
        return made

    def drawn_by_kernel(self, count: int) -> tuple[np.ndarray, Any]:
        """What a kernel needs to draw `count` words itself, which are thereby used up.

        Key, stream and first block, each as a low and a high word; and `advance`: None, or a
        device array of one uint64 that is added to the stream when the kernel runs.
        """
        first, self.block = np.uint64(self.block), self.block + -(-count // 4)
        state = *self._key, *_halves(self._stream), *_halves(first)
        return np.array(state, np.uint32), self.advance

    def bits(self, shape: tuple[int, ...]) -> Any:
        """uint32 words, each value equally likely."""
        xp, count = self._xp, int(np.prod(shape, dtype=np.int64))
        blocks = -(-count // 4)
        words = xp.empty((blocks, 4), np.uint32)
        stream = self._stream if self.advance is None else self.advance + self._stream
        chunk = _CHUNK if xp is np else max(blocks, 1)
        for begin in range(0, blocks, chunk):
            end = min(begin + chunk, blocks)
            index = xp.arange(self.block + begin, self.block + end, dtype=np.uint64)
            counter = [*_halves(index), *_halves(stream)]
            for column, word in enumerate(_rounds(counter, self._key)):
                words[begin:end, column] = word
        self.block += blocks
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

    def gamma(self, alpha: Any) -> Any:
        """Gamma values with scale 1, one for each shape parameter in `alpha`, in float64."""
        return standard_gamma(self._xp, self, alpha)

    def poisson(self, lam: Any) -> Any:
        """Poisson values, one for each mean in `lam`, in float64."""
        return poisson(self._xp, self, lam)
