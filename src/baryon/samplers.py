"""Random functions that take numbers or tensors: the same for arrays and symbols."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from .namespaces import _Null, plain
from .ops.operators import is_number

# Parameters of each distribution: (the function's name, the operators' name, default).
_Parameters = tuple[tuple[str, str, Any], ...]
SAMPLERS: dict[str, _Parameters] = {
    "uniform": (("low", "low", 0), ("high", "high", 1)),
    "normal": (("loc", "loc", 0), ("scale", "scale", 1)),
    "poisson": (("lam", "lam", 1),),
    "exponential": (("scale", "lam", 1),),
    "gamma": (("alpha", "alpha", 1), ("beta", "beta", 1)),
    "negative_binomial": (("k", "k", 1), ("p", "p", 1)),
    "generalized_negative_binomial": (("mu", "mu", 1), ("alpha", "alpha", 1)),
    "randint": (("low", "low", inspect.Parameter.empty), ("high", "high", inspect.Parameter.empty)),
}


def sampler(name: str, draw: Callable[..., Any], tensor: type) -> Callable[..., Any]:
    """The function of a distribution for numbers or tensors.

    draw : ``(operator name, inputs, attributes, out)`` -> result.
    """
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    parameters = [inspect.Parameter(p, kind, default=d) for p, _, d in SAMPLERS[name]]
    parameters += [
        inspect.Parameter(p, kind, default=d)
        for p, d in (("shape", _Null), ("dtype", _Null), ("ctx", None), ("out", None))
    ]
    parameters.append(inspect.Parameter("kwargs", inspect.Parameter.VAR_KEYWORD))
    wanted = inspect.Signature(parameters)

    def function(*args: Any, **kwargs: Any) -> Any:
        bound = wanted.bind(*args, **kwargs)
        bound.apply_defaults()
        return _sample(name, draw, tensor, bound.arguments)

    function.__name__ = function.__qualname__ = name
    function.__module__ = tensor.__module__.rpartition(".")[0] + ".random"
    function.__signature__ = wanted  # type: ignore[attr-defined]
    function.__doc__ = (
        f"Random values of the distribution {name}.\n\n"
        f"{', '.join(p for p, _, _ in SAMPLERS[name])} : numbers, or tensors of one shape with a "
        "distribution an element.\n"
        "shape : of the result (numbers), or of the draws for each distribution (tensors).\n"
        "dtype : element type, float32 by default (randint: int32).    ctx : device."
    )
    return function


def _sample(name: str, draw: Callable[..., Any], tensor: type, given: dict[str, Any]) -> Any:
    values = {new: given[old] for old, new, _ in SAMPLERS[name]}
    if name == "exponential" and not isinstance(values["lam"], tensor):
        values["lam"] = 1.0 / values["lam"]  # the operators take the rate, users the scale
    raw = {k: v for k, v in given["kwargs"].items() if k != "name"}
    if given["shape"] is not _Null and given["shape"] is not None:
        raw["shape"] = given["shape"]
    if given["dtype"] is not _Null and given["dtype"] is not None:
        raw["dtype"] = plain("dtype", given["dtype"])
    tensors = [isinstance(v, tensor) for v in values.values()]
    if all(tensors) and name != "randint":
        inputs = list(values.values())
        if name == "exponential":
            inputs = [1.0 / inputs[0]]
        return draw(f"_sample_{name}", inputs, raw, given["out"])
    if any(tensors) or not all(map(is_number, values.values())):
        raise ValueError(
            f"random.{name}: the parameters {', '.join(values)} must all be numbers or all be "
            f"tensors, got {', '.join(type(v).__name__ for v in values.values())}"
        )
    if given["ctx"] is not None:
        raw["ctx"] = str(given["ctx"])
    return draw(f"_random_{name}", [], {**values, **raw}, given["out"])
