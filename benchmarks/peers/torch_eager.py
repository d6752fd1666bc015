"""Eager workloads in PyTorch."""

from __future__ import annotations

from ..workloads.chain100 import LINKS
from .base import Prepared, digest, prepares, repeat


@prepares("add16.eager", "eager")
def add(torch: object, arrays: dict) -> Prepared:
    """Calls on tensors that want no gradient."""
    a, b = torch.tensor(arrays["a"]), torch.tensor(arrays["b"])

    def loop(n: int) -> None:
        for _ in range(n):
            c = a + b  # noqa: F841

    return Prepared(digest((a + b).numpy()), loop)


@prepares("add16.recorded", "eager")
def recorded_add(torch: object, arrays: dict) -> Prepared:
    """Calls that leave a graph, which the next one drops."""
    a, b = torch.tensor(arrays["a"], requires_grad=True), torch.tensor(arrays["b"])
    c = a + b
    c.backward(torch.ones_like(c))

    def loop(n: int) -> None:
        for _ in range(n):
            c = a + b  # noqa: F841

    return Prepared(digest(c.detach().numpy(), a.grad.numpy()), loop)


@prepares("chain100", "eager")
def chain(torch: object, arrays: dict) -> Prepared:
    """The chain and its gradients, each written anew."""
    x, w = (torch.tensor(arrays[name], requires_grad=True) for name in "xw")
    ones, tanh = torch.ones(x.shape), torch.tanh

    def step() -> object:
        x.grad = w.grad = None
        y = x
        for _ in range(LINKS):
            y = tanh(y * w)
        y.backward(ones)
        return y

    y = step()
    return Prepared(digest(y.detach().numpy(), w.grad.numpy()), repeat(step))


def _large(name: str, call: object) -> None:
    @prepares(f"large_eager.{name}", "eager")
    def prepare(torch: object, arrays: dict) -> Prepared:
        values = {key: torch.tensor(value) for key, value in arrays.items()}

        def step() -> None:
            call(torch, **values)

        return Prepared(digest(call(torch, **values).numpy()), repeat(step))


_large("multiply_add", lambda torch, a, b, c: a * b + c)
_large("exp", lambda torch, a, b, c: torch.exp(a))
_large("sum", lambda torch, a, b, c: torch.sum(a))
_large("softmax", lambda torch, a: torch.softmax(a, -1))
