"""Where time goes: operators, instructions of compiled networks, and spans that programs mark.

    mx.profiler.set_config(profile_all=True, aggregate_stats=True, filename="profile.json")
    mx.profiler.set_state("run")
    ...
    mx.profiler.set_state("stop")
    print(mx.profiler.dumps())      # a table of totals (with aggregate_stats)
    print(mx.profiler.table())      # operations and bytes a second of each operator, share of peak
    mx.profiler.dump()              # a trace for chrome://tracing or ui.perfetto.dev

The names are those of MXNet's ``mxnet.profiler``. Watching costs little: compiled programs read a
clock between instructions; eager calls take the readable path rather than the native one.
"""

from ._peaks import Peaks, peaks
from ._recorder import (
    pause,
    profiler_set_config,
    profiler_set_state,
    resume,
    set_config,
    set_kvstore_handle,
    set_state,
)
from ._report import dump, dump_profile, dumps, table
from ._spans import Counter, Domain, Event, Frame, Marker, Task

__all__ = [
    "Counter",
    "Domain",
    "Event",
    "Frame",
    "Marker",
    "Peaks",
    "Task",
    "dump",
    "dump_profile",
    "dumps",
    "pause",
    "peaks",
    "profiler_set_config",
    "profiler_set_state",
    "resume",
    "set_config",
    "set_kvstore_handle",
    "set_state",
    "table",
]
