"""Programs: what is refused, callbacks, random ordinals, threads."""

import threading

import numpy as np
import pytest

from baryon.base import MXNetError
from baryon.native import native

pytestmark = pytest.mark.skipif(native is None, reason="needs the native engine")
ARENA, EXTERNAL, CONSTANT = 0, 1, 2
F32, F64, I32 = 0, 1, 4


def arena(nbytes=256):
    return np.zeros(nbytes, np.uint8)


def add(ins, out):
    """An instruction that adds two float32 vectors of 4."""
    places = [(space, offset, ((4,), F32)) for space, offset in (*ins, out)]
    return ("broadcast_add", places[:2], places[2:], (), False)


def test_chain_over_every_space():
    x, y, c = (np.arange(4, dtype="f") + i for i in range(3))
    program = native.Program(
        [add([(EXTERNAL, 0), (CONSTANT, 0)], (ARENA, 64)), add([(ARENA, 64)] * 2, (EXTERNAL, 1))],
        [((4,), F32), ((4,), F32)],
        128,
        constants=[c],
    )
    assert len(program) == 2 and program.arena_bytes == 128
    program.run(0, 2, arena(), [x, y])
    np.testing.assert_array_equal(y, 2 * (x + c))


def test_ranges_share_the_arena():
    x, y = np.ones(4, "f"), np.zeros(4, "f")
    program = native.Program(
        [add([(EXTERNAL, 0)] * 2, (ARENA, 0)), add([(ARENA, 0)] * 2, (EXTERNAL, 1))],
        [((4,), F32)] * 2,
        16,
    )
    memory = arena(16)
    program.run(0, 1, memory, [x, None])
    program.run(1, 2, memory, (None, y))
    np.testing.assert_array_equal(y, 4)


def test_external_may_be_seen_under_another_shape():
    seen = []
    program = native.Program(
        [
            (
                lambda ins, outs, seed, stream: seen.append(ins[0]),
                [(1, 0, ((2, 2), F32))],
                [],
                (),
                False,
            )
        ],
        [((4,), F32)],
        0,
    )
    x = np.arange(4, dtype="f")
    program.run(0, 1, arena(0), [x])
    np.testing.assert_array_equal(seen[0], x.reshape(2, 2))
    assert np.shares_memory(seen[0], x)


@pytest.mark.parametrize(
    "ref, message",
    [
        ((ARENA, 244, ((4,), F32)), "leaves the arena"),
        ((ARENA, -4, ((4,), F32)), "leaves the arena"),
        ((ARENA, 2, ((4,), F32)), "not aligned"),
        ((ARENA, 0, ((1 << 40,), F32)), "leaves the arena"),
        ((ARENA, 0, ((1 << 40, 1 << 40), F32)), "impossible shape"),
        ((ARENA, 0, ((-1,), F32)), "impossible shape"),
        ((ARENA, 0, ((1,) * 17, F32)), "at most 16 dimensions"),
        ((ARENA, 0, ((4,), 99)), "dtype code 99"),
        ((EXTERNAL, 1, ((4,), F32)), "external 1, which does not exist"),
        ((EXTERNAL, -1, ((4,), F32)), "does not exist"),
        ((EXTERNAL, 0, ((5,), F32)), "differs from external 0"),
        ((EXTERNAL, 0, ((4,), I32)), "differs from external 0"),
        ((CONSTANT, 1, ((4,), F32)), "constant 1, which does not exist"),
        ((3, 0, ((4,), F32)), "no space 3"),
    ],
)
def test_references_are_checked(ref, message):
    good = (ARENA, 0, ((4,), F32))
    for ins, outs in (([good, ref], [good]), ([good, good], [ref])):
        with pytest.raises(MXNetError, match=message):
            native.Program(
                [("broadcast_add", ins, outs, (), False)],
                [((4,), F32)],
                256,
                constants=[np.ones(4, "f")],
            )


def test_instructions_are_checked():
    good = (ARENA, 0, ((4,), F32))
    with pytest.raises(MXNetError, match=r"instruction 0 \(no_such_kernel\)"):
        native.Program([("no_such_kernel", [good], [good], (), False)], [], 256)
    with pytest.raises(MXNetError, match=r"does not accept float32 \(4\) int32 \(4\)"):
        bad = (ARENA, 0, ((4,), I32))
        native.Program([("broadcast_add", [good, bad], [good], (), False)], [], 256)
    with pytest.raises(MXNetError, match="would be written to constant 0"):
        write = ("broadcast_add", [good, good], [(CONSTANT, 0, ((4,), F32))], (), False)
        native.Program([write], [], 256, constants=[np.ones(4, "f")])
    with pytest.raises((TypeError, RuntimeError)):
        native.Program([("broadcast_add", [good])], [], 256)


def test_runs_are_checked():
    program = native.Program([add([(EXTERNAL, 0)] * 2, (EXTERNAL, 1))], [((4,), F32)] * 2, 64)
    x, y = np.ones(4, "f"), np.ones(4, "f")
    strided, frozen = np.ones((4, 2), "f")[:, 0], np.ones(4, "f")
    frozen.flags.writeable = False
    for externals, message in [
        ([x], "expected 2 externals, got 1"),
        ([x, y.astype("d")], r"external 1 is float64 \(4\), expected float32 \(4\)"),
        ([x, np.ones(5, "f")], r"external 1 is float32 \(5\)"),
        ([strided, y], "external 0"),
        ([x, None], "external 1 is not given"),
        ([x, frozen], "external 1 is read-only"),
        ([x, "text"], "external 1: expected a C-contiguous numpy array"),
    ]:
        with pytest.raises(MXNetError, match=message):
            program.run(0, 1, arena(), externals)
    for bad in (arena(63), np.zeros(64, "f"), arena(65)[1:], None):
        with pytest.raises(MXNetError, match="the arena must be"):
            program.run(0, 1, bad, [x, y])
    for begin, end in ((0, 2), (1, 0), (2, 2)):
        with pytest.raises(MXNetError, match="no instructions"):
            program.run(begin, end, arena(), [x, y])
    program.run(0, 1, arena(), [frozen, y])
    np.testing.assert_array_equal(y, 2)


def test_callbacks_write_in_place_and_their_errors_pass():
    def double(ins, outs, seed, stream):
        outs[0][...] = 2 * ins[0]

    def fail(ins, outs, seed, stream):
        raise KeyError("from a callback")

    place, out = (ARENA, 0, ((4,), F32)), (EXTERNAL, 0, ((4,), F32))
    program = native.Program(
        [(double, [out], [place], (), False), add([(ARENA, 0)] * 2, (EXTERNAL, 0))]
        + [(fail, [place], [], (), False)],
        [((4,), F32)],
        64,
    )
    x = np.ones(4, "f")
    program.run(0, 2, arena(), [x])
    np.testing.assert_array_equal(x, 4)
    with pytest.raises(KeyError, match="from a callback"):
        program.run(0, 3, arena(), [x])
    program.run(0, 2, arena(), [x])


def test_big_programs_take_the_gil_back_for_callbacks():
    n = 1 << 20
    big = [(EXTERNAL, i, ((n,), F32)) for i in range(2)]
    calls = []

    def callback(ins, outs, seed, stream):
        calls.append(float(ins[0][0]))
        if len(calls) > 2:
            raise ValueError("enough")

    work = ("broadcast_add", [big[0], big[0]], [big[1]], (), False)
    program = native.Program(
        [work, (callback, [big[1]], [], (), False), work], [((n,), F32)] * 2, 0
    )
    x, y = np.ones(n, "f"), np.zeros(n, "f")
    for _ in range(2):
        program.run(0, 3, arena(0), [x, y])
    with pytest.raises(ValueError, match="enough"):
        program.run(0, 3, arena(0), [x, y])
    assert calls == [2, 2, 2]


def test_random_instructions_are_numbered():
    seen = []

    def draw(ins, outs, seed, stream):
        seen.append((seed, stream))

    random, plain = (draw, [], [], (), True), (draw, [], [], (), False)
    program = native.Program([random, plain, random, random], [], 0)
    seed = (1 << 64) - 1
    program.run(0, 4, arena(0), [], seed, 1 << 40)
    assert [s for s, _ in seen] == [seed] * 4
    numbers = [n - (1 << 40) for _, n in seen]
    assert [numbers[0], *numbers[2:]] == [0, 1, 2]
    seen.clear()
    program.run(2, 4, arena(0), [], seed, 7)
    assert [n for _, n in seen] == [8, 9]


def test_views_outlive_the_run():
    kept = []
    program = native.Program(
        [
            (
                lambda ins, outs, seed, stream: kept.extend(outs),
                [],
                [(ARENA, 0, ((4,), F64))],
                (),
                False,
            )
        ],
        [],
        32,
    )
    program.run(0, 1, np.zeros(32, np.uint8), [])
    np.empty(32, np.uint8).fill(255)
    np.testing.assert_array_equal(kept[0], 0)


def test_several_threads_run_one_program():
    n = 50_000
    x = (EXTERNAL, 0, ((n,), F32))
    mid, y = (ARENA, 0, ((n,), F32)), (EXTERNAL, 1, ((n,), F32))
    program = native.Program(
        [
            ("broadcast_add", [x, x], [mid], (), False),
            ("broadcast_add", [mid, mid], [y], (), False),
        ],
        [((n,), F32)] * 2,
        4 * n,
    )
    wrong = []

    def work(value):
        for i in range(50):
            a, b = np.full(n, value + i, "f"), np.zeros(n, "f")
            program.run(0, 2, arena(4 * n), [a, b])
            if not (b == 4 * (value + i)).all():
                wrong.append(value)

    threads = [threading.Thread(target=work, args=(100 * t,)) for t in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


def test_arrays_are_taken_that_are_as_the_externals():
    import baryon as mx

    program = native.Program([add([(EXTERNAL, 0)] * 2, (EXTERNAL, 1))], [((4,), F32)] * 2, 16)
    x = mx.nd.ones((4,))
    (taken,), stamps = program.take([x], False)
    assert taken is x._data and stamps == []
    for other in (mx.nd.ones((2, 2)), x.astype("float64"), x.tostype("row_sparse"), x.asnumpy(), 1):
        assert program.take([other], False) is None
    assert program.take([x, x, x], False) is None
    assert program.take([], False) == ([], [])
    assert program.take([x], True) == ([taken], [])  # this program keeps nothing


def test_numbers_take_the_place_of_the_last_parameters_for_one_run():
    def update(weight, lr):
        places = [(EXTERNAL, weight, ((4,), F32)), (EXTERNAL, 2, ((4,), F32))]
        return ("sgd_update", places, places[:1], (lr, 0.0, 1.0, -1.0), False)

    program = native.Program([update(0, 1.0), update(1, 2.0)], [((4,), F32)] * 3, 16)
    a, b, ones = np.zeros(4, "f"), np.zeros(4, "f"), np.ones(4, "f")

    def run(*numbers):
        a[:] = b[:] = 0
        program.run(0, 2, arena(16), [a, b, ones], numbers=numbers)
        return -a[0], -b[0]

    assert run() == (1, 2)
    assert run(5.0, 0.0, 1.0, -1.0) == (1, 5)
    assert run(3.0, 0.0, 1.0, -1.0, 4.0, 0.0, 1.0, -1.0) == (3, 4)
    assert run() == (1, 2)
    with pytest.raises(MXNetError, match="expected at most 8 numbers"):
        run(*[0.0] * 9)
