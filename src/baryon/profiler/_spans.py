"""Spans, counters and markers that programs put into the record themselves."""

from __future__ import annotations

from typing import Any

from ..base import MXNetError
from ._recorder import now, profiler

_SCOPES = {"global": "g", "process": "p", "thread": "t", "task": "t", "marker": "t"}


class Domain:
    """A name under which spans and counters of one subject are grouped.

    >>> domain = mx.profiler.Domain("loading")
    >>> task = domain.new_task("decode")
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def __str__(self) -> str:
        return self.name

    def new_task(self, name: str) -> Task:
        """A `Task` of this domain."""
        return Task(self, name)

    def new_frame(self, name: str) -> Frame:
        """A `Frame` of this domain."""
        return Frame(self, name)

    def new_counter(self, name: str, value: float | None = None) -> Counter:
        """A `Counter` of this domain."""
        return Counter(self, name, value)

    def new_marker(self, name: str) -> Marker:
        """A `Marker` of this domain."""
        return Marker(self, name)


class _Span:
    """Something that starts and stops; recorded while the profiler runs."""

    def __init__(self, category: str, name: str) -> None:
        self._category, self.name = category, name
        self._begun: int | None = None

    def __str__(self) -> str:
        return self.name

    def start(self) -> None:
        """Begin, or begin anew."""
        self._begun = now()

    def stop(self) -> None:
        """End what was started; nothing if nothing was."""
        begun, self._begun = self._begun, None
        if begun is not None and profiler.active:
            profiler.span(self._category, self.name, begun, now())


class Task(_Span):
    """A span that belongs to a logical unit of work.

    >>> task = mx.profiler.Task(mx.profiler.Domain("loading"), "decode")
    >>> task.start()
    >>> task.stop()
    """

    def __init__(self, domain: Domain, name: str) -> None:
        super().__init__(str(domain), name)


class Frame(_Span):
    """A span of which each follows the last, such as a step of training.

    >>> frame = mx.profiler.Frame(mx.profiler.Domain("training"), "step")
    """

    def __init__(self, domain: Domain, name: str) -> None:
        super().__init__(f"{domain},frame", name)


class Event(_Span):
    """A span without a domain.

    >>> event = mx.profiler.Event("evaluation")
    """

    def __init__(self, name: str) -> None:
        super().__init__("event", name)


class Counter:
    """A number that changes in time.

    >>> counter = mx.profiler.Counter(mx.profiler.Domain("loading"), "images", 10)
    >>> counter += 5
    """

    def __init__(self, domain: Domain, name: str, value: float | None = None) -> None:
        self.domain, self.name = domain, name
        self._value: float = 0
        if value is not None:
            self.set_value(value)

    def __str__(self) -> str:
        return self.name

    def set_value(self, value: float) -> None:
        """Give it a value."""
        self._value = value
        if profiler.active:
            event = {"name": self.name, "cat": str(self.domain), "ph": "C"}
            profiler.instant({**event, "args": {self.name: value}})

    def increment(self, delta: float = 1) -> None:
        """Add to it."""
        self.set_value(self._value + delta)

    def decrement(self, delta: float = 1) -> None:
        """Subtract from it."""
        self.set_value(self._value - delta)

    def __iadd__(self, delta: float) -> Counter:
        self.increment(delta)
        return self

    def __isub__(self, delta: float) -> Counter:
        self.decrement(delta)
        return self


class Marker:
    """A moment.

    >>> mx.profiler.Marker(mx.profiler.Domain("training"), "best so far").mark()
    """

    def __init__(self, domain: Domain, name: str) -> None:
        self.domain, self.name = domain, name

    def mark(self, scope: str = "process") -> None:
        """Record the moment; `scope`: global, process, thread, task or marker."""
        if scope not in _SCOPES:
            known: Any = ", ".join(sorted(_SCOPES))
            raise MXNetError(f"Invalid Input: {scope!r}, valid values are: {known}")
        if profiler.active:
            category = f"{self.domain},instant_marker"
            profiler.instant({"name": self.name, "cat": category, "ph": "i", "s": _SCOPES[scope]})
