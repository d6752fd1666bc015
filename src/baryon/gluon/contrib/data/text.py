"""Texts for language models (``mxnet.gluon.contrib.data.text``)."""

from __future__ import annotations

import os
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np

from .... import ndarray as nd
from ....base import MXNetError
from ....ndarray import NDArray
from ....util import in_mode
from ....vocabulary import Vocabulary
from ...data.dataset import Dataset
from ...data.vision._home import home
from ...utils import check_sha1, download  # noqa: F401  (programs find them here)

__all__ = ["WikiText2", "WikiText103"]

EOS_TOKEN = "<eos>"
_SEGMENTS = {"train": "train", "validation": "valid", "test": "test"}


class WikiText2(Dataset):
    """Wikipedia articles of two million words (Merity et al. 2016), for language models.

    Pairs of int32 NDArrays (seq_len,): words, and for each the next one. Read from the files
    ``wiki.train.tokens``, ``wiki.valid.tokens`` and ``wiki.test.tokens`` in ``root``, or from
    ``wikitext-2-v1.zip`` there. Each line with words ends in ``<eos>``.

    Parameters
    ----------
    root : folder of the files, by default ``$MXNET_HOME/datasets/wikitext-2``; MXNetError if they
        are not there (nothing is downloaded).
    segment : ``"train"``, ``"validation"`` or ``"test"``.
    vocab : a `Vocabulary`; by default one of the segment's words.
    seq_len : words a sample.

    ``vocabulary`` and ``frequencies`` are the words' numbers and counts.

    >>> data = mx.gluon.contrib.data.text.WikiText2("wikitext-2", seq_len=70)  # doctest: +SKIP
    """

    _folder, _archive = "wikitext-2", "wikitext-2-v1.zip"

    def __init__(
        self,
        root: str | os.PathLike | None = None,
        segment: str = "train",
        vocab: Vocabulary | None = None,
        seq_len: int = 35,
    ) -> None:
        if segment not in _SEGMENTS:
            raise ValueError(f"segment must be one of {list(_SEGMENTS)}, got {segment!r}")
        if seq_len < 1:
            raise ValueError(f"seq_len must be at least 1, got {seq_len}")
        folder = (home() / self._folder) if root is None else Path(root).expanduser()
        text = self._text(folder, f"wiki.{_SEGMENTS[segment]}.tokens")
        lines = [words for words in (line.split() for line in text.splitlines()) if words]
        self._counter = Counter(word for words in lines for word in words)
        self._vocab = vocab or Vocabulary(self._counter, reserved_tokens=[EOS_TOKEN])
        flat = [word for words in lines for word in (*words, EOS_TOKEN)]
        numbers = np.array(self._vocab.to_indices(flat), np.int32)
        count = max(len(numbers) - 1, 0) // seq_len
        if not count:
            raise MXNetError(
                f"{type(self).__name__}: {len(numbers)} words are no sequence of {seq_len} and the "
                "word after"
            )
        self._data, self._label = (
            in_mode(
                nd.array(numbers[i : i + count * seq_len].reshape(count, seq_len), dtype="int32")
            )
            for i in (0, 1)
        )

    def _text(self, folder: Path, name: str) -> str:
        path, archive = folder / name, folder / self._archive
        if path.is_file():
            return path.read_text(encoding="utf8")
        if not archive.is_file():
            raise MXNetError(
                f"{type(self).__name__}: no {name} and no {self._archive} in {folder}; "
                "put the files of the dataset there"
            )
        try:
            with zipfile.ZipFile(archive) as opened:
                inside = {Path(n).name: n for n in opened.namelist()}
                return opened.read(inside[name]).decode("utf8")
        except (zipfile.BadZipFile, KeyError, UnicodeDecodeError) as error:
            raise MXNetError(f"{type(self).__name__}: {archive}: {error}") from error

    @property
    def vocabulary(self) -> Vocabulary:
        """The words and their numbers."""
        return self._vocab

    @property
    def frequencies(self) -> Counter:
        """How often each word comes."""
        return self._counter

    def __getitem__(self, idx: int) -> tuple[NDArray, NDArray]:
        return self._data[idx], self._label[idx]

    def __len__(self) -> int:
        return len(self._data)


class WikiText103(WikiText2):
    """Wikipedia articles of 103 million words, in the form of `WikiText2`.

    ``root`` is by default ``$MXNET_HOME/datasets/wikitext-103``, the archive
    ``wikitext-103-v1.zip``.
    """

    _folder, _archive = "wikitext-103", "wikitext-103-v1.zip"
