"""Single operators in every peer: one adapter, for a case knows how each peer spells it."""

from __future__ import annotations

from typing import Callable  # noqa: UP035 (the peers' interpreters may be of Python 3.8)

import numpy as np

from ..operators import CASES, SIZES, Case
from .base import Prepared, digest, prepares, repeat


def _step_mx(mx: object, case: Case, arrays: dict) -> Callable:
    values = {name: mx.nd.array(value, dtype=value.dtype) for name, value in arrays.items()}
    for name in case.wrt:
        values[name].attach_grad()
    record = mx.autograd.record

    def forward() -> object:
        return case.mx(mx.nd, **values)

    def both() -> object:
        with record():
            result = case.mx(mx.nd, **values)
        result.backward()
        return result

    return both if case.wrt else forward


def _step_torch(torch: object, case: Case, arrays: dict) -> Callable:
    values = {name: torch.from_numpy(value) for name, value in arrays.items()}
    for name in case.wrt:
        values[name].requires_grad_()
    ones = {}

    def forward() -> object:
        with torch.no_grad():
            return case.torch(torch, **values)

    def both() -> object:
        for name in case.wrt:
            values[name].grad = None
        result = case.torch(torch, **values)
        result.backward(ones.setdefault("head", torch.ones_like(result)))
        return result.detach()

    return both if case.wrt else forward


def _step_numpy(numpy: object, case: Case, arrays: dict) -> Callable:
    return lambda: case.numpy(numpy, **arrays)


STEPS = {"torch": _step_torch, "numpy": _step_numpy}


def _prepare(case: Case, size: str) -> None:
    @prepares(f"op.{case.name}.{size}", "call")
    def prepare(package: object, arrays: dict) -> Prepared:
        step = STEPS.get(package.__name__, _step_mx)(package, case, arrays)
        finish = package.nd.waitall if hasattr(package, "nd") else lambda: None
        result = step()
        finish()
        made = np.asarray(result.asnumpy() if hasattr(result, "asnumpy") else result)
        check = digest(made) if case.equal else []
        read, written = case.moved(arrays, made)
        figures = {"read": read, "written": written}
        return Prepared(check, _loop(step, finish, size), finish, figures)


def _loop(step: Callable, finish: Callable, size: str) -> Callable:
    """Large results are waited for one by one, as nobody wants hundreds of them at once."""
    if size != "large":
        return repeat(step)

    def one() -> None:
        step()
        finish()

    return repeat(one)


for _case in CASES.values():
    for _size in SIZES:
        _prepare(_case, _size)
