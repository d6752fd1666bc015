"""Transforms of transforms, and of values alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .....ndarray import NDArray
from ....hybrid_block import HybridBlock
from ....nn import HybridSequential, Sequential


class Compose(Sequential):
    """Transforms applied one after the other.

    HybridBlocks that follow each other become one HybridSequential.

    >>> T = mx.gluon.data.vision.transforms
    >>> T.Compose([T.ToTensor(), T.Normalize(0.5, 0.5)])(mx.nd.zeros((4, 5, 3))).shape
    (3, 4, 5)
    """

    def __init__(self, transforms: Sequence[Any]) -> None:
        super().__init__()
        run: list[HybridBlock] = []
        for step in [*transforms, None]:
            if isinstance(step, HybridBlock):
                run.append(step)
                continue
            self.add(*_joined(run))
            run = []
            if step is not None:
                self.add(step)


def _joined(run: Sequence[HybridBlock]) -> Sequence[HybridBlock]:
    """A run of blocks as one."""
    if len(run) < 2:
        return run
    both = HybridSequential()
    both.add(*run)
    return [both]


class RandomApply(Sequential):
    """A transform, or several one after the other, applied with probability `p`.

    >>> T = mx.gluon.data.vision.transforms
    >>> T.RandomApply(T.ToTensor(), p=1)(mx.nd.zeros((4, 5, 3))).shape
    (3, 4, 5)
    """

    def __init__(self, transforms: Any, p: float = 0.5) -> None:
        super().__init__()
        several = isinstance(transforms, (list, tuple))
        self.transforms = Compose(transforms) if several else transforms
        self.p = p

    def forward(self, x: NDArray) -> NDArray:
        """The image, transformed or not."""
        return self.transforms(x) if np.random.random() < self.p else x


# ---- values ------------------------------------------------------------------------------------


class Cast(HybridBlock):
    """To another dtype.

    >>> mx.gluon.data.vision.transforms.Cast("uint8")(mx.nd.ones((2, 2, 3))).dtype
    <class 'numpy.uint8'>
    """

    def __init__(self, dtype: str = "float32") -> None:
        super().__init__()
        self._dtype = dtype

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """The transformed image."""
        return F.cast(x, self._dtype)


class ToTensor(HybridBlock):
    """Images (h, w, c) or (n, h, w, c) of 0..255 to float32 (c, h, w) or (n, c, h, w) of 0..1.

    >>> mx.gluon.data.vision.transforms.ToTensor()(mx.nd.ones((4, 5, 3))).shape
    (3, 4, 5)
    """

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """The transformed image."""
        return F.image.to_tensor(x)


class Normalize(HybridBlock):
    """``(x - mean) / std`` for each channel of (c, h, w) or (n, c, h, w); numbers serve all.

    >>> mx.gluon.data.vision.transforms.Normalize(0.5, 2)(mx.nd.ones((1, 1, 1))).asscalar()
    np.float32(0.25)
    """

    def __init__(
        self, mean: float | Sequence[float] = 0.0, std: float | Sequence[float] = 1.0
    ) -> None:
        super().__init__()
        self._mean, self._std = mean, std

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """The transformed image."""
        return F.image.normalize(x, self._mean, self._std)


# ---- places ------------------------------------------------------------------------------------
