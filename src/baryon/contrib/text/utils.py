"""Counting tokens (``mxnet.contrib.text.utils``)."""

from __future__ import annotations

import re
from collections import Counter

__all__ = ["count_tokens_from_str"]


def count_tokens_from_str(
    source_str: str,
    token_delim: str = " ",
    seq_delim: str = "\n",
    to_lower: bool = False,
    counter_to_update: Counter | None = None,
) -> Counter:
    """How often each token comes in a text.

    token_delim, seq_delim : what stands between tokens, and between sequences of them.
    to_lower : count tokens in lower case.    counter_to_update : counts to add to.

    >>> sorted(mx.contrib.text.utils.count_tokens_from_str("Life is good .\\nlife is").items())
    [('.', 1), ('Life', 1), ('good', 1), ('is', 2), ('life', 1)]
    """
    tokens = re.split(f"{re.escape(token_delim)}|{re.escape(seq_delim)}", source_str)
    counter = Counter() if counter_to_update is None else counter_to_update
    counter.update(token.lower() if to_lower else token for token in tokens if token)
    return counter
