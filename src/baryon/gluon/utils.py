"""Helpers of Gluon: batch splitting, gradient clipping, downloads, hooks."""

from __future__ import annotations

import hashlib
import os
import tempfile
import urllib.parse
import urllib.request
import warnings
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from .. import ndarray, settings
from ..base import MXNetError
from ..context import Context
from ..util import in_mode, is_np_shape

__all__ = [
    "check_sha1",
    "clip_global_norm",
    "download",
    "replace_file",
    "split_and_load",
    "split_data",
]

_CHUNK = 1 << 20  # bytes read at a time
_REPOSITORY = "https://apache-mxnet.s3-accelerate.dualstack.amazonaws.com/"


class ArgumentError(MXNetError, AssertionError, ValueError):
    """An argument or value does not fit. MXNet asserts such things, hence the AssertionError."""


def shape_is_known(shape: tuple[int, ...] | None) -> bool:
    """Whether a shape has no unknown (0 or -1) dimension left; ``()`` is known to NumPy's shapes.

    >>> mx.gluon.utils.shape_is_known((3, 0))
    False
    """
    if not shape:
        return shape is not None and is_np_shape()
    return all(dim > 0 for dim in shape)


def split_data(
    data: Any, num_slice: int, batch_axis: int = 0, even_split: bool = True
) -> list[Any]:
    """Split an NDArray into `num_slice` slices along `batch_axis`.

    even_split : whether unequal slices are an error (ValueError); otherwise the first slices get
                 one more element each than the last ones.

    >>> [x.shape for x in mx.gluon.utils.split_data(mx.nd.ones((5, 2)), 2, even_split=False)]
    [(3, 2), (2, 2)]
    """
    size = data.shape[batch_axis]
    if even_split and size % num_slice:
        raise ValueError(
            f"data with shape {data.shape} cannot be evenly split into {num_slice} slices along "
            f"axis {batch_axis}. Use a batch size that's multiple of {num_slice} or set "
            f"even_split=False to allow uneven partitioning of data."
        )
    if num_slice == 1:
        return [data]
    short, extra = divmod(size, num_slice)
    stops = [short * (i + 1) + min(i + 1, extra) for i in range(num_slice)]
    bounds = zip([0, *stops], stops, strict=False)
    if batch_axis == 0:
        return [data[begin:end] for begin, end in bounds]
    return [ndarray.slice_axis(data, axis=batch_axis, begin=b, end=e) for b, e in bounds]


def split_and_load(
    data: Any, ctx_list: Sequence[Context], batch_axis: int = 0, even_split: bool = True
) -> list[Any]:
    """Split a batch into one slice a context and copy each slice to its context.

    >>> [x.shape for x in mx.gluon.utils.split_and_load(np.ones((4, 2)), [mx.cpu(0), mx.cpu(1)])]
    [(2, 2), (2, 2)]
    """
    if not isinstance(data, ndarray.NDArray):
        data = in_mode(ndarray.array(data, ctx=ctx_list[0]))
    slices = split_data(data, len(ctx_list), batch_axis, even_split)
    return [piece.as_in_context(ctx) for piece, ctx in zip(slices, ctx_list, strict=True)]


def clip_global_norm(arrays: Sequence[Any], max_norm: float, check_isfinite: bool = True) -> Any:
    """Scale arrays in place so that the 2-norm of all of them together is at most `max_norm`.

    Returns the norm before scaling: a float, or an NDArray of shape (1,) when `check_isfinite` is
    False (nothing then waits for the result).

    >>> grads = [mx.nd.array([3.0]), mx.nd.array([4.0])]
    >>> float(mx.gluon.utils.clip_global_norm(grads, 1.0))
    5.0
    >>> grads[1].asnumpy().round(3)
    array([0.8], dtype=float32)
    """
    if not arrays:
        raise ValueError("clip_global_norm needs at least one array")
    first = arrays[0].context
    squares = [_square_sum(array).astype("float32").as_in_context(first) for array in arrays]
    norm = ndarray.sqrt(ndarray.add_n(*squares))
    if check_isfinite:
        value = norm.asscalar()
        if not np.isfinite(value):
            warnings.warn(
                UserWarning("nan or inf is detected. Clipping results will be undefined."),
                stacklevel=2,
            )
    scale = ndarray.minimum(max_norm / (norm + 1e-8), 1.0)
    for array in arrays:
        array *= scale.as_in_context(array.context).astype(array.dtype)
    return float(value) if check_isfinite else norm


def _square_sum(array: Any) -> Any:
    if array.stype != "default":
        return array.norm().square()
    flat = array.reshape(-1)
    return ndarray.dot(flat, flat)


def check_sha1(filename: str, sha1_hash: str) -> bool:
    """Whether the SHA-1 of a file is `sha1_hash` (hexadecimal digits).

    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "x")
    >>> _ = path.write_bytes(b"abc")
    >>> mx.gluon.utils.check_sha1(path, "a9993e364706816aba3e25717850c26c9cd0d89d")
    True
    """
    digest = hashlib.sha1()
    with open(filename, "rb") as file:
        while block := file.read(_CHUNK):
            digest.update(block)
    return digest.hexdigest() == sha1_hash


def replace_file(src: str, dst: str) -> None:
    """Move a file over another atomically (both on one file system)."""
    os.replace(src, dst)


def download(
    url: str,
    path: str | None = None,
    overwrite: bool = False,
    sha1_hash: str | None = None,
    retries: int = 5,
    verify_ssl: bool = True,
) -> str:
    """Download a file (``http(s)://`` or ``file://``) and return where it lies.

    path      : file or folder to write; default: the URL's last part in the working folder.
    overwrite : replace a file that is already there with the right checksum.
    sha1_hash : expected SHA-1; a file that differs is fetched again.
    retries   : how many more attempts follow a failed one.
    """
    if retries < 0:
        raise ValueError(f"retries must be at least 0, got {retries}")
    name = os.path.basename(urllib.parse.urlparse(url).path)
    if path is None:
        target = name
    else:
        path = os.path.expanduser(path)
        target = os.path.join(path, name) if os.path.isdir(path) else path
    if not target:
        raise ValueError(f"cannot take a file name from {url}; pass path")
    if not verify_ssl:
        warnings.warn("Unverified HTTPS request is being made (verify_ssl=False).", stacklevel=2)
    present = os.path.exists(target) and not overwrite
    if present and (not sha1_hash or check_sha1(target, sha1_hash)):
        return target
    os.makedirs(os.path.dirname(os.path.abspath(target)), exist_ok=True)
    for attempt in range(retries + 1):
        try:
            _fetch(url, target, sha1_hash, verify_ssl)
            return target
        except Exception as error:
            if attempt == retries:
                raise
            print(f"download failed due to {error!r}, retrying, {retries - attempt} attempts left")
    return target


def _fetch(url: str, target: str, sha1_hash: str | None, verify_ssl: bool) -> None:
    """One attempt: write beside the target, check, then move over it."""
    print(f"Downloading {target} from {url}...")
    folder = os.path.dirname(os.path.abspath(target))
    handle, temporary = tempfile.mkstemp(prefix=os.path.basename(target), dir=folder)
    try:
        with os.fdopen(handle, "wb") as file:
            for block in _blocks(url, verify_ssl):
                file.write(block)
        if sha1_hash and not check_sha1(temporary, sha1_hash):
            raise UserWarning(
                f"File {target} is downloaded but the content hash does not match. The repo may "
                f"be outdated or download may be incomplete."
            )
        os.replace(temporary, target)
    finally:
        if os.path.exists(temporary):
            os.remove(temporary)


def _blocks(url: str, verify_ssl: bool) -> Iterator[bytes]:
    scheme = urllib.parse.urlparse(url).scheme
    if scheme not in ("http", "https", "file"):
        raise MXNetError(f"cannot download {url}: expected an http(s):// or file:// address")
    if scheme != "file":
        try:
            import requests
        except ImportError:
            requests = None
        if requests is not None:
            reply = requests.get(url, stream=True, verify=verify_ssl, timeout=60)
            if reply.status_code != 200:
                raise RuntimeError(f"Failed downloading url {url} (status {reply.status_code})")
            yield from reply.iter_content(chunk_size=_CHUNK)
            return
    context = None
    if scheme == "https" and not verify_ssl:
        import ssl

        context = ssl._create_unverified_context()
    with urllib.request.urlopen(url, timeout=60, context=context) as reply:
        while block := reply.read(_CHUNK):
            yield block


class HookHandle:
    """What `register_forward_hook` returns: `detach` removes the hook again."""

    _count = 0

    def __init__(self) -> None:
        self._hooks: weakref.ref | None = None
        self._id: int | None = None

    def attach(self, hooks_dict: OrderedDict, hook: Callable) -> None:
        """Add a hook to a dictionary of hooks and remember where."""
        if self._hooks is not None:
            raise MXNetError("the same HookHandle cannot be attached twice")
        HookHandle._count += 1
        self._id = HookHandle._count
        hooks_dict[self._id] = hook
        self._hooks = weakref.ref(hooks_dict)

    def detach(self) -> None:
        """Remove the hook; nothing happens if it is gone already."""
        hooks = self._hooks() if self._hooks is not None else None
        if hooks is not None:
            hooks.pop(self._id, None)

    def __getstate__(self) -> tuple:
        return (self._hooks() if self._hooks is not None else None, self._id)

    def __setstate__(self, state: tuple) -> None:
        hooks, self._id = state
        self._hooks = None if hooks is None else weakref.ref(hooks)

    def __enter__(self) -> HookHandle:
        return self

    def __exit__(self, *_: object) -> None:
        self.detach()


def brief(names: Any, limit: int = 10) -> str:
    """A quoted list of names for error messages, the middle of a long one left out.

    >>> mx.gluon.utils.brief(["a", "b"])
    "'a', 'b'"
    """
    quoted = [f"'{name}'" for name in names]
    if len(quoted) > limit:
        half = limit // 2
        quoted = [*quoted[:half], "...", *quoted[-half:]]
    return ", ".join(quoted)


def indent(text: str, spaces: int) -> str:
    """Indent all lines of a text but the first."""
    return text.replace("\n", "\n" + " " * spaces)


_indent, _brief_print_list = indent, brief  # MXNet's names


def _get_repo_url() -> str:
    """Where published data sets and models lie; ``MXNET_GLUON_REPO`` names another place."""
    url = settings.get("MXNET_GLUON_REPO") or _REPOSITORY
    return url if url.endswith("/") else url + "/"


def _get_repo_file_url(namespace: str, filename: str) -> str:
    """The address of a file in a folder of the published data sets and models.

    >>> mx.gluon.utils._get_repo_file_url("gluon/dataset/mnist", "a.gz").rpartition("/gluon/")[2]
    'dataset/mnist/a.gz'
    """
    return f"{_get_repo_url()}{namespace}/{filename}"
