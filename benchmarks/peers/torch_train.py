"""How PyTorch trains and infers: eagerly, with channels last, and compiled."""

from __future__ import annotations

from typing import Callable  # noqa: UP035 (the peers' interpreters may be of Python 3.8)

from ..workloads.base import CHECKED_STEPS, LEARNING_RATE, MOMENTUM
from .base import Prepared, digest, prepares, repeat

SGD = {"lr": LEARNING_RATE, "momentum": MOMENTUM}


def fill(torch: object, model: object, arrays: dict) -> object:
    """The model with the values, which come in the order of its parameters."""
    with torch.no_grad():
        for param, (name, value) in zip(model.parameters(), arrays.items(), strict=True):
            if tuple(param.shape) != value.shape:
                raise ValueError(f"a parameter of shape {tuple(param.shape)} for {name}")
            param.copy_(torch.tensor(value))
    return model


def batch(torch: object, arrays: dict) -> tuple:
    """Data and labels."""
    return torch.tensor(arrays["data"]), torch.tensor(arrays["label"]).long()


def _ready(torch: object, way: str, model: object, data: tuple, **options: object) -> tuple:
    """The model and its inputs, changed as the way wants them."""
    if way == "channels_last":
        last = {"memory_format": torch.channels_last}
        return model.to(**last), tuple(x.to(**last) for x in data)
    return (torch.compile(model, **options) if way == "compile" else model), data


def train(torch: object, way: str, model: object, data: object, label: object) -> Prepared:
    """A step as users write it."""
    sgd = torch.optim.SGD(model.parameters(), **SGD)
    model, (data,) = _ready(torch, way, model, (data,))
    loss_of = torch.nn.CrossEntropyLoss()

    def step() -> object:
        sgd.zero_grad()
        loss = loss_of(model(data), label)
        loss.backward()
        sgd.step()
        return loss

    losses = [step().item() for _ in range(CHECKED_STEPS)]
    return Prepared(losses, repeat(step))


def infer(torch: object, way: str, model: object, *data: object) -> Prepared:
    """Plain calls without gradients; compiled with weights that never change again."""
    model, data = _ready(torch, way, model.eval(), data, options={"freezing": True})

    def step() -> object:
        with torch.inference_mode():
            return model(*data)

    return Prepared(digest(step().numpy()), repeat(step))


def training(workload: str, ways: tuple[str, ...], build: Callable) -> None:
    """Register training in these ways; ``build(torch, arrays)`` gives model, data and label."""
    for way in ways:
        prepares(workload, way)(
            lambda torch, arrays, way=way: train(torch, way, *build(torch, arrays))
        )


def inference(workload: str, ways: tuple[str, ...], build: Callable) -> None:
    """Register inference in these ways; ``build(torch, arrays)`` gives model and inputs."""
    for way in ways:
        prepares(workload, way)(
            lambda torch, arrays, way=way: infer(torch, way, *build(torch, arrays))
        )
