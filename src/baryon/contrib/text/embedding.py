"""Vectors of tokens, from files (``mxnet.contrib.text.embedding``).

A file has a line ``token number number ...`` for each token. Nothing is downloaded: GloVe's and
fastText's files are read from ``$MXNET_HOME/embeddings/glove`` and ``fasttext``.
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ... import ndarray as nd
from ...base import MXNetError
from ...ndarray import NDArray
from ...registry import get_create_func, get_register_func, get_registry
from ...vocabulary import Vocabulary

__all__ = [
    "CompositeEmbedding",
    "CustomEmbedding",
    "FastText",
    "GloVe",
    "create",
    "get_pretrained_file_names",
    "register",
]

Initial = Callable[..., NDArray]
_GLOVE = {
    "42B": (300,),
    "6B": (50, 100, 200, 300),
    "840B": (300,),
    "twitter.27B": (25, 50, 100, 200),
}


class _TokenEmbedding(Vocabulary):
    """Base of the embeddings: a vocabulary whose tokens have vectors, ``idx_to_vec``."""

    pretrained_files: Sequence[str] = ()
    pretrained_file_name_sha1: Mapping[str, str] = {}  # how MXNet's subclasses name their files

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._idx_to_vec: NDArray | None = None

    @property
    def vec_len(self) -> int:
        """Length of the vectors."""
        return self._idx_to_vec.shape[1]

    @property
    def idx_to_vec(self) -> NDArray:
        """The vectors (tokens, length), in the order of the indices."""
        return self._idx_to_vec

    def _load_embedding(
        self,
        pretrained_file_path: str | os.PathLike,
        elem_delim: str,
        init_unknown_vec: Initial,
        encoding: str = "utf8",
    ) -> None:
        """Take tokens and vectors from a file; its first vector of a token counts."""
        vectors: dict[str, np.ndarray] = {}
        for token, vector in _vectors(Path(pretrained_file_path), elem_delim, encoding):
            if token in vectors:
                warnings.warn(f"{pretrained_file_path}: another vector of {token!r}", stacklevel=3)
            vectors.setdefault(token, vector)
        if not vectors:
            raise MXNetError(f"{pretrained_file_path}: there are no vectors")
        width = len(next(iter(vectors.values())))
        unknown = vectors.pop(self.unknown_token, None)
        if unknown is None:
            unknown = init_unknown_vec(shape=width).asnumpy()
        for token in vectors:
            if token not in self._token_to_idx:
                self._token_to_idx[token] = len(self._idx_to_token)
                self._idx_to_token.append(token)
        rows = [vectors.get(token, unknown) for token in self._idx_to_token]
        self._idx_to_vec = nd.array(np.stack(rows).astype(np.float32))

    def _restrict(self, vocabulary: Vocabulary | None) -> None:
        """Keep the tokens of a vocabulary alone, if there is one."""
        if vocabulary is not None:
            self._combine(vocabulary, [self])

    def _combine(self, vocabulary: Vocabulary, parts: Sequence[_TokenEmbedding]) -> None:
        """Become the vectors of several embeddings, one after the other, for a vocabulary."""
        if not isinstance(vocabulary, Vocabulary):
            raise TypeError(f"vocabulary must be a Vocabulary, got {vocabulary!r}")
        tokens = vocabulary.idx_to_token
        # A vocabulary's unknown token is each embedding's own, and index 0 in all of them.
        names = [[part.unknown_token, *tokens[1:]] for part in parts]
        vectors = [p.get_vecs_by_tokens(n) for p, n in zip(parts, names, strict=True)]
        self._idx_to_vec = nd.concat(*vectors, dim=1)
        self._unknown_token = vocabulary.unknown_token
        self._reserved_tokens = vocabulary.reserved_tokens
        self._idx_to_token = list(tokens)
        self._token_to_idx = dict(vocabulary.token_to_idx)

    def get_vecs_by_tokens(self, tokens: Any, lower_case_backup: bool = False) -> NDArray:
        """The vector (length,) of a token, or those (n, length) of a list of them.

        lower_case_backup : take the lower-case token's where there is none of the token itself.
        """
        many = not isinstance(tokens, str)
        wanted = list(tokens) if many else [tokens]
        if lower_case_backup:
            wanted = [t if t in self._token_to_idx else t.lower() for t in wanted]
        indices = nd.array(self.to_indices(wanted), dtype="int64")
        found = nd.take(self._idx_to_vec, indices)
        return found if many else found[0]

    def update_token_vectors(self, tokens: Any, new_vectors: NDArray) -> None:
        """Replace the vectors of tokens; ValueError for tokens that have none."""
        wanted = [tokens] if isinstance(tokens, str) else list(tokens)
        for token in wanted:
            if token not in self._token_to_idx:
                raise ValueError(
                    f"Token {token} is unknown. To update the vector of unknown tokens, name the "
                    f"`unknown_token` {self.unknown_token}."
                )
        shape = (len(wanted), self.vec_len)
        if new_vectors.size != shape[0] * shape[1]:
            raise ValueError(f"new_vectors must have shape {shape}, got {new_vectors.shape}")
        vectors = self._idx_to_vec.asnumpy().copy()
        vectors[self.to_indices(wanted)] = new_vectors.asnumpy().reshape(shape)
        self._idx_to_vec[:] = nd.array(vectors)


def _vectors(path: Path, delimiter: str, encoding: str) -> Iterator[tuple[str, np.ndarray]]:
    """Tokens and vectors in a file; lines whose vectors have one number are no vectors."""
    if not path.is_file():
        raise ValueError(
            f"`pretrained_file_path` must be a valid path to a file of vectors, got {path}"
        )
    width = None
    with open(path, encoding=encoding) as lines:
        for number, line in enumerate(lines, 1):
            token, *values = line.rstrip().split(delimiter)
            if len(values) == 1:
                warnings.warn(f"{path}, line {number}: left out as a header", stacklevel=4)
                continue
            if width not in (None, len(values)):
                raise MXNetError(
                    f"{path}, line {number}: {len(values)} numbers, other lines have {width}"
                )
            try:
                vector = np.array(values, np.float32)
            except ValueError as error:
                raise ValueError(f"{path}, line {number}: {error}") from None
            width = len(values)
            if token and width:
                yield token, vector


# ---- the embeddings ------------------------------------------------------------------------------

register = get_register_func(_TokenEmbedding, "token embedding")
"""Make an embedding's class known to `create`, by its name in lower case."""
_create = get_create_func(_TokenEmbedding, "token embedding")


def create(embedding_name: str, **kwargs: Any) -> _TokenEmbedding:
    """An embedding by the name of its class, in lower case."""
    return _create(embedding_name, **kwargs)


class _Known(_TokenEmbedding):
    """Embeddings whose files have names."""

    _folder: str
    _named: str  # pattern of the files' names

    def __init__(
        self,
        pretrained_file_name: str,
        embedding_root: str | os.PathLike | None,
        init_unknown_vec: Initial,
        vocabulary: Vocabulary | None,
        **kwargs: Any,
    ) -> None:
        if not re.fullmatch(self._named, pretrained_file_name):
            raise KeyError(
                f"Cannot find pretrained file {pretrained_file_name} for token embedding "
                f"{self._folder}. Valid ones: {', '.join(self.pretrained_files)}"
            )
        super().__init__(**kwargs)
        home = Path(os.environ.get("MXNET_HOME", "~/.mxnet")) / "embeddings"
        root = Path(embedding_root if embedding_root is not None else home).expanduser()
        path = root / self._folder / pretrained_file_name
        if not path.is_file():
            raise MXNetError(f"{type(self).__name__}: there is no {path}; put the file there")
        self._load_embedding(path, " ", init_unknown_vec)
        self._restrict(vocabulary)


@register
class GloVe(_Known):
    """GloVe's vectors (Pennington et al. 2014), from a file in ``embedding_root``'s ``glove``.

    Parameters
    ----------
    pretrained_file_name : one of ``get_pretrained_file_names("glove")``.
    embedding_root : by default ``$MXNET_HOME/embeddings``.
    init_unknown_vec : makes the unknown token's vector where the file has none.
    vocabulary : keep its tokens alone.
    """

    _folder, _named = "glove", r"glove\.(42B|6B|840B|twitter\.27B)\.\d+d\.txt"
    pretrained_files = tuple(f"glove.{c}.{d}d.txt" for c, sizes in _GLOVE.items() for d in sizes)

    def __init__(
        self,
        pretrained_file_name: str = "glove.840B.300d.txt",
        embedding_root: str | os.PathLike | None = None,
        init_unknown_vec: Initial = nd.zeros,
        vocabulary: Vocabulary | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            pretrained_file_name, embedding_root, init_unknown_vec, vocabulary, **kwargs
        )


@register
class FastText(_Known):
    """fastText's vectors (Bojanowski et al. 2017), from ``embedding_root``'s folder ``fasttext``.

    The arguments are `GloVe`'s; files are named ``wiki.LANGUAGE.vec``, whatever the language.
    """

    _folder, _named = "fasttext", r"wiki\.[\w-]+\.vec"
    pretrained_files = ("wiki.simple.vec", "wiki.en.vec", "wiki.de.vec", "wiki.fr.vec",
                        "wiki.es.vec", "wiki.zh.vec", "wiki.ja.vec")  # fmt: skip

    def __init__(
        self,
        pretrained_file_name: str = "wiki.simple.vec",
        embedding_root: str | os.PathLike | None = None,
        init_unknown_vec: Initial = nd.zeros,
        vocabulary: Vocabulary | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            pretrained_file_name, embedding_root, init_unknown_vec, vocabulary, **kwargs
        )


class CustomEmbedding(_TokenEmbedding):
    """Vectors from a file of one's own.

    Parameters
    ----------
    pretrained_file_path : a file of lines ``token number ...``, with ``elem_delim`` between.
    init_unknown_vec : makes the unknown token's vector where the file has none.
    vocabulary : keep its tokens alone.

    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "vectors.txt"
    >>> _ = path.write_text("to 1 2" + chr(10) + "be 3 4")
    >>> words = mx.contrib.text.embedding.CustomEmbedding(path)
    >>> words.get_vecs_by_tokens(["be", "or"]).asnumpy().tolist()
    [[3.0, 4.0], [0.0, 0.0]]
    """

    def __init__(
        self,
        pretrained_file_path: str | os.PathLike,
        elem_delim: str = " ",
        encoding: str = "utf8",
        init_unknown_vec: Initial = nd.zeros,
        vocabulary: Vocabulary | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._load_embedding(pretrained_file_path, elem_delim, init_unknown_vec, encoding)
        self._restrict(vocabulary)


class CompositeEmbedding(_TokenEmbedding):
    """For each token of a vocabulary the vectors of several embeddings, one after the other."""

    def __init__(self, vocabulary: Vocabulary, token_embeddings: Any) -> None:
        super().__init__()
        many = isinstance(token_embeddings, list | tuple)
        self._combine(vocabulary, token_embeddings if many else [token_embeddings])


def get_pretrained_file_names(embedding_name: str | None = None) -> Any:
    """The names of an embedding's files, or a dict of those of all.

    >>> mx.contrib.text.embedding.get_pretrained_file_names("glove")[0]
    'glove.42B.300d.txt'
    """
    kinds = get_registry(_TokenEmbedding).items()
    names = {n: list(k.pretrained_files or k.pretrained_file_name_sha1) for n, k in kinds}
    if embedding_name is None:
        return names
    if embedding_name.lower() not in names:
        raise KeyError(f"Cannot find embedding {embedding_name}; there are {sorted(names)}")
    return names[embedding_name.lower()]
