"""`Monitor`: statistics of what the nodes of bound symbols compute, every few batches."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Callable
from typing import Any

from . import ndarray as nd
from .ndarray import NDArray

__all__ = ["Monitor"]

Statistic = Callable[[NDArray], NDArray | list[NDArray]]


def _norm(x: NDArray) -> NDArray:
    """The root of the mean square."""
    return nd.norm(x) / math.sqrt(x.size)


class Monitor:
    """Collects a statistic of every node's outputs, and of arguments and auxiliary states.

    Install it on executors (`install`, or ``install_monitor`` of a module), call `tic` before a
    batch and `toc` or `toc_print` after it. The values of gradients of single nodes, which MXNet
    shows as ``..._backward_output``, are not seen: look at the executor's ``grad_dict``.

    interval    : batches from one collection to the next.
    stat_func   : statistic of an array; default: the norm divided by the root of the size.
    pattern     : regular expression that names must match.
    sort        : whether results come in the order of their names.
    monitor_all : also the inputs of each node.

    >>> exe = mx.sym.relu(mx.sym.var("x"), name="act").bind(mx.cpu(), [mx.nd.array([-1.0, 3.0])])
    >>> mon = mx.mon.Monitor(1, stat_func=lambda x: x.max(), pattern="act.*")
    >>> mon.install(exe)
    >>> mon.tic()
    >>> _ = exe.forward()
    >>> mon.toc()
    [(1, 'act_output', '3.0\\t')]
    """

    def __init__(
        self,
        interval: int,
        stat_func: Statistic | None = None,
        pattern: str = ".*",
        sort: bool = False,
        monitor_all: bool = False,
    ) -> None:
        self.interval = interval
        self.stat_func = stat_func or _norm
        self.sort = sort
        self.monitor_all = monitor_all
        self.re_prog = re.compile(pattern)
        self.activated = False
        self.step = 0
        self.exes: list[Any] = []
        self.queue: list[tuple[int, str, Any]] = []

    def stat_helper(self, name: str, array: NDArray) -> None:
        """Note an array that an executor shows."""
        if self.activated and self.re_prog.match(name):
            self.queue.append((self.step, name, self.stat_func(array)))

    def install(self, exe: Any) -> None:
        """Watch an executor."""
        exe.set_monitor_callback(self.stat_helper, self.monitor_all)
        self.exes.append(exe)

    def tic(self) -> None:
        """Begin to collect, if it is this batch's turn; call it before the forward pass."""
        if self.step % self.interval == 0:
            self.queue = []
            self.activated = True
        self.step += 1

    def toc(self) -> list[tuple[int, str, str]]:
        """End collecting: (batch, name, values as text), empty if it was not this batch's turn."""
        if not self.activated:
            return []
        for exe in self.exes:
            for arrays in (exe.arg_dict, exe.aux_dict):
                for name, array in arrays.items():
                    self.stat_helper(name, array)
        self.activated = False
        found = sorted(self.queue, key=lambda entry: entry[1]) if self.sort else self.queue
        self.queue = []
        return [(step, name, _text(value)) for step, name, value in found]

    def toc_print(self) -> None:
        """End collecting, and log the results."""
        for step, name, value in self.toc():
            logging.info("Batch: %7d %-30s %s", step, name, value)


def _text(value: NDArray | list[NDArray]) -> str:
    """Statistics as text, a tab after each."""
    values = value if isinstance(value, list) else [value]
    for v in values:
        if not isinstance(v, NDArray):
            raise TypeError(f"stat_func must return NDArrays, got {type(v).__name__}")
    return "".join(f"{str(v.asscalar() if v.size == 1 else v.asnumpy())}\t" for v in values)
