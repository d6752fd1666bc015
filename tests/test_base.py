"""The small helpers of ``mx.base`` that programs import."""

from __future__ import annotations

import array
import ctypes

import numpy as np
import pytest

import baryon as mx
from baryon import base


def test_conversions_to_and_from_c():
    assert base.c_str("ab").value == b"ab" and base.c_str_array(["a", "b"])[:] == [b"a", b"b"]
    numbers = array.array("i", [1, 2])
    base.c_array_buf(ctypes.c_int, numbers)[1] = 5
    assert numbers.tolist() == [1, 5]
    text = ctypes.cast(ctypes.create_string_buffer(b"abc"), ctypes.POINTER(ctypes.c_char))
    assert base.ctypes2buffer(text, 2) == b"ab"
    floats = base.c_array(base.mx_float, range(6))
    shared = base.ctypes2numpy_shared(ctypes.cast(floats, base.mx_float_p), (2, 3))
    shared[1, 2] = 9
    np.testing.assert_array_equal(floats[:], [0, 1, 2, 3, 4, 9])
    with pytest.raises(TypeError, match="char pointer"):
        base.ctypes2buffer(3, 2)


def test_there_is_no_c_library():
    base.check_call(0)
    with pytest.raises(mx.MXNetError, match="no C library"):
        base.check_call(-1)
    with pytest.raises(mx.MXNetError, match="no MXEngineWaitAll"):
        base._LIB.MXEngineWaitAll()


def test_errors_by_name():
    assert base.c2pyerror("ValueError: no") == ("ValueError: no", "ValueError")
    assert base.c2pyerror("all is lost") == ("all is lost", None)
    error = base.register_error("Lost", type("Lost", (mx.MXNetError,), {}))
    assert base.register_error(error) is error


def test_classes():
    with_meta = base.with_metaclass(type("Meta", (type,), {"kind": 3}))
    assert type("Made", (with_meta,), {}).kind == 3


def test_data_dir(monkeypatch, tmp_path):
    monkeypatch.setenv("MXNET_HOME", str(tmp_path))
    assert base.data_dir() == str(tmp_path)
    assert base.data_dir_default().endswith(".mxnet")
