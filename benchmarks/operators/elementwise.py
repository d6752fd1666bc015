"""Elementwise operators: of one tensor, of two, with a broadcast, with a scalar."""

from __future__ import annotations

import numpy as np

from .case import LENGTHS, Case, matrices, uniform, vectors

# operator: (PyTorch's name, NumPy's name), "" where there is none
UNARY = {
    "negative": ("neg", "negative"), "abs": ("abs", "abs"), "sign": ("sign", "sign"),
    "round": ("", ""), "rint": ("round", "rint"), "ceil": ("ceil", "ceil"),
    "floor": ("floor", "floor"), "trunc": ("trunc", "trunc"), "fix": ("trunc", "fix"),
    "relu": ("relu", ""), "softsign": ("nn.functional.softsign", ""),
    "square": ("square", "square"),
    "sqrt": ("sqrt", "sqrt"), "rsqrt": ("rsqrt", ""), "cbrt": ("", "cbrt"), "rcbrt": ("", ""),
    "reciprocal": ("reciprocal", "reciprocal"), "exp": ("exp", "exp"), "expm1": ("expm1", "expm1"),
    "log": ("log", "log"), "log2": ("log2", "log2"), "log10": ("log10", "log10"),
    "log1p": ("log1p", "log1p"), "sigmoid": ("sigmoid", ""), "sin": ("sin", "sin"),
    "cos": ("cos", "cos"), "tan": ("tan", "tan"), "arcsin": ("asin", "arcsin"),
    "arccos": ("acos", "arccos"), "arctan": ("atan", "arctan"), "degrees": ("rad2deg", "degrees"),
    "radians": ("deg2rad", "radians"), "sinh": ("sinh", "sinh"), "cosh": ("cosh", "cosh"),
    "tanh": ("tanh", "tanh"), "arcsinh": ("asinh", "arcsinh"), "arctanh": ("atanh", "arctanh"),
    "erf": ("erf", ""), "erfinv": ("erfinv", ""), "gamma": ("", ""), "gammaln": ("lgamma", ""),
    "logical_not": ("", ""), "hard_sigmoid": ("", ""), "zeros_like": ("zeros_like", "zeros_like"),
    "ones_like": ("ones_like", "ones_like"), "BlockGrad": ("clone", "copy"),
}  # fmt: skip
BINARY = {
    "elemwise_add": ("add", "add"), "elemwise_sub": ("sub", "subtract"),
    "elemwise_mul": ("mul", "multiply"), "elemwise_div": ("div", "divide"),
    "broadcast_add": ("add", "add"), "broadcast_sub": ("sub", "subtract"),
    "broadcast_mul": ("mul", "multiply"), "broadcast_div": ("div", "divide"),
    "broadcast_mod": ("remainder", "mod"), "broadcast_power": ("pow", "power"),
    "broadcast_hypot": ("hypot", "hypot"), "broadcast_maximum": ("maximum", "maximum"),
    "broadcast_minimum": ("minimum", "minimum"),
}  # fmt: skip
COMPARE = {
    "broadcast_equal": "eq", "broadcast_not_equal": "ne", "broadcast_greater": "gt",
    "broadcast_greater_equal": "ge", "broadcast_lesser": "lt", "broadcast_lesser_equal": "le",
    "broadcast_logical_and": "logical_and", "broadcast_logical_or": "logical_or",
    "broadcast_logical_xor": "logical_xor",
}  # fmt: skip
SCALAR = {
    "_plus_scalar": lambda a: a + 1.5, "_minus_scalar": lambda a: a - 1.5,
    "_rminus_scalar": lambda a: 1.5 - a, "_mul_scalar": lambda a: a * 1.5,
    "_div_scalar": lambda a: a / 1.5, "_rdiv_scalar": lambda a: 1.5 / a,
    "_power_scalar": lambda a: a**1.5, "_rpower_scalar": lambda a: 1.5**a,
    "_equal_scalar": lambda a: a == 0.5, "_greater_scalar": lambda a: a > 0.5,
    "_lesser_scalar": lambda a: a < 0.5, "_mod_scalar": lambda a: a % 0.3,
}  # fmt: skip


def _named(dotted: str) -> object:
    """A call of a function by its dotted name in a package; None without a name."""
    if not dotted:
        return None

    def call(package: object, *arrays: object, **named: object) -> object:
        for part in dotted.split("."):
            package = getattr(package, part)
        return package(*arrays, *named.values())

    return call


def _unary(op: str, torch: str, numpy: str) -> Case:
    arrays = vectors("a", low=-0.9) if op not in DOMAIN else vectors("a")
    return Case(op, arrays, _named(op), _named(torch), _named(numpy))


DOMAIN = {"sqrt", "rsqrt", "cbrt", "rcbrt", "reciprocal", "log", "log2", "log10", "gamma",
          "gammaln", "sign"}  # fmt: skip


def _binary(op: str, torch: str, numpy: str) -> Case:
    return Case(op, vectors("a", "b"), _named(op), _named(torch), _named(numpy))


def _row(op: str, torch: str, numpy: str) -> Case:
    arrays = matrices("a", b=lambda rng, rows, columns: uniform(rng, 1, columns))
    case = _binary(op, torch, numpy)
    return Case(op, arrays, case.mx, case.torch, case.numpy, form="row")


def _compare(op: str, name: str) -> Case:
    """MXNet's comparisons give float32, so PyTorch converts."""

    def torch(t: object, a: object, b: object) -> object:
        return getattr(t, name)(a, b).float()

    return Case(op, vectors("a", "b"), _named(op), torch)


def _scalar(op: str, call: object) -> Case:
    def on_arrays(_: object, a: object) -> object:
        return call(a)

    logical = op.split("_")[1] in ("equal", "greater", "lesser")

    def torch(_: object, a: object) -> object:
        return call(a).float() if logical else call(a)

    def numpy(_: object, a: object) -> object:
        return call(a).astype(np.float32) if logical else call(a)

    return Case(op, vectors("a"), on_arrays, torch, numpy)


def _halves(rng: np.random.RandomState, size: str) -> dict:
    return {"a": uniform(rng, LENGTHS[size]), "c": (uniform(rng, LENGTHS[size]) > 0.5) * 1.0}


CASES = [
    *(_unary(op, *names) for op, names in UNARY.items()),
    *(_binary(op, *names) for op, names in BINARY.items()),
    *(_compare(op, name) for op, name in COMPARE.items()),
    *(_scalar(op, call) for op, call in SCALAR.items()),
    Case("arccosh", vectors("a", low=1.1, high=2), _named("arccosh"), _named("acosh"),
         _named("arccosh")),
    Case("clip", vectors("a"), lambda nd, a: nd.clip(a, 0.3, 0.6),
         lambda t, a: t.clamp(a, 0.3, 0.6), lambda np, a: np.clip(a, 0.3, 0.6)),
    Case("smooth_l1", vectors("a"), lambda nd, a: nd.smooth_l1(a, scalar=1.0),
         lambda t, a: t.nn.functional.smooth_l1_loss(a, t.zeros(()), reduction="none")),
    Case("add_n", vectors("a", "b", "c"), lambda nd, a, b, c: nd.add_n(a, b, c),
         lambda t, a, b, c: a + b + c, lambda np, a, b, c: a + b + c),
    Case("Cast", vectors("a"), lambda nd, a: nd.cast(a, "float16"), lambda t, a: a.half(),
         lambda np, a: a.astype(np.float16)),
    Case("where", lambda rng, size: {**_halves(rng, size), "b": uniform(rng, LENGTHS[size])},
         lambda nd, a, c, b: nd.where(c, a, b), lambda t, a, c, b: t.where(c > 0, a, b),
         lambda np, a, c, b: np.where(c, a, b)),
    Case("Activation", vectors("a", low=-0.9), lambda nd, a: nd.Activation(a, act_type="softrelu"),
         lambda t, a: t.nn.functional.softplus(a), form="softrelu"),
    Case("Activation", vectors("a", low=-0.9), lambda nd, a: nd.Activation(a, act_type="relu"),
         lambda t, a: t.relu(a), wrt=("a",)),
    Case("LeakyReLU", vectors("a", low=-0.9), lambda nd, a: nd.LeakyReLU(a, act_type="leaky"),
         lambda t, a: t.nn.functional.leaky_relu(a, 0.25), wrt=("a",)),
    Case("LeakyReLU", vectors("a", low=-0.9), lambda nd, a: nd.LeakyReLU(a, act_type="gelu"),
         lambda t, a: t.nn.functional.gelu(a), form="gelu"),
    *(_row(op, *BINARY[op]) for op in ("broadcast_add", "broadcast_mul", "broadcast_maximum")),
]  # fmt: skip
