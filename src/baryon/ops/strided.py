"""Numbers for the two strided kernels that serve most operators which only move elements.

``_strided_read`` fills a contiguous output from a strided view of its input: transposes, slices,
reversals, tiles. ``_strided_write`` writes a contiguous input into a strided view of its output,
whose other elements are a constant or come from a base array: padding, slice assignment.
"""

from __future__ import annotations

from collections.abc import Sequence

_MAX_DIMS = 16  # dimensions of a native tensor


def strides(shape: Sequence[int]) -> tuple[int, ...]:
    """Row-major strides of a shape, in elements."""
    steps, step = [], 1
    for size in reversed(shape):
        steps.append(step)
        step *= size
    return tuple(reversed(steps))


def view(sizes: Sequence[int], steps: Sequence[int], offset: int = 0) -> tuple[int, ...] | None:
    """A strided view as kernel parameters: rank, offset, sizes, strides; None if it is too deep."""
    if len(sizes) > _MAX_DIMS:
        return None
    return (len(sizes), offset, *sizes, *steps)


def sliced(shape: Sequence[int], index: Sequence[slice]) -> tuple[int, ...] | None:
    """The view ``array[index]`` of an array of that shape; one slice for each leading axis."""
    steps = list(strides(shape))
    sizes, offset = list(shape), 0
    for axis, part in enumerate(index):
        begin, end, step = part.indices(shape[axis])
        sizes[axis] = len(range(begin, end, step))
        offset += begin * steps[axis] if sizes[axis] else 0
        steps[axis] *= step
    return view(sizes, steps, offset)


def permuted(shape: Sequence[int], axes: Sequence[int]) -> tuple[int, ...] | None:
    """The view of an array of that shape with its axes in another order."""
    steps = strides(shape)
    return view([shape[a] for a in axes], [steps[a] for a in axes])
