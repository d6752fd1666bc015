"""A step of training as one program: forward, backward and the updates of an executor.

The instructions of the updates follow those of the executor's own program, over the same arrays;
gradients are written as ever, and what changes from step to step are numbers of the run. On a GPU
all of it is one captured graph.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from ..compiled import Compiled
from ..executor import Executor
from ..graph.lower import EXTERNAL, Lowered, Ref
from ..graph.program import Program
from ..native import native
from ..ops.op import Spec
from ..ops.stored import Stored
from .by_operator import Call
from .compiled import works_by_operators
from .instructions import HostUpdates, updates_of
from .on_gpu import DeviceUpdates, fixed
from .updater import Updater

_Step = tuple[Program, HostUpdates | DeviceUpdates]
_STEPS: WeakKeyDictionary[Executor, dict[Any, _Step | None]] = WeakKeyDictionary()
_MOST_STEPS = 8  # of one executor, whose calls differ in more than numbers that change


def train(executor: Executor, updater: Updater, indices: list, names: Sequence[str]) -> bool:
    """Run a step on what the arguments hold now, if the updates can follow as instructions.

    indices, names : the parameters' indices for the updater, and their names as arguments.
    False: nothing was done.
    """
    compiled = executor.compiled_step()
    weights = [executor.arg_dict[n] for n in names]
    if compiled is None or type(updater) is not Updater:
        return False
    on_host = isinstance(weights[0]._data, np.ndarray)
    if (native is None and on_host) or not works_by_operators(updater.optimizer, weights):
        return False
    calls = updater.optimizer.calls(indices, weights, updater.states_of(indices, weights))
    step = _find(executor, compiled, names, calls, on_host)
    if step is not None:
        program, updates = step
        more, numbers = updates.given(calls)
        more = [*[x._data for call in calls for x in call.arrays], *more]
        executor.run_step(program, more, numbers)
        return True
    executor.forward(is_train=True)
    executor.backward()
    for name, weight, call in zip(names, weights, calls, strict=True):
        call.run(weight, executor.grad_dict[name])
    return True


def _find(
    executor: Executor,
    compiled: Compiled,
    names: Sequence[str],
    calls: Sequence[Call],
    on_host: bool,
) -> _Step | None:
    """The program of such a step; None where an update has no kernel."""
    states = tuple([(c.name, *[(x.shape, x.dtype) for x in c.arrays]) for c in calls])
    known = _STEPS.setdefault(executor, {})
    key = (tuple(names), states, None if on_host else tuple(map(fixed, calls)))
    if key not in known:
        if len(known) >= _MOST_STEPS:
            known.pop(next(iter(known)))
        dense = not any(isinstance(x._data, Stored) for call in calls for x in call.arrays)
        known[key] = _extended(executor, compiled, names, calls) if dense else None
    return known[key]


def _extended(
    executor: Executor, compiled: Compiled, names: Sequence[str], calls: Sequence[Call]
) -> _Step | None:
    """The instructions of a compiled step, and the updates after them."""
    lowered, places = compiled.program.lowered, executor.places()
    externals, refs = list(lowered.externals), []
    for name, call in zip(names, calls, strict=True):
        refs.append([Ref(EXTERNAL, place, externals[place]) for place in places[name]])
        for x in call.arrays:
            refs[-1].append(Ref(EXTERNAL, len(externals), Spec(x.shape, x._data.dtype)))
            externals.append(refs[-1][-1].spec)
    updates = updates_of(calls, refs, externals, executor.arg_dict[names[0]]._data)
    if updates is None:
        return None
    instructions = [*lowered.instructions, *updates.instructions]
    whole = Lowered(instructions, externals, lowered.constants, lowered.plan, [len(instructions)])
    return Program(whole), updates
