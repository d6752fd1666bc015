"""Convolution and batch norm together with what follows them: the fuse pass draws these.

Either may add a tensor to its result and cut the sum to bounds; a convolution may scale and shift
its filters, as a batch norm of moving statistics does. No user names them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from .attrs import Attrs, Shape
from .blocked import BLOCK, blocked, image
from .convolution import convolution, geometry
from .fusion import Beginning, Fusion
from .norm import along, batch_norm
from .numeric import widen
from .op import op
from .rules import unify, unify_dtypes
from .samples import normal
from .samples import uniform as spread
from .softmax import axis_of, split_at
from .windows import is_channels_last

INFINITY = math.inf


def _finished(xp: Any, out: Any, addend: Any, low: float, high: float) -> Any:
    """The end of both bodies: a sum, cut to bounds."""
    out = out if addend is None else out + addend
    return xp.minimum(xp.maximum(out, out.dtype.type(low)), out.dtype.type(high))


def _ending(attrs: Attrs) -> tuple:
    return attrs.low, attrs.high, attrs.adds


def _adding(attrs: Attrs) -> bool:
    return attrs.adds


# ---- convolution -------------------------------------------------------------------------------


def _convolution_shapes(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    found, outs = convolution.shape_rule(attrs, ins[:3], outs)
    return [*found, unify(ins[3], found[2]), *(unify(s, outs[0]) for s in ins[4:])], outs


def _convolution_dtypes(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    """All alike but for the vectors, which may be of another type."""
    data = unify_dtypes([*ins[:2], *ins[4:], *outs])
    vectors = [data if d is None else d for d in ins[2:4]]
    return [data, data, *vectors, *(data for _ in ins[4:])], [data]


def _convolution_params(attrs: Attrs, ins: Sequence[Any], outs: Sequence[Any]) -> tuple | None:
    found = convolution.params(attrs, ins, outs)
    return None if found is None else (*found, *_ending(attrs))


@op(
    "_fused_Convolution",
    shape=_convolution_shapes,
    dtype=_convolution_dtypes,
    present={"addend": _adding},
    params=_convolution_params,
    flops=convolution.flops,
    rowwise=("data", "addend"),
)
def fused_convolution(
    xp: Any,
    data: Any,
    weight: Any,
    bias: Any,
    scale: Any,
    addend: Any = None,
    *,
    kernel: Shape,
    stride: Shape = (),
    dilate: Shape = (),
    pad: Shape = (),
    num_filter: int,
    num_group: int = 1,
    layout: str | None = None,
    adds: bool = False,
    low: float = -INFINITY,
    high: float = INFINITY,
) -> Any:
    """``clip(convolution * scale + bias + addend, low, high)``, scale and bias one a filter.

    `adds` says whether there is an addend. All else as in `Convolution`.

    >>> x, w, one = mx.nd.array([[[[1.0, -2.0]]]]), mx.nd.ones((1, 1, 1, 1)), mx.nd.ones((1,))
    >>> call = mx.nd._internal._fused_Convolution
    >>> call(x, w, one, one, kernel=(1, 1), num_filter=1, low=0.0).asnumpy()
    array([[[[2., 0.]]]], dtype=float32)
    """
    window = {"kernel": kernel, "stride": stride, "dilate": dilate, "pad": pad, "layout": layout}
    out = convolution.body(xp, data, weight, num_filter=num_filter, num_group=num_group, **window)
    across = (-1,) if is_channels_last(layout) else (-1, *(1,) * (out.ndim - 2))
    return _finished(xp, out * scale.reshape(across) + bias.reshape(across), addend, low, high)


def _begin_convolution(inputs: Sequence[Any], attrs: Attrs) -> Beginning:
    data, weight, *bias = inputs
    vector = (attrs.num_filter,)
    given = [data, weight, *(bias or [("_npi_zeros", vector)]), ("_npi_ones", vector)]
    return Beginning(fused_convolution, given, {"num_filter": attrs.num_filter, **geometry(attrs)})


def _go_on(own: Any) -> Any:
    """A fused call as the beginning of itself with a longer ending."""
    return lambda inputs, attrs: Beginning(own, list(inputs), {k: attrs[k] for k in own.attrs})


convolution.fusion = Fusion(begins=_begin_convolution)
fused_convolution.fusion = Fusion(begins=_go_on(fused_convolution), scaled=(3, 2))
blocked(
    fused_convolution, ("data", "addend"), (0,), heavy=True, options=("winograd", "keep_weights")
)


# ---- batch norm --------------------------------------------------------------------------------


@op(
    "_BatchNorm_affine",
    outputs=("scale", "shift"),
    mutates=lambda a: (0,) if a.fix_gamma else (),
    kernel=True,
    params=lambda a, ins, outs: (a.eps, a.fix_gamma),
)
def norm_affine(
    xp: Any,
    gamma: Any,
    beta: Any,
    mean: Any,
    var: Any,
    bias: Any,
    *,
    eps: float,
    fix_gamma: bool,
) -> Any:
    """Scale and shift that do what adding `bias` and a batch norm of moving statistics do.

    gamma, beta, mean, var and bias : (channels,); `eps` and `fix_gamma` as in `BatchNorm`.

    >>> one, zero, var = mx.nd.ones((1,)), mx.nd.zeros((1,)), mx.nd.array([4.0])
    >>> call = mx.nd._internal._BatchNorm_affine
    >>> [x.asscalar() for x in call(one, zero, one, var, zero, eps=0.0, fix_gamma=False)]
    [np.float32(0.5), np.float32(-0.5)]
    """
    weight = xp.ones_like(gamma) if fix_gamma else gamma
    scale = weight / xp.sqrt(var + gamma.dtype.type(eps))
    result = scale, beta + (bias - mean) * scale
    return (*result, weight) if fix_gamma else result


def _affine(inputs: Sequence[Any], attrs: Attrs, bias: Any) -> Sequence[Any] | None:
    if attrs.train and not attrs.use_global_stats:
        return None
    return norm_affine(*inputs[1:], bias, eps=attrs.eps, fix_gamma=attrs.fix_gamma)


def _norm_shapes(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    found, outs = batch_norm.shape_rule(attrs, ins[:5], outs)
    return [*found, *(unify(s, outs[0]) for s in ins[5:])], outs


def _norm_dtypes(attrs: Attrs, ins: list, outs: list) -> tuple[list, list]:
    found, outs = batch_norm.dtype_rule(attrs, ins[:5], outs)
    return [*found, *(unify_dtypes([d, outs[0]]) for d in ins[5:])], outs


@op(
    "_fused_BatchNorm",
    shape=_norm_shapes,
    dtype=_norm_dtypes,
    outputs=("output", "mean", "var"),
    present={"addend": _adding},
    mutates=batch_norm.mutates,
    inplace={0: "data"},
    idempotent=True,
    rowwise=lambda a: ("addend", *found) if (found := batch_norm.rowwise(a)) else (),
    params=lambda a, ins, outs: (*batch_norm.params(a, ins, outs), *_ending(a)),
)
def fused_batch_norm(
    xp: Any,
    data: Any,
    gamma: Any,
    beta: Any,
    moving_mean: Any,
    moving_var: Any,
    addend: Any = None,
    *,
    eps: float,
    momentum: float,
    fix_gamma: bool,
    use_global_stats: bool = False,
    output_mean_var: bool = False,
    axis: int = 1,
    adds: bool = False,
    low: float = -INFINITY,
    high: float = INFINITY,
    train: bool,
) -> Any:
    """Batch norm, then ``clip(result + addend, low, high)``.

    `adds` says whether there is an addend. All else as in `BatchNorm`.

    >>> x, one, zero = mx.nd.array([[-1.0], [3.0]]), mx.nd.ones((1,)), mx.nd.zeros((1,))
    >>> call = mx.nd._internal._fused_BatchNorm
    >>> call(x, one, zero, zero, one, eps=0.0, momentum=0.9, fix_gamma=True, high=2.0)[0].asnumpy()
    array([[-1.],
           [ 2.]], dtype=float32)
    """
    own = {"eps": eps, "fix_gamma": fix_gamma, "use_global_stats": use_global_stats, "axis": axis}
    states = (moving_mean, moving_var)
    out, *rest = batch_norm.body(xp, data, gamma, beta, *states, **own, train=train)
    return (_finished(xp, out, addend, low, high), *rest)


def _begin_norm(inputs: Sequence[Any], attrs: Attrs) -> Beginning:
    raw = {k: v for k, v in attrs.items() if k in fused_batch_norm.attrs}
    return Beginning(fused_batch_norm, list(inputs), raw)


@op(
    "_again_BatchNorm",
    shape=lambda a, ins, outs: (ins, [ins[0]]),
    dtype=lambda a, ins, outs: (ins, [ins[0]]),
    present={"addend": _adding},
    derived=True,
    inplace={0: "data"},
    params=lambda a, ins, outs: (*split_at(ins[0].shape, a.axis), a.fix_gamma, *_ending(a)),
)
def again_batch_norm(
    xp: Any,
    data: Any,
    gamma: Any,
    beta: Any,
    mean: Any,
    scale: Any,
    addend: Any = None,
    *,
    fix_gamma: bool,
    axis: int = 1,
    adds: bool = False,
    low: float = -INFINITY,
    high: float = INFINITY,
) -> Any:
    """What `_fused_BatchNorm` gave, once more from the `mean` and the `scale` that it found."""
    x, axis = widen(xp, data), axis_of(axis, data.ndim)
    factor = scale if fix_gamma else scale * gamma
    out = (x - along(mean, axis, x.ndim)) * along(factor, axis, x.ndim) + along(beta, axis, x.ndim)
    return _finished(xp, out, addend, low, high)


def _again(inputs: Sequence[Any], outs: Sequence[Any], attrs: Attrs) -> Beginning:
    raw = {k: v for k, v in attrs.items() if k in again_batch_norm.attrs}
    return Beginning(again_batch_norm, [*inputs[:3], *outs[1:3], *inputs[5:]], raw)


batch_norm.fusion = Fusion(begins=_begin_norm, affine=_affine)
fused_batch_norm.fusion = Fusion(begins=_go_on(fused_batch_norm))
blocked(fused_batch_norm, ("data", "addend"), (0,))
blocked(again_batch_norm, ("data", "addend"), (0,))
batch_norm.again = fused_batch_norm.again = _again
again_batch_norm.fusion = Fusion(begins=_go_on(again_batch_norm))
again_batch_norm.again = lambda inputs, outs, attrs: _go_on(again_batch_norm)(inputs, attrs)


# ---- samples -----------------------------------------------------------------------------------

_vector = {"gamma": spread(3), "beta": normal(3), "mean": normal(3), "bias": normal(3)}
for _fixed in (False, True):
    _var = spread(3, low=0.5, high=1.5)
    norm_affine.sample(**_vector, var=_var, eps=1e-3, fix_gamma=_fixed, _dtypes=("float32",))

_near = {"_dtypes": ("float32",), "_rtol": 1e-4, "_atol": 2e-4, "low": 0.0, "high": 6.0}


def _sample_convolution(block: int, size: int, stride: int, plane: bool, adds: bool) -> None:
    """On images in blocks, or (`block` 1) on plain ones."""
    channels, filters = (3 if plane else 2 * block), 3 * block
    draw = image if block > 1 else lambda _, *shape: normal(*shape)
    sizes = [(n + size // 2 * 2 - size) // stride + 1 for n in (8, 13)]
    window = {"kernel": (size,) * 2, "stride": (stride,) * 2, "pad": (size // 2,) * 2}
    more = {"addend": draw(block, 2, filters, *sizes)} if adds else {}
    if block > 1:
        more |= {"block": block, "plain": (0,) if plane else (), "winograd": size == 3}
    (fused_convolution.blocked.op if block > 1 else fused_convolution).sample(
        data=normal(2, channels, 8, 13) if plane else draw(block, 2, channels, 8, 13),
        weight=normal(filters, channels, size, size, scale=0.2),
        bias=normal(filters),
        scale=normal(filters),
        num_filter=filters,
        adds=adds,
        **window,
        **more,
        **_near,
    )


def _sample_norm(block: int, fixed: bool, adds: bool) -> None:
    """The same of batch norm."""
    channels, draw = 2 * block, image if block > 1 else lambda _, *shape: normal(*shape)
    more = {"addend": draw(block, 3, channels, 5, 3)} if adds else {}
    if block > 1:
        more["block"] = block
    (fused_batch_norm.blocked.op if block > 1 else fused_batch_norm).sample(
        data=draw(block, 3, channels, 5, 3),
        gamma=spread(channels),
        beta=normal(channels),
        moving_mean=normal(channels),
        moving_var=spread(channels, low=0.5, high=1.5),
        **dict(eps=1e-3, momentum=0.9, fix_gamma=fixed, adds=adds),
        **more,
        **_near,
    )
    (again_batch_norm.blocked.op if block > 1 else again_batch_norm).sample(
        data=draw(block, 3, channels, 5, 3),
        **dict(gamma=spread(channels), beta=normal(channels), mean=normal(channels)),
        scale=spread(channels, low=0.5, high=1.5),
        **dict(fix_gamma=fixed, adds=adds),
        **more,
        **_near,
    )


for _block in (1, BLOCK):
    for _adds in (False, True):
        _sample_convolution(_block, 3, 1, False, _adds)
        _sample_convolution(_block, 3, 2, False, _adds)
        _sample_convolution(_block, 1, 1, False, _adds)
        _sample_convolution(_block, 5, 2, True, _adds)
        _sample_norm(_block, _adds, _adds)
