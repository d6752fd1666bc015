"""CTC against a sum over all alignments, one by one."""

import itertools

import numpy as np
import pytest

import baryon as mx


def collapsed(path, blank):
    """What a path of classes spells: repetitions merged, then blanks dropped."""
    return [c for c, _ in itertools.groupby(path) if c != blank]


def by_enumeration(data, label, blank):
    """The loss of one sequence (time, classes) from the probabilities of all paths."""
    p = np.exp(data) / np.exp(data).sum(-1, keepdims=True)
    total = sum(
        np.prod(p[np.arange(len(p)), path])
        for path in itertools.product(range(p.shape[1]), repeat=len(p))
        if collapsed(path, blank) == list(label)
    )
    return -np.log(total) if total else 0.0


def logits(*shape):
    return np.random.default_rng(4).normal(size=shape)


@pytest.mark.parametrize("label", [[1, 2], [1, 1], [2], []])
@pytest.mark.parametrize("blank", ["first", "last"])
def test_loss_is_the_sum_over_all_alignments(label, blank):
    data = logits(4, 1, 3)
    labels = [c if blank == "first" else c - 1 for c in label]
    padding = 0 if blank == "first" else -1
    padded = labels + [padding] * (3 - len(labels))
    got = mx.nd.CTCLoss(
        mx.nd.array(data, dtype="float64"), mx.nd.array([padded]), blank_label=blank
    )
    want = by_enumeration(data[:, 0], labels, 0 if blank == "first" else 2)
    np.testing.assert_allclose(got.asnumpy(), [want], rtol=1e-9)


def test_lengths_cut_data_and_labels():
    data, label = logits(5, 2, 4), np.array([[1, 2, 3], [3, 3, 1]])
    got = mx.nd.CTCLoss(
        *(mx.nd.array(data, dtype="float64"), mx.nd.array(label)),
        *(mx.nd.array([3, 5]), mx.nd.array([1, 2])),
        use_data_lengths=True,
        use_label_lengths=True,
    )
    want = [by_enumeration(data[:3, 0], [1], 0), by_enumeration(data[:, 1], [3, 3], 0)]
    np.testing.assert_allclose(got.asnumpy(), want, rtol=1e-9)


def test_gradient_is_zero_beyond_the_length_and_where_nothing_fits():
    data = mx.nd.array(logits(3, 2, 4))
    data.attach_grad()
    with mx.autograd.record():
        loss = mx.nd.contrib.ctc_loss(
            *(data, mx.nd.array([[1, 1, 1], [2, 3, 0]]), mx.nd.array([3, 2])),
            use_data_lengths=True,
        )
    loss.backward()
    grad = data.grad.asnumpy()
    assert loss.asnumpy()[0] == 0 and not grad[:, 0].any()
    assert grad[:2, 1].any() and not grad[2, 1].any()


def test_wild_labels_stay_within_bounds():
    loss = mx.nd.CTCLoss(mx.nd.array(logits(4, 1, 3)), mx.nd.array([[-7, 99]]))
    assert np.isfinite(loss.asnumpy()).all()


@pytest.mark.parametrize(
    "shapes", [[(2, 1, 4), (1, 3)], [(4, 2, 4), (1, 3)], [(4, 4), (1, 3)], [(4, 2, 4), (2,)]]
)
def test_errors_name_the_operator(shapes):
    with pytest.raises(mx.MXNetError, match="operator CTCLoss"):
        mx.nd.CTCLoss(*map(mx.nd.ones, shapes))
