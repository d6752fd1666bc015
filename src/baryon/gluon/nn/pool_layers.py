"""Pooling layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..block import HybridBlock
from ..utils import ArgumentError

Sizes = int | Sequence[int]


def spatial(value: Sizes, axes: int, name: str) -> tuple[int, ...]:
    """A number for all spatial axes, or one for each, as a tuple."""
    value = (value,) * axes if isinstance(value, int) else tuple(value)
    if len(value) != axes:
        raise ArgumentError(f"{name} must be a number or a list of {axes} ints, got {value}")
    return value


def require_layout(layout: str, allowed: tuple[str, ...], what: str) -> None:
    """Raise unless a layout is among those that `what` knows."""
    if layout not in allowed:
        raise ArgumentError(
            f"Only {' and '.join(allowed)} layouts are valid for {len(allowed[0]) - 2}D {what}, "
            f"got {layout!r}"
        )


class _Pooling(HybridBlock):
    """Pooling over any number of axes."""

    def __init__(
        self,
        pool_size: tuple[int, ...],
        strides: Sizes | None,
        padding: Sizes,
        ceil_mode: bool,
        global_pool: bool,
        pool_type: str,
        layout: str,
        count_include_pad: bool | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        axes = len(pool_size)
        self._kwargs = {
            "kernel": pool_size,
            "stride": pool_size if strides is None else spatial(strides, axes, "strides"),
            "pad": spatial(padding, axes, "padding"),
            "global_pool": global_pool,
            "pool_type": pool_type,
            "layout": layout,
            "pooling_convention": "full" if ceil_mode else "valid",
        }
        if count_include_pad is not None:
            self._kwargs["count_include_pad"] = count_include_pad

    def _alias(self) -> str:
        return "pool"

    def __repr__(self) -> str:
        k = self._kwargs
        ceil_mode = k["pooling_convention"] == "full"
        return (
            f"{type(self).__name__}(size={k['kernel']}, stride={k['stride']}, padding={k['pad']}, "
            f"ceil_mode={ceil_mode}, global_pool={k['global_pool']}, pool_type={k['pool_type']}, "
            f"layout={k['layout']})"
        )

    def hybrid_forward(self, F: Any, x: Any) -> Any:
        """The operator ``Pooling``."""
        return F.Pooling(x, name="fwd", **self._kwargs)


class MaxPool1D(_Pooling):
    """1-d pooling by the maximum of each window; data is in layout NCW or NWC.

    pool_size, padding : a number or one for each axis.
    strides            : likewise; default: `pool_size`.
    ceil_mode          : whether the output's size is rounded up.

    >>> mx.gluon.nn.MaxPool1D()(mx.nd.ones((1, 2, 8))).shape
    (1, 2, 4)
    """

    def __init__(
        self,
        pool_size: Sizes = 2,
        strides: Sizes | None = None,
        padding: Sizes = 0,
        layout: str = "NCW",
        ceil_mode: bool = False,
        **kwargs: Any,
    ) -> None:
        require_layout(layout, ("NCW", "NWC"), "Pooling")
        super().__init__(
            spatial(pool_size, 1, "pool_size"),
            strides,
            padding,
            ceil_mode,
            False,
            "max",
            layout,
            **kwargs,
        )


class MaxPool2D(_Pooling):
    """2-d pooling by the maximum of each window; data is in layout NCHW or NHWC.

    pool_size, padding : a number or one for each axis.
    strides            : likewise; default: `pool_size`.
    ceil_mode          : whether the output's size is rounded up.

    >>> mx.gluon.nn.MaxPool2D()(mx.nd.ones((1, 2, 8, 8))).shape
    (1, 2, 4, 4)
    """

    def __init__(
        self,
        pool_size: Sizes = (2, 2),
        strides: Sizes | None = None,
        padding: Sizes = 0,
        layout: str = "NCHW",
        ceil_mode: bool = False,
        **kwargs: Any,
    ) -> None:
        require_layout(layout, ("NCHW", "NHWC"), "Pooling")
        super().__init__(
            spatial(pool_size, 2, "pool_size"),
            strides,
            padding,
            ceil_mode,
            False,
            "max",
            layout,
            **kwargs,
        )


class MaxPool3D(_Pooling):
    """3-d pooling by the maximum of each window; data is in layout NCDHW or NDHWC.

    pool_size, padding : a number or one for each axis.
    strides            : likewise; default: `pool_size`.
    ceil_mode          : whether the output's size is rounded up.

    >>> mx.gluon.nn.MaxPool3D()(mx.nd.ones((1, 2, 8, 8, 8))).shape
    (1, 2, 4, 4, 4)
    """

    def __init__(
        self,
        pool_size: Sizes = (2, 2, 2),
        strides: Sizes | None = None,
        padding: Sizes = 0,
        ceil_mode: bool = False,
        layout: str = "NCDHW",
        **kwargs: Any,
    ) -> None:
        require_layout(layout, ("NCDHW", "NDHWC"), "Pooling")
        super().__init__(
            spatial(pool_size, 3, "pool_size"),
            strides,
            padding,
            ceil_mode,
            False,
            "max",
            layout,
            **kwargs,
        )


class AvgPool1D(_Pooling):
    """1-d pooling by the mean of each window; data is in layout NCW or NWC.

    pool_size, padding : a number or one for each axis.
    strides            : likewise; default: `pool_size`.
    ceil_mode          : whether the output's size is rounded up.
    count_include_pad  : whether padding counts among the elements averaged.

    >>> mx.gluon.nn.AvgPool1D()(mx.nd.ones((1, 2, 8))).shape
    (1, 2, 4)
    """

    def __init__(
        self,
        pool_size: Sizes = 2,
        strides: Sizes | None = None,
        padding: Sizes = 0,
        layout: str = "NCW",
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        **kwargs: Any,
    ) -> None:
        require_layout(layout, ("NCW", "NWC"), "Pooling")
        super().__init__(
            spatial(pool_size, 1, "pool_size"),
            strides,
            padding,
            ceil_mode,
            False,
            "avg",
            layout,
            count_include_pad,
            **kwargs,
        )


class AvgPool2D(_Pooling):
    """2-d pooling by the mean of each window; data is in layout NCHW or NHWC.

    pool_size, padding : a number or one for each axis.
    strides            : likewise; default: `pool_size`.
    ceil_mode          : whether the output's size is rounded up.
    count_include_pad  : whether padding counts among the elements averaged.

    >>> mx.gluon.nn.AvgPool2D()(mx.nd.ones((1, 2, 8, 8))).shape
    (1, 2, 4, 4)
    """

    def __init__(
        self,
        pool_size: Sizes = (2, 2),
        strides: Sizes | None = None,
        padding: Sizes = 0,
        ceil_mode: bool = False,
        layout: str = "NCHW",
        count_include_pad: bool = True,
        **kwargs: Any,
    ) -> None:
        require_layout(layout, ("NCHW", "NHWC"), "Pooling")
        super().__init__(
            spatial(pool_size, 2, "pool_size"),
            strides,
            padding,
            ceil_mode,
            False,
            "avg",
            layout,
            count_include_pad,
            **kwargs,
        )


class AvgPool3D(_Pooling):
    """3-d pooling by the mean of each window; data is in layout NCDHW or NDHWC.

    pool_size, padding : a number or one for each axis.
    strides            : likewise; default: `pool_size`.
    ceil_mode          : whether the output's size is rounded up.
    count_include_pad  : whether padding counts among the elements averaged.

    >>> mx.gluon.nn.AvgPool3D()(mx.nd.ones((1, 2, 8, 8, 8))).shape
    (1, 2, 4, 4, 4)
    """

    def __init__(
        self,
        pool_size: Sizes = (2, 2, 2),
        strides: Sizes | None = None,
        padding: Sizes = 0,
        ceil_mode: bool = False,
        layout: str = "NCDHW",
        count_include_pad: bool = True,
        **kwargs: Any,
    ) -> None:
        require_layout(layout, ("NCDHW", "NDHWC"), "Pooling")
        super().__init__(
            spatial(pool_size, 3, "pool_size"),
            strides,
            padding,
            ceil_mode,
            False,
            "avg",
            layout,
            count_include_pad,
            **kwargs,
        )


class GlobalMaxPool1D(_Pooling):
    """The maximum over all positions of each channel; data is in layout NCW or NWC.

    >>> mx.gluon.nn.GlobalMaxPool1D()(mx.nd.ones((1, 2, 8))).shape
    (1, 2, 1)
    """

    def __init__(self, layout: str = "NCW", **kwargs: Any) -> None:
        require_layout(layout, ("NCW", "NWC"), "Pooling")
        super().__init__((1,), None, 0, True, True, "max", layout, **kwargs)


class GlobalMaxPool2D(_Pooling):
    """The maximum over all spatial axes of each channel; data is in layout NCHW or NHWC.

    >>> mx.gluon.nn.GlobalMaxPool2D()(mx.nd.ones((1, 2, 8, 8))).shape
    (1, 2, 1, 1)
    """

    def __init__(self, layout: str = "NCHW", **kwargs: Any) -> None:
        require_layout(layout, ("NCHW", "NHWC"), "Pooling")
        super().__init__((1, 1), None, 0, True, True, "max", layout, **kwargs)


class GlobalMaxPool3D(_Pooling):
    """The maximum over all spatial axes of each channel; data is in layout NCDHW or NDHWC.

    >>> mx.gluon.nn.GlobalMaxPool3D()(mx.nd.ones((1, 2, 8, 8, 8))).shape
    (1, 2, 1, 1, 1)
    """

    def __init__(self, layout: str = "NCDHW", **kwargs: Any) -> None:
        require_layout(layout, ("NCDHW", "NDHWC"), "Pooling")
        super().__init__((1, 1, 1), None, 0, True, True, "max", layout, **kwargs)


class GlobalAvgPool1D(_Pooling):
    """The mean over all positions of each channel; data is in layout NCW or NWC.

    >>> mx.gluon.nn.GlobalAvgPool1D()(mx.nd.ones((1, 2, 8))).shape
    (1, 2, 1)
    """

    def __init__(self, layout: str = "NCW", **kwargs: Any) -> None:
        require_layout(layout, ("NCW", "NWC"), "Pooling")
        super().__init__((1,), None, 0, True, True, "avg", layout, **kwargs)


class GlobalAvgPool2D(_Pooling):
    """The mean over all spatial axes of each channel; data is in layout NCHW or NHWC.

    >>> mx.gluon.nn.GlobalAvgPool2D()(mx.nd.ones((1, 2, 8, 8))).shape
    (1, 2, 1, 1)
    """

    def __init__(self, layout: str = "NCHW", **kwargs: Any) -> None:
        require_layout(layout, ("NCHW", "NHWC"), "Pooling")
        super().__init__((1, 1), None, 0, True, True, "avg", layout, **kwargs)


class GlobalAvgPool3D(_Pooling):
    """The mean over all spatial axes of each channel; data is in layout NCDHW or NDHWC.

    >>> mx.gluon.nn.GlobalAvgPool3D()(mx.nd.ones((1, 2, 8, 8, 8))).shape
    (1, 2, 1, 1, 1)
    """

    def __init__(self, layout: str = "NCDHW", **kwargs: Any) -> None:
        require_layout(layout, ("NCDHW", "NDHWC"), "Pooling")
        super().__init__((1, 1, 1), None, 0, True, True, "avg", layout, **kwargs)
