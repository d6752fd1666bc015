"""`Vocabulary`: the numbers of tokens (``mxnet.contrib.text.vocab``)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

__all__ = ["Vocabulary"]


class Vocabulary:
    """Tokens and their indices: the unknown token, reserved ones, then those counted.

    Parameters
    ----------
    counter : how often each token came; more frequent ones come first, others alphabetically.
    most_freq_count : at most that many counted tokens.
    min_freq : only tokens that came as often as that.
    unknown_token : stands for all others, at index 0.
    reserved_tokens : come next, whether counted or not.

    >>> from collections import Counter
    >>> from baryon.vocabulary import Vocabulary
    >>> words = Vocabulary(Counter("to be or not to be".split()), reserved_tokens=["<eos>"])
    >>> words.idx_to_token
    ['<unk>', '<eos>', 'be', 'to', 'not', 'or']
    >>> words.to_indices(["to", "go"]), words.to_tokens(2)
    ([3, 0], 'be')
    """

    def __init__(
        self,
        counter: Counter | None = None,
        most_freq_count: int | None = None,
        min_freq: int = 1,
        unknown_token: Any = "<unk>",
        reserved_tokens: Sequence[Any] | None = None,
    ) -> None:
        reserved = list(reserved_tokens or ())
        if counter is not None and not isinstance(counter, Counter):
            raise TypeError("`counter` must be an instance of collections.Counter.")
        if min_freq < 1:
            raise ValueError("`min_freq` must be set to a positive value.")
        if unknown_token in reserved:
            raise ValueError("`reserved_token` cannot contain `unknown_token`.")
        if len(set(reserved)) != len(reserved):
            raise ValueError("`reserved_tokens` cannot contain duplicate reserved tokens.")
        self._unknown_token = unknown_token
        self._reserved_tokens = reserved or None
        special = [unknown_token, *reserved]
        known = set(special)
        ranked = sorted((counter or {}).items(), key=lambda pair: (-pair[1], pair[0]))
        counted = [t for t, count in ranked if count >= min_freq and t not in known]
        self._idx_to_token = special + counted[:most_freq_count]
        self._token_to_idx = {token: i for i, token in enumerate(self._idx_to_token)}

    def __len__(self) -> int:
        return len(self._idx_to_token)

    @property
    def token_to_idx(self) -> dict[Any, int]:
        """The index of each token."""
        return self._token_to_idx

    @property
    def idx_to_token(self) -> list[Any]:
        """The tokens in the order of their indices."""
        return self._idx_to_token

    @property
    def unknown_token(self) -> Any:
        """What stands for tokens that are not in the vocabulary."""
        return self._unknown_token

    @property
    def reserved_tokens(self) -> list[Any] | None:
        """The reserved tokens."""
        return self._reserved_tokens

    def to_indices(self, tokens: Any) -> Any:
        """The index of a token, or those of a list; others have that of the unknown token."""
        if isinstance(tokens, list):
            return [self._token_to_idx.get(token, 0) for token in tokens]
        return self._token_to_idx.get(tokens, 0)

    def to_tokens(self, indices: Any) -> Any:
        """The token of an index, or a list of those of several; ValueError for others."""
        if isinstance(indices, list):
            return [self.to_tokens(index) for index in indices]
        if not isinstance(indices, int) or not 0 <= indices < len(self):
            raise ValueError(f"Token index {indices} in the provided `indices` is invalid.")
        return self._idx_to_token[indices]
