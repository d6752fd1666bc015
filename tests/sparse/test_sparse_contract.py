"""Every operator with sparse inputs gives the values that it gives with dense ones."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from contract import calls, make, tolerance

import baryon as mx
from baryon.ndarray.invoke import invoke_all

# What differs on purpose: updates of a gradient's rows, arithmetic on the stored rows alone.
ROWS_ONLY = ("_update", "_scatter_elemwise_div", "_scatter_plus_scalar", "_scatter_minus_scalar")
FIRST = {k: v for k, v in calls(all_dtypes=False) if not v[0].name.endswith(ROWS_ONLY)}


def thinned(x):
    """The array with its first row, and every third element, zero."""
    x = x.copy()
    if x.ndim and x.dtype.kind == "f":
        x.reshape(-1)[::3] = 0
        x[:1] = 0
    return x


def run(call, arrays):
    nds = [mx.nd.array(a, dtype=a.dtype) if isinstance(a, np.ndarray) else a for a in arrays]
    with mx.util.np_shape(True):
        outs = invoke_all(call.op, nds, call.attrs, cls=mx.nd.NDArray)
    return outs, nds


@pytest.mark.parametrize("place", FIRST.values(), ids=FIRST)
def test_values_do_not_depend_on_storage(place):
    call = make(*place)
    if call.op.is_random:
        pytest.skip("draws other numbers each time")
    arrays = [thinned(a) for a in call.arrays]
    try:
        want, written = run(call, arrays)
    except (mx.MXNetError, ValueError):
        pytest.skip("takes no zeros")
    for stype, fits in (("row_sparse", lambda a: a.ndim > 0), ("csr", lambda a: a.ndim == 2)):
        chosen = [i for i, a in enumerate(arrays) if fits(a) and a.size]
        for some in ([i] for i in chosen) if len(chosen) == 1 else [*([i] for i in chosen), chosen]:
            given = [
                mx.nd.array(a, dtype=a.dtype).tostype(stype) if i in some else a
                for i, a in enumerate(arrays)
            ]
            got, changed = run(call, given)
            for a, b in zip((*want, *written), (*got, *changed), strict=True):
                assert (b.shape, b.dtype) == (a.shape, a.dtype)
                x, y = (v.asnumpy().astype(np.float64) for v in (a, b))
                real = np.isfinite(x)  # 0 / 0 is absent in a sparse quotient
                np.testing.assert_allclose(
                    y[real], x[real], **tolerance(call), err_msg=f"{stype} {some}"
                )
                if b.stype != "default":
                    b.check_format()
