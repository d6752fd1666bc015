"""Vectors of tokens; numbers were observed on MXNet 1.9.1."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

import baryon as mx
from baryon.base import MXNetError
from baryon.contrib import text

E = text.embedding


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "vectors.txt"
    file.write_text("a 0.1 0.2 0.3\nb 0.4 0.5 0.6\nc 0.7 0.8 0.9\n")
    return file


def test_counting():
    source = " Life is great ! \n life is good . \n"
    plain = {"Life": 1, "is": 2, "great": 1, "!": 1, "life": 1, "good": 1, ".": 1}
    assert text.utils.count_tokens_from_str(source) == plain
    lower = text.utils.count_tokens_from_str(source, to_lower=True)
    assert lower["life"] == 2 and "Life" not in lower
    more = Counter({"Life": 3})
    assert text.utils.count_tokens_from_str(source, counter_to_update=more) is more
    assert more["Life"] == 4
    assert text.utils.count_tokens_from_str("a*b|c", "*", "|") == {"a": 1, "b": 1, "c": 1}


def test_vectors_of_a_file(path):
    words = E.CustomEmbedding(path)
    assert words.idx_to_token == ["<unk>", "a", "b", "c"] and (len(words), words.vec_len) == (4, 3)
    np.testing.assert_allclose(words.get_vecs_by_tokens("b").asnumpy(), [0.4, 0.5, 0.6], rtol=1e-6)
    several = words.get_vecs_by_tokens(["A", "zz"], lower_case_backup=True)
    np.testing.assert_allclose(several.asnumpy(), [[0.1, 0.2, 0.3], [0, 0, 0]], rtol=1e-6)
    words.update_token_vectors(["a", "<unk>"], mx.nd.array([[1, 1, 1], [2, 2, 2]]))
    assert words.idx_to_vec.asnumpy()[:2].tolist() == [[2, 2, 2], [1, 1, 1]]
    with pytest.raises(ValueError, match="zz"):
        words.update_token_vectors("zz", mx.nd.ones(3))
    with pytest.raises(ValueError, match="shape"):
        words.update_token_vectors("a", mx.nd.ones(2))
    ones = E.CustomEmbedding(path, init_unknown_vec=mx.nd.ones)
    assert ones.idx_to_vec.asnumpy()[0].tolist() == [1, 1, 1]


def test_vocabularies_and_composites(path):
    vocabulary = text.vocab.Vocabulary(Counter(["a", "a", "b", "q"]), reserved_tokens=["<pad>"])
    words = E.CustomEmbedding(path, vocabulary=vocabulary)
    assert words.idx_to_token == ["<unk>", "<pad>", "a", "b", "q"]
    wanted = np.array([[0] * 3, [0] * 3, [0.1, 0.2, 0.3], [0.4, 0.5, 0.6], [0] * 3])
    np.testing.assert_allclose(words.idx_to_vec.asnumpy(), wanted, rtol=1e-6)
    both = E.CompositeEmbedding(vocabulary, [E.CustomEmbedding(path), E.CustomEmbedding(path)])
    assert both.vec_len == 6 and both.reserved_tokens == ["<pad>"]
    np.testing.assert_allclose(both.idx_to_vec.asnumpy(), np.hstack([wanted] * 2), rtol=1e-6)


def test_headers_duplicates_and_damage(tmp_path):
    path = tmp_path / "v.txt"
    path.write_text("3 2\n<unk> 5 5\na 1 2\na 3 4\nd 6 7\n")
    with pytest.warns(UserWarning) as told:
        words = E.CustomEmbedding(path)
    assert ["left out as a header" in str(w.message) for w in told] == [True, False]
    assert words.idx_to_vec.asnumpy().tolist() == [[5, 5], [1, 2], [6, 7]]
    for content, error in (
        ("a x y\n", ValueError),
        ("a 1 2\nb 1 2 3\n", MXNetError),
        ("", MXNetError),
    ):
        path.write_text(content)
        with pytest.raises(error, match=r"v\.txt"):
            E.CustomEmbedding(path)
    with pytest.raises(ValueError, match=r"none\.txt"):
        E.CustomEmbedding(tmp_path / "none.txt")


def test_known_embeddings(tmp_path, path):
    folder = tmp_path / "glove"
    folder.mkdir()
    (folder / "glove.6B.50d.txt").write_bytes(path.read_bytes())
    words = E.create("glove", pretrained_file_name="glove.6B.50d.txt", embedding_root=tmp_path)
    assert isinstance(words, E.GloVe) and len(words) == 4
    assert "glove.6B.50d.txt" in E.get_pretrained_file_names("glove")
    with pytest.raises(MXNetError, match=r"wiki\.simple\.vec"):
        E.create("fasttext", embedding_root=tmp_path)
    with pytest.raises(KeyError, match="other"):
        E.create("glove", pretrained_file_name="other")
    with pytest.raises(KeyError, match="other"):
        E.get_pretrained_file_names("other")

    @E.register
    class Mine(E._TokenEmbedding):
        pretrained_file_name_sha1 = {"m.txt": "0"}

        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self._load_embedding(path, " ", mx.nd.zeros)

    assert len(E.create("mine")) == 4 and E.get_pretrained_file_names("mine") == ["m.txt"]
