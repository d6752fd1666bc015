"""Comparisons of the NumPy interface: results of type bool; no gradient flows through them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..dtypes import is_float
from . import rules
from .attrs import Attrs
from .op import Spec, get
from .samples import integers
from .twins import twin

_TABLE = (
    ("equal", "equal", "==", "[False, True, False]"),
    ("not_equal", "not_equal", "!=", "[True, False, True]"),
    ("greater", "greater", ">", "[False, False, True]"),
    ("greater_equal", "greater_equal", ">=", "[False, True, True]"),
    ("less", "lesser", "<", "[True, False, False]"),
    ("less_equal", "lesser_equal", "<=", "[True, True, False]"),
)
_array = "mx.np.array([1.0, 2.0, 3.0])"


def _answers(attrs: Any, ins: list, outs: list) -> tuple[list, list]:
    """Dtype rule: the inputs are alike, the output is bool."""
    dtype = rules.unify_dtypes(ins)
    return [dtype] * len(ins), [np.dtype(bool)]


def _number(attrs: Attrs, ins: Sequence[Spec], outs: Sequence[Spec]) -> tuple | None:
    """The number for the kernels, which compare in the type of the array."""
    dtype = ins[0].dtype
    plain = is_float(dtype) or (attrs.is_int and dtype != np.bool_)
    return (attrs.scalar,) if plain else None


def _with_truth(body: Callable[..., Any]) -> Callable[..., Any]:
    """A comparison with a number, of which bool arrays see whether it is 0."""

    def run(xp: Any, data: Any, *, scalar: float, is_int: bool) -> Any:
        seen = float(scalar != 0) if data.dtype == np.bool_ else scalar
        return body(xp, data, scalar=seen, is_int=is_int)

    return run


def _doc(sign: str, name: str, other: str, printed: str) -> str:
    return (
        f"Where ``lhs {sign} rhs``, as bool; an array may be compared with a number, `scalar`.\n\n"
        "Shapes broadcast; arrays have one dtype. NaN is unequal to everything, and a number is\n"
        "cut to the type of an integer array unless `is_int` is False.\n"
        f"(MXNet ``mx.np.{name}``.)\n\n"
        f"    >>> ({_array} {sign} {other}).tolist()\n    {printed}\n    "
    )


for _name, _legacy, _sign, _printed in _TABLE:
    _made = twin(
        get(f"broadcast_{_legacy}"),
        f"_npi_{_name}",
        dtype=_answers,
        kernel=f"_npi_{_name}",
        doc=_doc(_sign, _name, "mx.np.array([2.0])", _printed),
    )
    _bits = {"lhs": integers(2, 3, low=0, high=2), "rhs": integers(low=0, high=2)}
    _made.sample(**_bits, _grad=(), _dtypes=("float32", "float16", "int8", "int64", "bool"))
    _source = get(f"_{_legacy}_scalar")
    _made = twin(
        _source,
        f"_npi_{_name}_scalar",
        dtype=_answers,
        body=_with_truth(_source.body),
        kernel=f"_npi_{_name}_scalar",
        params=_number,
        doc=_doc(_sign, _name, "2", _printed),
    )
    _made.sample(data=integers(3, 4, low=0, high=3), scalar=1, _grad=(),
                 _dtypes=("float16", "uint8", "bool"))  # fmt: skip
    _made.sample(data=integers(5, low=0, high=3), scalar=1.5, is_int=False, _grad=(),
                 _dtypes=("int32", "float64"))  # fmt: skip
