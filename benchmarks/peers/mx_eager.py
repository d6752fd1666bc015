"""Eager workloads in MXNet's API, which baryon shares: one adapter serves both."""

from __future__ import annotations

from ..workloads.chain100 import LINKS
from .base import Prepared, digest, prepares, repeat


def arrays_of(mx: object, arrays: dict) -> dict:
    """NDArrays of the values."""
    return {name: mx.nd.array(value) for name, value in arrays.items()}


@prepares("add16.eager", "eager")
def add(mx: object, arrays: dict) -> Prepared:
    """Calls outside any recording."""
    a, b = mx.nd.array(arrays["a"]), mx.nd.array(arrays["b"])

    def loop(n: int) -> None:
        for _ in range(n):
            c = a + b  # noqa: F841

    return Prepared(digest((a + b).asnumpy()), loop, mx.nd.waitall)


@prepares("add16.recorded", "eager")
def recorded_add(mx: object, arrays: dict) -> Prepared:
    """Calls within one recording, each of which drops the tape of the last."""
    a, b = mx.nd.array(arrays["a"]), mx.nd.array(arrays["b"])
    a.attach_grad()
    with mx.autograd.record():
        c = a + b
    c.backward()

    def loop(n: int) -> None:
        with mx.autograd.record():
            for _ in range(n):
                c = a + b  # noqa: F841

    return Prepared(digest(c.asnumpy(), a.grad.asnumpy()), loop, mx.nd.waitall)


@prepares("chain100", "eager")
def chain(mx: object, arrays: dict) -> Prepared:
    """Record the chain and go backward."""
    values = arrays_of(mx, arrays)
    x, w = values["x"], values["w"]
    x.attach_grad()
    w.attach_grad()
    tanh, record = mx.nd.tanh, mx.autograd.record

    def step() -> object:
        with record():
            y = x
            for _ in range(LINKS):
                y = tanh(y * w)
        y.backward()
        return y

    y = step()
    return Prepared(digest(y.asnumpy(), w.grad.asnumpy()), repeat(step), mx.nd.waitall)


def _large(name: str, call: object) -> None:
    @prepares(f"large_eager.{name}", "eager")
    def prepare(mx: object, arrays: dict) -> Prepared:
        values = arrays_of(mx, arrays)

        def step() -> None:
            call(mx.nd, **values).wait_to_read()

        return Prepared(digest(call(mx.nd, **values).asnumpy()), repeat(step))


_large("multiply_add", lambda nd, a, b, c: a * b + c)
_large("exp", lambda nd, a, b, c: nd.exp(a))
_large("sum", lambda nd, a, b, c: nd.sum(a))
_large("softmax", lambda nd, a: nd.softmax(a))
