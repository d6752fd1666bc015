"""Arithmetic of the NumPy interface on an array and a number."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..dtypes import is_float
from . import rules
from .op import Op, get, op
from .samples import integers, uniform
from .scalar import number
from .twins import twin

_x = "mx.np.array([1.0, 4.0])"
_TWINS = (
    ("_plus_scalar", "add", f"{_x} + 2", "[3.0, 6.0]"),
    ("_minus_scalar", "subtract", f"{_x} - 2", "[-1.0, 2.0]"),
    ("_rminus_scalar", "rsubtract", f"2 - {_x}", "[1.0, -2.0]"),
    ("_mul_scalar", "multiply", f"{_x} * 2", "[2.0, 8.0]"),
    ("_mod_scalar", "mod", f"{_x} % 3", "[1.0, 1.0]"),
    ("_rmod_scalar", "rmod", f"6 % {_x}", "[0.0, 2.0]"),
    ("_power_scalar", "power", f"{_x} ** 2", "[1.0, 16.0]"),
    ("_rpower_scalar", "rpower", f"2 ** {_x}", "[2.0, 16.0]"),
)
for _source, _name, _call, _printed in _TWINS:
    _legacy = get(_source)
    _prose = (_legacy.__doc__ or "").partition("\n    >>> ")[0]
    _doc = _prose.replace(f"operator ``{_source}``", f"``_npi_{_name}_scalar``")
    _made = twin(
        _legacy,
        f"_npi_{_name}_scalar",
        doc=f"{_doc}\n    >>> ({_call}).tolist()\n    {_printed}\n    ",
    )
    _made.sample(data=uniform(low=0.55, high=0.7), scalar=2.0)


def _divided(dtype: np.dtype) -> np.dtype:
    return dtype if is_float(dtype) else np.dtype("float32")


def _result(attrs: Any, dtype: np.dtype | None) -> np.dtype | None:
    return None if dtype is None else _divided(dtype)


def quotient(source: str, name: str, call: str, printed: str) -> Op:
    """Declare ``_npi_NAME``, the division `source` in floating point."""
    legacy = get(source)

    def run(xp: Any, data: Any, *, scalar: float = 1.0, is_int: bool = True) -> Any:
        dtype = _divided(np.dtype(data.dtype))
        return legacy.body(xp, data.astype(dtype), scalar=number(scalar, dtype), is_int=False)

    run.__name__ = name
    run.__doc__ = (
        f"``{call.replace(_x, 'data').replace('2', 'scalar')}`` in floating point.\n\n"
        "A floating-point array keeps its dtype, an integer one gives float32; `is_int` says\n"
        f"whether the number is whole, which changes nothing.  (MXNet ``_npi_{name}``.)\n\n"
        f"    >>> ({call}).tolist()\n    {printed}\n    "
    )
    made = op(
        f"_npi_{name}",
        dtype=rules.output_dtype(_result),
        inplace={0: "data"},
        pointwise=True,
        element=legacy.element,
        kernel=legacy.kernel,
        params=legacy.params,
    )(run)
    made.gradients = list(legacy.gradients)
    made.sample(data=uniform(2, 3, low=0.5, high=2.0), scalar=1.5)
    made.sample(data=uniform(low=0.5, high=2.0), scalar=1.5)
    made.sample(data=integers(2, 3, low=1), scalar=2.5, _dtypes=("int32", "int8"), _grad=())
    return made


quotient("_div_scalar", "true_divide_scalar", f"{_x} / 2", "[0.5, 2.0]")
quotient("_rdiv_scalar", "rtrue_divide_scalar", f"2 / {_x}", "[2.0, 0.5]")
