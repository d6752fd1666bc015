"""Random samplers of the NumPy interface whose values are real numbers.

A parameter is a number (an attribute) or an array (an input). Where MXNet differentiates a sample
by its parameters, so do these; the noise behind it is then a hidden second output.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from ..base import MXNetError
from . import sampling
from .attrs import Attrs, DType, Shape
from .device import fixed
from .functions import log, log1p
from .np_reduce import like
from .op import Op, op
from .random import draw_normal, draw_uniform
from .rules import attr_dtype, broadcast_shapes, forward, output_dtype
from .samples import Draw, uniform
from .unary import flat

Slope = Callable[[Any, Any, Any, Any], Any]  # (dy, out, noise, parameter) -> gradient


class Parameter(NamedTuple):
    """One parameter: its default (empty: required), and which values are allowed (None: all)."""

    default: Any = inspect.Parameter.empty
    allows: Callable[[Any], Any] | None = None
    needs: str = ""


def _positive(value: Any) -> Any:
    return value > 0


def _not_negative(value: Any) -> Any:
    return value >= 0


ANY = Parameter()
SCALE = Parameter(allows=_not_negative, needs="not negative")
POSITIVE = Parameter(None, _positive, "positive")


def arrays(parameters: Mapping[str, Parameter], attrs: Mapping[str, Any]) -> list[str]:
    """The parameters that are inputs, in order."""
    return [name for name in parameters if attrs[name] is None]


def drawn_shape(attrs: Attrs, *shapes: tuple[int, ...]) -> tuple[int, ...]:
    """The attribute `size`, to which the parameters broadcast; without it, what they make."""
    common = broadcast_shapes((), *shapes)
    if attrs.size is None:
        return common
    if broadcast_shapes(common, attrs.size) != attrs.size:
        raise MXNetError(f"parameters of shape {common} do not broadcast to size {attrs.size}")
    return attrs.size


def many_drawn_shape(attrs: Attrs, *shapes: tuple[int, ...]) -> tuple[int, ...]:
    """The attribute `size` in front of the shape that the parameters make."""
    return (*(attrs.size or ()), *broadcast_shapes((), *shapes))


def signature(parameters: Mapping[str, Parameter], typed: bool, ctx: bool) -> inspect.Signature:
    """What a sampler's body would spell out: inputs, parameters, size, device, type, generator."""
    kind, only = inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY
    made = [inspect.Parameter("xp", kind)]
    made += [inspect.Parameter(f"input{i + 1}", kind, default=None) for i in range(len(parameters))]
    attrs: dict[str, tuple[Any, Any]] = {
        name: (float | None, p.default) for name, p in parameters.items()
    }
    attrs["size"] = (Shape | None, None)
    if ctx:
        attrs["ctx"] = (str, "cpu")
    if typed:
        attrs["dtype"] = (DType, "float32")
    made += [
        inspect.Parameter(name, only, default=default, annotation=annotation)
        for name, (annotation, default) in attrs.items()
    ]
    return inspect.Signature([*made, inspect.Parameter("rng", only)])


def sampler(
    name: str,
    parameters: Mapping[str, Parameter],
    noise: Callable[..., Any],
    value: Callable[..., Any],
    *,
    doc: str,
    call: str,
    draws: Mapping[str, Draw],
    slopes: Mapping[str, Slope] | None = None,
    typed: bool = False,
    ctx: bool = True,
    kernel: str | None = None,
    shape: Callable[..., tuple[int, ...]] = drawn_shape,
) -> Op:
    """Declare ``_npi_NAME``, which makes ``value(xp, noise, *parameters)`` of standard noise.

    noise  : ``(xp, rng, shape, dtype)`` -> what the parameters turn into a sample.
    draws  : for the tests, a recipe for each parameter.   call : an example that makes 2 numbers.
    slopes : for each parameter the gradient.   typed, ctx : whether it has these attributes.
    kernel : the native kernel that serves numbers as parameters.
    """

    def body(xp: Any, *inputs: Any, rng: Any, size: Any, **attrs: Any) -> Any:
        given = iter(inputs)
        found = []
        for key, parameter in parameters.items():
            number = attrs[key] if attrs[key] is not None else next(given)
            if parameter.allows and not np.all(parameter.allows(number)):
                raise MXNetError(f"operator _npi_{name}: {key} must be {parameter.needs}")
            found.append(number)
        target = shape(Attrs(size=size), *(x.shape for x in inputs))
        raw = noise(xp, rng, target, attrs.get("dtype", np.dtype("float32")))
        result = value(xp, raw, *found)
        return (result, raw) if slopes and inputs else result

    body.__name__ = name
    kind = " `dtype` is that of the result." if typed else ""
    body.__doc__ = (
        f"{doc}\n\nParameters are numbers or arrays, which broadcast to `size`, or to each other "
        f"without it.{kind}\n(MXNet ``mx.np.random.{name}``.)\n\n"
        f"    >>> {call}.shape\n    (2,)\n    "
    )
    body.__signature__ = signature(parameters, typed, ctx)  # type: ignore[attr-defined]

    def outputs(attrs: Attrs) -> tuple[str, ...]:
        return ("output0", "noise") if slopes and arrays(parameters, attrs) else ("output0",)

    made = op(
        f"_npi_{name}",
        outputs=outputs,
        visible=1,
        counted=(lambda attrs: 2) if slopes else None,
        present={
            f"input{i + 1}": lambda attrs, i=i: len(arrays(parameters, attrs)) > i
            for i in range(len(parameters))
        },
        shape=forward(shape),
        dtype=attr_dtype() if typed else output_dtype("float32"),
        kernel=kernel or False,
        params=lambda a, ins, outs: _numbers(parameters, a, outs),
    )(body)
    for i in range(len(parameters)):
        made.gradient(f"input{i + 1}")(_gradient(parameters, slopes, i))
    numbers = dict.fromkeys(parameters, 2.0)
    made.sample(**numbers, size=(3, 4))
    made.sample(**numbers)
    given: dict[str, Any] = dict.fromkeys(parameters)
    given.update((f"input{i + 1}", draw) for i, draw in enumerate(draws.values()))
    given.update({"dtype": "float64"} if typed else {"_dtypes": ("float32",)})
    made.sample(**given)
    if shape is drawn_shape:
        made.sample(**given, size=(4, 2, 3))
    return made


def _numbers(parameters: Mapping[str, Parameter], attrs: Attrs, outs: Any) -> tuple | None:
    """Parameters for a native kernel, which writes real types and knows numbers only."""
    plain = not arrays(parameters, attrs) and outs[0].dtype in (np.float32, np.float64)
    if not plain or any(p.allows and not p.allows(attrs[n]) for n, p in parameters.items()):
        return None
    return tuple(attrs[n] for n in parameters)


def _gradient(
    parameters: Mapping[str, Parameter], slopes: Mapping[str, Slope] | None, i: int
) -> Callable[..., Any]:
    """The rule of the i-th input: the slope of whichever parameter that is."""
    if slopes is None:
        return flat
    own = f"input{i + 1}"

    def rule(attrs: Attrs, outs: Any, **read: Any) -> Any:
        dy = read["d_output0"]
        if dy is None:
            return None
        out, noise = outs
        return slopes[arrays(parameters, attrs)[i]](dy, out, noise, like(read[own], dy))

    only = inspect.Parameter.KEYWORD_ONLY
    names = ("attrs", "outs", "d_output0", own)
    rule.__signature__ = inspect.Signature([inspect.Parameter(n, only) for n in names])  # type: ignore
    return rule


# ---- the distributions ---------------------------------------------------------------------------


def _uniform(xp: Any, rng: Any, shape: Any, dtype: Any) -> Any:
    return draw_uniform(rng, shape, dtype, 0.0, 1.0)


def _normal(xp: Any, rng: Any, shape: Any, dtype: Any) -> Any:
    return draw_normal(rng, shape, dtype, 0.0, 1.0)


def _exponential(xp: Any, rng: Any, shape: Any, dtype: Any) -> Any:
    return sampling.standard_exponential(xp, rng, shape)


def _gumbel(xp: Any, rng: Any, shape: Any, dtype: Any) -> Any:
    return -xp.log(sampling.standard_exponential(xp, rng, shape))


def _logistic(xp: Any, rng: Any, shape: Any, dtype: Any) -> Any:
    u = rng.uniform(shape, np.float64)
    return xp.log(u) - xp.log1p(-u)


def _rayleigh(xp: Any, rng: Any, shape: Any, dtype: Any) -> Any:
    return xp.sqrt(2 * sampling.standard_exponential(xp, rng, shape))


_LOCATION: dict[str, Slope] = {
    "loc": lambda dy, out, noise, loc: dy,
    "scale": lambda dy, out, noise, scale: dy * noise,
}
_SCALING: dict[str, Slope] = {"scale": _LOCATION["scale"]}
_AT = uniform(2, 3, low=-1.0, high=1.0)
_WIDE = uniform(3, low=0.5, high=2.0)
_ABOVE = uniform(3, low=2.0, high=3.0)


def _shift(xp: Any, noise: Any, loc: Any, scale: Any) -> Any:
    return loc + noise * scale


def _between(xp: Any, noise: Any, low: Any, high: Any) -> Any:
    return low + noise * (high - low)


for _suffix, _shape, _how in (
    ("", drawn_shape, ""),
    ("_n", many_drawn_shape, "  `size` comes in front of the parameters' shape."),
):
    _space = "mx.npx.random" if _suffix else "mx.np.random"
    sampler(
        f"uniform{_suffix}",
        {"low": ANY, "high": ANY},
        _uniform,
        _between,
        doc=f"Values evenly spread over [low, high).{_how}  No gradient flows.",
        call=f"{_space}.uniform{_suffix}(0.0, 1.0, (2,))",
        draws={"low": _AT, "high": _ABOVE},
        typed=True,
        kernel="_random_uniform",
        shape=_shape,
    )
    sampler(
        f"normal{_suffix}",
        {"loc": ANY, "scale": SCALE},
        _normal,
        _shift,
        doc=f"Gaussian values with mean loc and standard deviation scale.{_how}",
        call=f"{_space}.normal{_suffix}(0.0, 1.0, (2,))",
        draws={"loc": _AT, "scale": _WIDE},
        slopes=_LOCATION,
        typed=True,
        kernel="_random_normal",
        shape=_shape,
    )
sampler(
    "gumbel",
    {"loc": ANY, "scale": SCALE},
    _gumbel,
    _shift,
    doc="Gumbel values: the limit of largest values, with mode loc and the given scale.",
    call="mx.np.random.gumbel(0.0, 1.0, (2,))",
    draws={"loc": _AT, "scale": _WIDE},
    slopes=_LOCATION,
)
sampler(
    "logistic",
    {"loc": ANY, "scale": SCALE},
    _logistic,
    _shift,
    doc="Logistic values with mean loc and the given scale.",
    call="mx.np.random.logistic(0.0, 1.0, (2,))",
    draws={"loc": _AT, "scale": _WIDE},
    slopes=_LOCATION,
)
sampler(
    "exponential",
    {"scale": Parameter(1.0, _not_negative, "not negative")},
    _exponential,
    lambda xp, noise, scale: noise * scale,
    doc="Exponential values with mean scale.",
    call="mx.np.random.exponential(1.0, (2,))",
    draws={"scale": _WIDE},
    slopes=_SCALING,
)
sampler(
    "rayleigh",
    {"scale": Parameter(1.0, _not_negative, "not negative")},
    _rayleigh,
    lambda xp, noise, scale: noise * scale,
    doc="Rayleigh values with mode scale: lengths of Gaussian vectors in the plane.",
    call="mx.np.random.rayleigh(1.0, (2,))",
    draws={"scale": _WIDE},
    slopes=_SCALING,
)
sampler(
    "weibull",
    {"a": POSITIVE},
    _exponential,
    lambda xp, noise, a: noise ** (1 / a),
    doc="Weibull values with shape a and scale 1.",
    call="mx.np.random.weibull(1.0, (2,))",
    draws={"a": _WIDE},
    slopes={"a": lambda dy, out, noise, a: -dy * out * log(out) / a},
)
sampler(
    "pareto",
    {"a": POSITIVE},
    _exponential,
    lambda xp, noise, a: xp.expm1(noise / a),
    doc="Pareto values with shape a, from 0 on (Lomax).",
    call="mx.np.random.pareto(3.0, (2,))",
    draws={"a": _WIDE},
    slopes={"a": lambda dy, out, noise, a: -dy * (out + 1) * log1p(out) / a},
)
sampler(
    "powerd",
    {"a": POSITIVE},
    _uniform,
    lambda xp, noise, a: noise.astype(xp.float64) ** (1 / a),
    doc="Values in [0, 1) with density ``a * x ** (a - 1)`` (``mx.np.random.power``).",
    call="mx.np.random.power(3.0, (2,))",
    draws={"a": _WIDE},
    ctx=False,
)


def _gamma(xp: Any, at: Any, shape: Any, scale: Any) -> Any:
    rng, target = at
    return scale * rng.gamma(xp.broadcast_to(fixed(xp, shape), target))


sampler(
    "gamma",
    {"shape": Parameter(allows=_positive, needs="positive"), "scale": SCALE},
    lambda xp, rng, shape, dtype: (rng, shape),
    _gamma,
    doc="Gamma values with the given shape and scale.  No gradient flows.",
    call="mx.np.random.gamma(2.0, 1.0, (2,))",
    draws={"shape": uniform(2, 3, low=0.5, high=3.0), "scale": _WIDE},
    typed=True,
)
