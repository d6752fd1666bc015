"""Random changes of colour."""

from __future__ import annotations

from typing import Any

from ....hybrid_block import HybridBlock


def _around_one(spread: float) -> tuple[float, float]:
    """The least and greatest factor, at most `spread` from 1 and never negative."""
    return max(0, 1 - spread), 1 + spread


class RandomBrightness(HybridBlock):
    """The image times a factor that differs from 1 by up to `brightness`.

    >>> mx.gluon.data.vision.transforms.RandomBrightness(0)(mx.nd.ones((1, 1, 3))).asnumpy()
    array([[[1., 1., 1.]]], dtype=float32)
    """

    def __init__(self, brightness: float) -> None:
        super().__init__()
        self._args = _around_one(brightness)

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """The transformed image."""
        return F.image.random_brightness(x, *self._args)


class RandomContrast(HybridBlock):
    """The image away from its mean brightness by a factor that differs from 1 by up to `contrast`.

    >>> mx.gluon.data.vision.transforms.RandomContrast(0)(mx.nd.ones((1, 1, 3))).asnumpy()
    array([[[1., 1., 1.]]], dtype=float32)
    """

    def __init__(self, contrast: float) -> None:
        super().__init__()
        self._args = _around_one(contrast)

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """The transformed image."""
        return F.image.random_contrast(x, *self._args)


class RandomSaturation(HybridBlock):
    """Colours away from gray by a factor that differs from 1 by up to `saturation`.

    >>> mx.gluon.data.vision.transforms.RandomSaturation(0)(mx.nd.ones((1, 1, 3))).asnumpy()
    array([[[1., 1., 1.]]], dtype=float32)
    """

    def __init__(self, saturation: float) -> None:
        super().__init__()
        self._args = _around_one(saturation)

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """The transformed image."""
        return F.image.random_saturation(x, *self._args)


class RandomHue(HybridBlock):
    """Hues moved on by up to `hue` turns of the colour circle, back or forth.

    >>> mx.gluon.data.vision.transforms.RandomHue(0)(mx.nd.ones((1, 1, 3))).asnumpy()
    array([[[1., 1., 1.]]], dtype=float32)
    """

    def __init__(self, hue: float) -> None:
        super().__init__()
        self._args = _around_one(hue)

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """The transformed image."""
        return F.image.random_hue(x, *self._args)


class RandomColorJitter(HybridBlock):
    """Brightness, contrast, saturation and hue changed at random, in random order.

    >>> mx.gluon.data.vision.transforms.RandomColorJitter()(mx.nd.ones((1, 1, 3))).asnumpy()
    array([[[1., 1., 1.]]], dtype=float32)
    """

    def __init__(
        self, brightness: float = 0, contrast: float = 0, saturation: float = 0, hue: float = 0
    ) -> None:
        super().__init__()
        self._args = (brightness, contrast, saturation, hue)

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """The transformed image."""
        return F.image.random_color_jitter(x, *self._args)


class RandomLighting(HybridBlock):
    """The image plus random amounts, of deviation `alpha`, of ImageNet's colour components.

    >>> mx.gluon.data.vision.transforms.RandomLighting(0)(mx.nd.ones((1, 1, 3))).asnumpy()
    array([[[1., 1., 1.]]], dtype=float32)
    """

    def __init__(self, alpha: float) -> None:
        super().__init__()
        self._alpha = alpha

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """The transformed image."""
        return F.image.random_lighting(x, self._alpha)
