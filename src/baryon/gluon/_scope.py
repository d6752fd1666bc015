"""Names and prefixes of Blocks."""

from __future__ import annotations

import threading
from typing import Any

from ..name import NameManager, Prefix
from .parameter import ParameterDict

_local = threading.local()


class BlockScope:
    """The scope that ``with block.name_scope()`` opens: children made inside take its prefix."""

    def __init__(self, block: Any) -> None:
        self._block = block
        self._counter: dict[str, int] = {}
        self._entered: list[tuple[BlockScope | None, Prefix]] = []

    @staticmethod
    def create(
        prefix: str | None, params: ParameterDict | None, hint: str
    ) -> tuple[str, ParameterDict]:
        """Prefix and ParameterDict of a Block that is being made in the current scope."""
        scope: BlockScope | None = getattr(_local, "current", None)
        if scope is None:
            if prefix is None:
                prefix = NameManager.current.get(None, hint) + "_"
            if params is None:
                return prefix, ParameterDict(prefix)
            return prefix, ParameterDict(params.prefix, params)
        if prefix is None:
            count = scope._counter.get(hint, 0)
            scope._counter[hint] = count + 1
            prefix = f"{hint}{count}_"
        if params is None:
            parent = scope._block.params
            made = ParameterDict(parent.prefix + prefix, parent._shared)
        else:
            made = ParameterDict(params.prefix, params)
        return scope._block.prefix + prefix, made

    def __enter__(self) -> BlockScope:
        if self._block._empty_prefix:  # such a Block leaves its children to the scope around it
            return self
        names = Prefix(self._block.prefix)
        self._entered.append((getattr(_local, "current", None), names))
        _local.current = self
        names.__enter__()
        return self

    def __exit__(self, *exc: Any) -> None:
        if self._block._empty_prefix:
            return
        _local.current, names = self._entered.pop()
        names.__exit__(*exc)

    def __getstate__(self) -> dict:
        return {"_block": self._block, "_counter": self._counter, "_entered": []}
