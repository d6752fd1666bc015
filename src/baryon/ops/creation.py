"""Arrays made from attributes alone."""

from __future__ import annotations

from math import ceil, isfinite, prod

from ..base import MXNetError
from ..dtypes import BY_CODE, as_dtype
from .attrs import Attrs, DType, Shape
from .fusion import Fusion
from .op import op
from .rules import attr_dtype, forward, unify
from .samples import normal


def _declared(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    """The shape attribute, in which 0 is a dimension that the users of the array decide."""
    shape = tuple(d or -1 for d in attrs.shape) if attrs.shape else None
    if shape and min(shape) < -1:
        raise MXNetError(f"attribute shape {attrs.shape} has negative dimensions")
    return ins, [unify(shape, outs[0])]


def _certain(shape: tuple[int, ...] | None) -> tuple[int, ...]:
    """The shape for a body: unknown dimensions as 1, which broadcasts to what they turn out."""
    return tuple(d or 1 for d in shape or ())


def _value(of):
    """Kernel parameters of a constant array."""
    return lambda attrs, ins, outs: (of(attrs),)


@op("_zeros", shape=_declared, dtype=attr_dtype(), kernel="_full", params=_value(lambda a: 0.0))
def zeros(xp, *, shape: Shape = (), ctx: str = "", dtype: DType = "float32"):
    """Zeros; a dimension of 0 in `shape` is inferred in a Symbol. `ctx` is the front end's.

    `dtype` is that of the result.

    >>> mx.nd.zeros((1, 2)).asnumpy()
    array([[0., 0.]], dtype=float32)
    """
    return xp.zeros(_certain(shape), dtype)


zeros.fusion = Fusion(uniform=True)
zeros.sample(shape=(2, 3))


@op("_ones", shape=_declared, dtype=attr_dtype(), kernel="_full", params=_value(lambda a: 1.0))
def ones(xp, *, shape: Shape = (), ctx: str = "", dtype: DType = "float32"):
    """Ones; a dimension of 0 in `shape` is inferred in a Symbol. `ctx` is the front end's.

    `dtype` is that of the result.

    >>> mx.nd.ones((1, 2), dtype="int32").asnumpy()
    array([[1, 1]], dtype=int32)
    """
    return xp.ones(_certain(shape), dtype)


ones.fusion = Fusion(uniform=True)
ones.sample(shape=(2, 3), dtype="int32")


@op(
    "_full",
    aliases=("_npi_full",),
    shape=_declared,
    dtype=attr_dtype(),
    kernel=True,
    params=_value(lambda a: a.value),
)
def full(xp, *, shape: Shape | None = None, ctx: str = "", dtype: DType = "float32", value: float):
    """An array of one `value`.

    It has `shape` and `dtype`; `ctx` names the device.

    >>> mx.nd.full((1, 2), 7).asnumpy()
    array([[7., 7.]], dtype=float32)
    """
    return xp.full(_certain(shape), value, dtype)


full.fusion = Fusion(uniform=True)
full.sample(shape=(2, 3), value=2.5)


def _code_dtype(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    if attrs.dtype == -1:
        return ins, outs
    if attrs.dtype not in BY_CODE:
        raise MXNetError(f"attribute dtype {attrs.dtype} is not the code of a data type")
    return ins, [BY_CODE[attrs.dtype]]


@op("_zeros_without_dtype", shape=_declared, dtype=_code_dtype)
def zeros_without_dtype(xp, *, shape: Shape | None = None, ctx: str = "", dtype: int = -1):
    """Zeros whose type is that of the code `dtype`; -1: of ``out``, or what their users decide.

    >>> mx.nd._internal._zeros_without_dtype(shape=2, out=mx.nd.ones(2, dtype="int32")).asnumpy()
    array([0, 0], dtype=int32)
    """
    return xp.zeros(_certain(shape))


zeros_without_dtype.sample(shape=(2, 3), dtype=0)
zeros_without_dtype.sample(shape=(2, 3), dtype=6)


@op(
    "_set_value",
    shape=lambda attrs, ins, outs: (ins, outs),
    dtype="float32",
    kernel="_full",
    params=_value(lambda a: a.src),
)
def set_value(xp, *, src: float = 0.0):
    """The number `src` in every element of ``out``, whose shape it takes.

    >>> mx.nd._internal._set_value(src=2.5, out=mx.nd.zeros(2)).asnumpy()
    array([2.5, 2.5], dtype=float32)
    """
    return xp.full((), src)


def _eye_shape(attrs: Attrs) -> tuple[int, int]:
    if attrs.N < 1 or attrs.M < 0:
        raise MXNetError(f"N {attrs.N} and M {attrs.M} are not the sides of a matrix")
    return attrs.N, attrs.M or attrs.N


@op(
    "_eye",
    shape=forward(_eye_shape),
    dtype=attr_dtype(),
    kernel=True,
    params=lambda a, ins, outs: (a.k,),
)
def eye(xp, *, N: int, M: int = 0, k: int = 0, ctx: str = "", dtype: DType = "float32"):
    """An N x M matrix (M 0: square) of ones on diagonal `k` and zeros elsewhere.

    `dtype` is that of the result.

    >>> mx.nd.eye(2).asnumpy()
    array([[1., 0.],
           [0., 1.]], dtype=float32)
    """
    return xp.eye(N, M or N, k, dtype=dtype)


eye.sample(N=4, M=3, k=-2)


def _range(attrs: Attrs) -> tuple[float, int]:
    """Start and number of distinct values of an arange."""
    start, stop, step = attrs.start, attrs.stop, attrs.step
    if stop is None:
        start, stop = 0.0, attrs.start
    if step == 0 or not all(map(isfinite, (start, stop, step))) or attrs.repeat < 1:
        raise MXNetError(f"start {start}, stop {stop}, step {step} do not make a range")
    count = ceil((stop - start) / step)
    if count < 1:
        raise MXNetError(f"no number lies between start {start} and stop {stop} by step {step}")
    return start, count


def _range_shape(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    if attrs.infer_range and attrs.stop is None:
        return ins, [unify((-1,), outs[0])]
    return ins, [unify((_range(attrs)[1] * attrs.repeat,), outs[0])]


def _range_params(attrs: Attrs, ins, outs) -> tuple:
    start = attrs.start if attrs.infer_range and attrs.stop is None else _range(attrs)[0]
    return start, attrs.step, attrs.repeat


def ramp(xp, start: float, step: float, count: int, repeat: int, dtype):
    """``start + step * i`` for i < count, each `repeat` times, computed in float64."""
    values = start + step * xp.arange(count, dtype="float64")
    return xp.repeat(values, repeat).astype(dtype)


@op("_arange", shape=_range_shape, dtype=attr_dtype(), kernel=True, params=_range_params)
def arange(
    xp,
    *,
    start: float,
    stop: float | None = None,
    step: float = 1.0,
    repeat: int = 1,
    infer_range: bool = False,
    ctx: str = "",
    dtype: DType = "float32",
):
    """Numbers from `start` up to `stop`, each `repeat` times; a lone `start` is the stop after 0.

    With `infer_range` and no `stop` the length follows from the users of the array in a Symbol.
    `dtype` is that of the result. `step` lies between neighbours.

    >>> mx.nd.arange(1, 3, repeat=2).asnumpy()
    array([1., 1., 2., 2.], dtype=float32)
    """
    attrs = Attrs(start=start, stop=stop, step=step, repeat=repeat)
    if infer_range and stop is None:
        raise MXNetError("operator _arange: infer_range needs the native engine")
    begin, count = _range(attrs)
    return ramp(xp, begin, step, count, repeat, dtype)


arange.sample(start=5)
arange.sample(start=1, stop=0, step=-0.3, dtype="float64")
arange.sample(start=0, stop=3, repeat=2, dtype="int32")


def _linspace_shape(attrs: Attrs) -> tuple[int]:
    if attrs.num < 1:
        raise MXNetError(f"num is {attrs.num}")
    return (attrs.num,)


@op("_linspace", aliases=("_npi_linspace",), shape=forward(_linspace_shape), dtype=attr_dtype())
def linspace(
    xp,
    *,
    start: float,
    stop: float | None = None,
    num: int,
    endpoint: bool = True,
    step: float = 1.0,
    repeat: int = 1,
    infer_range: bool = False,
    ctx: str = "",
    dtype: DType = "float32",
):
    """`num` evenly spaced numbers from `start` to `stop`, which is left out without `endpoint`.

    `step`, `repeat` and `infer_range` are accepted as in MXNet and change nothing. `dtype` is that
    of the result.

    >>> mx.nd.linspace(0, 1, 5).asnumpy()
    array([0.  , 0.25, 0.5 , 0.75, 1.  ], dtype=float32)
    """
    return xp.linspace(start, stop, num, endpoint=endpoint).astype(as_dtype(dtype))


linspace.sample(start=0, stop=1, num=5)
linspace.sample(start=0, stop=1, num=5, endpoint=False, dtype="float64")


# ---- like another array --------------------------------------------------------------------------


def _like_shape(attrs: Attrs, data: tuple[int, ...]) -> tuple[int, ...]:
    if attrs.repeat < 1:
        raise MXNetError(f"repeat is {attrs.repeat}")
    if attrs.axis is None:
        return data
    return (data[attrs.axis],)


@op(
    "_contrib_arange_like",
    aliases=("_npx_arange_like",),
    shape=forward(_like_shape),
    kernel="_arange",
    params=lambda a, ins, outs: (a.start, a.step, a.repeat),
)
def arange_like(
    xp,
    data,
    *,
    start: float = 0.0,
    step: float = 1.0,
    repeat: int = 1,
    ctx: str = "",
    axis: int | None = None,
):
    """Numbers from `start` by `step`, in the shape of `data` or as many as its `axis` is long.

    Each of them comes `repeat` times.

    >>> mx.nd.contrib.arange_like(mx.nd.zeros((2, 3)), axis=1).asnumpy()
    array([0., 1., 2.], dtype=float32)
    """
    shape = _like_shape(Attrs(axis=axis, repeat=repeat), data.shape)
    size = prod(shape)
    return ramp(xp, start, step, -(-size // repeat), repeat, data.dtype)[:size].reshape(shape)


arange_like.sample(data=normal(2, 3), start=1.5, step=0.5)
arange_like.sample(data=normal(2, 3), axis=-1)


@op(
    "_contrib_index_array",
    shape=forward(lambda a, data: (*data, len(data) if a.axes is None else len(a.axes))),
    dtype="int64",
)
def index_array(xp, data, *, axes: Shape | None = None):
    """The index of every element of `data`: result[i, j, ...] = (i, j, ...), or just `axes` of it.

    >>> mx.nd.contrib.index_array(mx.nd.zeros((1, 2))).asnumpy()
    array([[[0, 0],
            [0, 1]]])
    """
    chosen = range(data.ndim) if axes is None else axes
    grid = xp.indices(data.shape, dtype="int64")
    return xp.stack([grid[a] for a in chosen], axis=-1)


index_array.sample(data=normal(2, 3))
index_array.sample(data=normal(2, 3, 2), axes=(-1, 0))
