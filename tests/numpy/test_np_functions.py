"""Functions of mx.np against NumPy's own, as arrays and as symbols."""

from __future__ import annotations

import numpy as np
import pytest

import baryon as mx

SHAPES = [(), (3,), (2, 3), (2, 0), (2, 1, 3)]
UNARY = [
    "absolute",
    "arcsin",
    "arcsinh",
    "arctan",
    "arctanh",
    "cbrt",
    "ceil",
    "cos",
    "cosh",
    "degrees",
    "exp",
    "expm1",
    "fabs",
    "fix",
    "floor",
    "isfinite",
    "isinf",
    "isnan",
    "isneginf",
    "isposinf",
    "log1p",
    "logical_not",
    "negative",
    "rad2deg",
    "deg2rad",
    "radians",
    "rint",
    "sign",
    "sin",
    "sinh",
    "square",
    "tan",
    "tanh",
    "trunc",
    "nan_to_num",
    "around",
]
BINARY = [
    "add",
    "subtract",
    "multiply",
    "divide",
    "true_divide",
    "mod",
    "remainder",
    "power",
    "maximum",
    "minimum",
    "arctan2",
    "copysign",
    "hypot",
    "equal",
    "not_equal",
    "greater",
    "greater_equal",
    "less",
    "less_equal",
]
REDUCTIONS = ["sum", "prod", "mean", "std", "var", "all", "any"]


def values(shape, dtype="float32", seed=0):
    """Numbers in (0, 1), no two alike."""
    size = int(np.prod(shape))
    order = np.random.default_rng(seed).permutation(size) + 0.5 + seed / 4
    return (order / (size + 1)).reshape(shape).astype(dtype)


def same(found, wanted, **tolerance):
    """Nested arrays of both interfaces hold the same; shapes count, and so does being bool."""
    if isinstance(wanted, (tuple, list)):
        assert len(found) == len(wanted)
        for f, w in zip(found, wanted, strict=True):
            same(f, w, **tolerance)
        return
    assert isinstance(found, mx.nd.NDArray)
    wanted = np.asarray(wanted)
    assert found.shape == wanted.shape
    assert (found.dtype == np.bool_) == (wanted.dtype == np.bool_)
    np.testing.assert_allclose(found.asnumpy(), wanted, **{"rtol": 2e-6, "atol": 1e-6, **tolerance})


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", UNARY)
def test_functions_of_one_array(name, dtype):
    wanted = np.trunc if name == "fix" else getattr(np, name)  # NumPy 2.5 deprecates its fix
    for shape in SHAPES:
        x = values(shape, dtype)
        found = getattr(mx.np, name)(mx.np.array(x))
        same(found, wanted(x))
        assert found.dtype == dtype or found.dtype == np.bool_


@pytest.mark.parametrize("name", BINARY)
def test_functions_of_two_operands(name):
    ours, theirs = getattr(mx.np, name), getattr(np, name)
    for a, b in ((), ()), ((2, 3), (3,)), ((2, 1), (1, 3)), ((2, 0), ()), ((3,), (2, 1, 3)):
        x, y = values(a), values(b, seed=1)
        same(ours(mx.np.array(x), mx.np.array(y)), theirs(x, y))
    x = values((2, 3))
    same(ours(mx.np.array(x), 0.5), theirs(x, np.float32(0.5)))
    same(ours(0.5, mx.np.array(x)), theirs(np.float32(0.5), x))
    assert ours(2, 3) == theirs(2, 3)
    out = mx.np.empty((2, 3), dtype=bool if "e" in name and theirs(x, x).dtype == bool else None)
    assert ours(mx.np.array(x), mx.np.array(x), out=out) is out
    same(out, theirs(x, x))


@pytest.mark.parametrize("name", REDUCTIONS)
def test_reductions(name):
    ours, theirs = getattr(mx.np, name), getattr(np, name)
    for shape in (), (3,), (2, 3), (2, 1, 3):
        x = values(shape)
        for axis in (None, *range(-len(shape), len(shape)), tuple(range(len(shape)))):
            for keepdims in (False, True):
                wanted = theirs(x, axis=axis, keepdims=keepdims)
                same(ours(mx.np.array(x), axis=axis, keepdims=keepdims), wanted)
                same(getattr(mx.np.array(x), name)(axis=axis, keepdims=keepdims), wanted)
    same(mx.np.sum(mx.np.zeros((0, 3)), axis=0), np.zeros(3))


# Each takes the module (NumPy, mx.np or mx.sym.np) and arrays of shape (2, 3) and (3,).
CASES = {
    "append": lambda n, x, y: n.append(x, y),
    "argmax": lambda n, x, y: n.argmax(x, axis=1),
    "argmin": lambda n, x, y: n.argmin(x),
    "argsort": lambda n, x, y: n.argsort(x, axis=0),
    "array_split": lambda n, x, y: n.split(x, [1, 2], axis=1),
    "atleast_3d": lambda n, x, y: n.atleast_3d(x),
    "average": lambda n, x, y: n.average(x, axis=1, weights=y),
    "broadcast_to": lambda n, x, y: n.broadcast_to(y, (2, 3)),
    "clip": lambda n, x, y: n.clip(x, 0.2, 0.6),
    "column_stack": lambda n, x, y: n.column_stack((y, y)),
    "concatenate": lambda n, x, y: n.concatenate([x, x], axis=1),
    "concatenate_flat": lambda n, x, y: n.concatenate([x, y], axis=None),
    "cumsum": lambda n, x, y: n.cumsum(x, axis=1),
    "diag": lambda n, x, y: n.diag(y, 1),
    "diagflat": lambda n, x, y: n.diagflat(x),
    "diagonal": lambda n, x, y: n.diagonal(x, offset=1),
    "diff": lambda n, x, y: n.diff(x, n=2),
    "dot": lambda n, x, y: n.dot(x, y),
    "dsplit": lambda n, x, y: n.dsplit(n.expand_dims(x, 0), 3),
    "dstack": lambda n, x, y: n.dstack([x, x]),
    "ediff1d": lambda n, x, y: n.ediff1d(x, to_begin=0.5),
    "einsum": lambda n, x, y: n.einsum("ij,j->i", x, y),
    "expand_dims": lambda n, x, y: n.expand_dims(x, 1),
    "eye": lambda n, x, y: n.eye(3, k=1),
    "flip": lambda n, x, y: n.flip(x),
    "fliplr": lambda n, x, y: n.fliplr(x),
    "full_like": lambda n, x, y: n.full_like(x, 2),
    "hsplit": lambda n, x, y: n.hsplit(x, 3),
    "hstack": lambda n, x, y: n.hstack([y, y]),
    "inner": lambda n, x, y: n.inner(x, y),
    "matmul": lambda n, x, y: n.matmul(x, y),
    "max": lambda n, x, y: n.max(x, axis=0),
    "moveaxis": lambda n, x, y: n.moveaxis(n.ones((2, 3, 4)), 0, -1),
    "norm": lambda n, x, y: n.linalg.norm(y),
    "norm_1": lambda n, x, y: n.linalg.norm(x, ord=1, axis=1),
    "norm_inf": lambda n, x, y: n.linalg.norm(x, ord=np.inf, axis=(0, 1)),
    "ones_like": lambda n, x, y: n.ones_like(x),
    "outer": lambda n, x, y: n.outer(y, y),
    "pad": lambda n, x, y: n.pad(x, ((1, 0), (0, 2)), mode="constant"),
    "pad_edge": lambda n, x, y: n.pad(x, ((1, 0), (0, 2)), mode="edge"),
    "percentile": lambda n, x, y: n.percentile(x, 30, axis=1),
    "polyval": lambda n, x, y: n.polyval(y, x),
    "ravel": lambda n, x, y: n.ravel(x),
    "repeat": lambda n, x, y: n.repeat(x, 2, axis=1),
    "reshape": lambda n, x, y: n.reshape(x, (3, -1)),
    "roll": lambda n, x, y: n.roll(x, 1),
    "rot90": lambda n, x, y: n.rot90(x),
    "sort": lambda n, x, y: n.sort(x, axis=0),
    "split": lambda n, x, y: n.vsplit(x, 2),
    "squeeze": lambda n, x, y: n.squeeze(n.expand_dims(x, 1)),
    "stack": lambda n, x, y: n.stack([x, x], axis=1),
    "swapaxes": lambda n, x, y: n.swapaxes(x, 0, 1),
    "tensordot": lambda n, x, y: n.tensordot(x, y, 1),
    "tensordot_axes": lambda n, x, y: n.tensordot(x, x, ([0, 1], [0, 1])),
    "tile": lambda n, x, y: n.tile(x, (2, 1)),
    "trace": lambda n, x, y: n.trace(x),
    "transpose": lambda n, x, y: n.transpose(x),
    "tril": lambda n, x, y: n.tril(x),
    "vdot": lambda n, x, y: n.vdot(y, y),
    "vstack": lambda n, x, y: n.vstack([x, y]),
    "where": lambda n, x, y: n.where(x > 0.55, x, y),
    "where_number": lambda n, x, y: n.where(x > 0.55, x, 0.0),
    "arange": lambda n, x, y: n.arange(1, 7, 2),
    "linspace": lambda n, x, y: n.linspace(0, 1, 5, endpoint=False),
    "logspace": lambda n, x, y: n.logspace(0, 2, 3),
    "indices": lambda n, x, y: n.indices((2, 3)),
    "hanning": lambda n, x, y: n.hanning(5),
    "operators": lambda n, x, y: 2 - (-x) * y / 3 + abs(x) ** 2 % 0.7,
    "comparisons": lambda n, x, y: (x > 0.5) == (y <= 0.5),
    "methods": lambda n, x, y: x.reshape(3, 2).T.mean(axis=0, keepdims=True) + x.sum(),
    "item": lambda n, x, y: x[1] * x[:, 1:2] - y[-1],
    "steps": lambda n, x, y: x[::-1, 0:3:2],
}


@pytest.mark.parametrize("name", CASES)
def test_arrays_as_numpy(name):
    x, y = values((2, 3)), values((3,), seed=1)
    case = CASES[name]
    same(case(mx.np, mx.np.array(x), mx.np.array(y)), case(np, x, y))


@pytest.mark.parametrize("name", CASES)
def test_symbols_as_numpy(name):
    x, y = values((2, 3)), values((3,), seed=1)
    case = CASES[name]
    a, b = (mx.sym.var(n).as_np_ndarray() for n in "ab")
    made = case(mx.sym.np, a, b)
    graph = mx.sym.Group(made) if isinstance(made, list) else made
    given = {"a": mx.np.array(x), "b": mx.np.array(y)}
    read = {n: v for n, v in given.items() if n in graph.list_inputs()}
    with mx.util.np_shape():
        found = graph.bind(mx.cpu(), read).forward()
        again = mx.sym.load_json(graph.tojson()).bind(mx.cpu(), read).forward()
    wanted = case(np, x, y)
    same(found if isinstance(wanted, (list, tuple)) else found[0], wanted)
    same(again if isinstance(wanted, (list, tuple)) else again[0], wanted)


def test_results_whose_shape_depends_on_values():
    x = np.array([3, 1, 3, 0], "float32")
    a = mx.np.array(x)
    same(mx.np.unique(a, return_inverse=True), np.unique(x, return_inverse=True))
    same(mx.np.nonzero(a), np.nonzero(x))
    same(mx.np.where(a > 1), np.where(x > 1))
    same(mx.np.bincount(a.astype("int64")), np.bincount(x.astype("int64")))
    same(mx.np.delete(a, [0, 2]), np.delete(x, [0, 2]))
    same(mx.np.insert(a, 1, 9), np.insert(x, 1, 9))
    same(mx.np.resize(a, (2, 3)), np.resize(x, (2, 3)))
    same(mx.np.array_split(a, 3), np.array_split(x, 3))
    same(mx.np.unravel_index(mx.np.array([1, 5], dtype="int64"), (2, 3)), ([0, 1], [1, 2]))


def test_linear_algebra():
    m = np.array([[4, 1], [1, 3]], "float32")
    a = mx.np.array(m)
    for name in ("det", "inv", "cholesky", "pinv", "eigvalsh"):
        found, wanted = getattr(mx.np.linalg, name)(a), getattr(np.linalg, name)(m)
        same(found, wanted, rtol=1e-5)
    same(mx.np.linalg.solve(a, mx.np.array([1, 2])), np.linalg.solve(m, [1, 2]), rtol=1e-5)
    for order in (None, "fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf):
        same(mx.np.linalg.norm(a, order), np.linalg.norm(m, order), rtol=1e-5)
    for order in (None, 0, 1, 2, 3, np.inf, -np.inf):
        same(mx.np.linalg.norm(a[0], order), np.linalg.norm(m[0], order), rtol=1e-5)
    u, s, v = mx.np.linalg.svd(a)
    same(mx.np.dot(u * s, v), m, rtol=1e-5)


def test_functions_that_numpy_computes():
    x = values((2, 3))
    a = mx.np.array(x)
    assert mx.np.allclose(a, a) and mx.np.ndim(a) == 2
    same(mx.np.cov(a), np.cov(x))
    same(mx.np.partition(a, 1), np.partition(x, 1))
    same(mx.np.modf(a), np.modf(x))
    same(mx.np.trapz(a), np.trapezoid(x))
    same(mx.np.linalg.qr(a)[1], np.linalg.qr(x)[1])
    out = mx.np.zeros((3,))
    assert mx.np.nanmax(a, axis=0, out=out) is out
    same(out, x.max(axis=0))
    assert mx.np.roots(mx.np.array([1, 0, 1])).dtype.kind == "c"  # a type that arrays do not have
    with pytest.raises(NotImplementedError, match="numpy-financial"):
        mx.np.npv(0.1, a)
    a.attach_grad()
    with mx.autograd.record(), pytest.raises(mx.MXNetError, match="no gradient"):
        mx.np.cov(a * 2)


def test_wrong_arguments_say_so():
    a = mx.np.ones((2, 3))
    for call, error, message in (
        (lambda: mx.np.exp([1, 2]), TypeError, "exp.*list.*not supported"),
        (lambda: mx.np.add(a, np.ones(3)), TypeError, "add.*not supported"),
        (lambda: mx.np.exp(mx.nd.ones(2)), TypeError, "as_np_ndarray"),
        (lambda: mx.np.exp(a, where=a), NotImplementedError, "where"),
        (lambda: mx.np.exp(a, spam=1), TypeError, "spam"),
        (lambda: mx.np.split(a, 4, axis=1), ValueError, "equal division"),
        (lambda: mx.np.pad(a, 1, mode="spam"), ValueError, "spam"),
        (lambda: mx.np.take(a, a, mode="spam"), NotImplementedError, "spam"),
        (lambda: mx.np.zeros(2, order="F"), NotImplementedError, "order"),
        (lambda: a.reshape(4, 2), mx.MXNetError, "_np_reshape"),
        (lambda: mx.np.array(mx.nd.ones(2)), ValueError, "as_np_ndarray"),
        (lambda: mx.np.concatenate([]), ValueError, "at least one"),
        (lambda: mx.np.random.uniform("a"), TypeError, "low"),
        (lambda: mx.np.linalg.norm(a, 7), ValueError, "norm order"),
        (lambda: mx.npx.reshape(a, (-7,)), mx.MXNetError, "-7"),
    ):
        with pytest.raises(error, match=message):
            call()


def test_random_numbers_follow_the_seed():
    def draw():
        mx.npx.random.seed(5)
        r = mx.np.random
        made = [r.uniform(size=(3,)), r.normal(mx.np.zeros(3), 2.0), r.randint(0, 9, size=4),
                r.gamma(2.0, size=2), r.choice(7, size=3, replace=False), r.beta(1.0, 2.0),
                mx.npx.random.bernoulli(0.5, size=6), r.multinomial(9, [0.5, 0.5])]  # fmt: skip
        return [x.asnumpy() for x in made]

    first, again = draw(), draw()
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
    assert [x.shape for x in first] == [(3,), (3,), (4,), (2,), (3,), (), (6,), (2,)]


def test_moments_of_random_numbers():
    mx.npx.random.seed(1)
    r, n = mx.np.random, (20000,)
    for x, mean, variance in (
        (r.uniform(1, 3, size=n), 2, 1 / 3),
        (r.normal(1, 2, size=n), 1, 4),
        (r.logistic(1, 0.5, size=n), 1, np.pi**2 / 12),
        (r.gumbel(0, 1, size=n), np.euler_gamma, np.pi**2 / 6),
        (r.exponential(2, size=n), 2, 4),
        (r.rayleigh(1, size=n), np.sqrt(np.pi / 2), 2 - np.pi / 2),
        (r.gamma(2, 3, size=n), 6, 18),
        (r.chisquare(3, size=n), 3, 6),
        (r.beta(2, 2, size=n), 0.5, 0.05),
        (r.power(2, size=n), 2 / 3, 1 / 18),
        (r.pareto(5, size=n), 1 / 4, 5 / 48),
        (r.weibull(1, size=n), 1, 1),
        (r.lognormal(0, 0.5, size=n), np.exp(1 / 8), np.exp(0.25) * (np.exp(0.25) - 1)),
    ):
        assert x.shape == n and x.dtype == np.float32
        np.testing.assert_allclose(x.mean().item(), mean, rtol=0.05)
        np.testing.assert_allclose(x.var().item(), variance, rtol=0.12)
    cov = mx.np.array([[2, 0.5], [0.5, 1]])
    x = r.multivariate_normal(mx.np.zeros(2), cov, size=20000).asnumpy()
    np.testing.assert_allclose(np.cov(x.T), cov.asnumpy(), atol=0.1)


_NOT_DIFFERENTIABLE = {"argmax", "argmin", "argsort", "comparisons", "percentile"}


def _weighted(n, made):
    """A number that depends on every element of the results differently."""
    made = made if isinstance(made, (list, tuple)) else [made]
    total = 0
    for part in made:
        flat = n.ravel(part)
        total = total + (flat * n.arange(1, flat.size + 1)).sum()
    return total


@pytest.mark.parametrize("name", [n for n in CASES if n not in _NOT_DIFFERENTIABLE])
def test_gradients_are_those_of_finite_differences(name):
    case, eps = CASES[name], 1e-6
    inputs = [values((2, 3), "float64"), values((3,), "float64", seed=1)]
    arrays = [mx.np.array(x) for x in inputs]
    for a in arrays:
        a.attach_grad()
    with mx.autograd.record():
        total = _weighted(mx.np, case(mx.np, *arrays))
    if total._node is None:  # it depends on neither
        return
    total.backward()
    for i, a in enumerate(arrays):
        wanted = np.zeros_like(inputs[i])
        for at in np.ndindex(wanted.shape):
            ends = []
            for step in (eps, -eps):
                moved = [x.copy() for x in inputs]
                moved[i][at] += step
                ends.append(_weighted(np, case(np, *moved)))
            wanted[at] = (ends[0] - ends[1]) / (2 * eps)
        np.testing.assert_allclose(a.grad.asnumpy(), wanted, rtol=1e-4, atol=1e-5)


def test_any_arguments_compute_or_say_what_is_wrong():
    """Random arguments of odd kinds: a result or a plain error, whatever the function."""
    pool = [
        mx.np.ones((2, 3)), mx.np.array(1.0), mx.np.zeros((0, 3)), mx.np.ones((2, 2), dtype=bool),
        mx.np.ones((3,), dtype="int32"), None, 0, -1, 2, 7, 1.5, "a", (0, 1), [1, 2], (), True,
        [mx.np.ones(2), mx.np.ones(2)], np.ones(2), mx.nd.ones(2), slice(0, 1), float("nan"),
    ]  # fmt: skip
    wrong = (TypeError, ValueError, mx.MXNetError, NotImplementedError, IndexError)
    wrong += (ZeroDivisionError,)  # arange(0, 1, 0)
    draw = np.random.default_rng(0)
    left_to_numpy = dir(mx.np.fallback)
    for module in (mx.np, mx.np.linalg, mx.np.random, mx.npx.random):
        for name in dir(module):
            function = getattr(module, name)
            if name.startswith("_") or isinstance(function, type) or not callable(function):
                continue
            if name in left_to_numpy or name in ("set_printoptions", "genfromtxt", "seed"):
                continue
            for _ in range(12):
                args = [pool[i] for i in draw.integers(0, len(pool), draw.integers(1, 5))]
                try:
                    with np.errstate(all="ignore"):
                        function(*args)
                except wrong:
                    pass
                except Exception as error:
                    raise AssertionError(f"{name}{tuple(args)}") from error
