"""``mxnet.contrib.text.vocab``: the numbers of tokens."""

from ...vocabulary import Vocabulary

__all__ = ["Vocabulary"]
