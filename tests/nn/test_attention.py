"""Attention without an oracle: the formula, second derivatives, dropout, refusals."""

from __future__ import annotations

import copy
import math
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minidl
import minidl.functional as F
from minidl import nn


def by_the_formula(query, key, value, mask=None, scale=None):
    """Query by query; `mask` is True where a key may be seen."""
    scale = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    y = np.zeros((len(query), value.shape[1]))
    for i, q in enumerate(query):
        seen = range(len(key)) if mask is None else np.flatnonzero(mask[i])
        weights = np.array([math.exp(scale * q @ key[s]) for s in seen])
        y[i] = sum((w * value[s] for w, s in zip(weights, seen)), np.zeros(value.shape[1])) / max(weights.sum(), 1e-300)
    return y


@settings(max_examples=40, deadline=None)
@given(
    queries=st.integers(1, 4),
    keys=st.integers(1, 5),
    size=st.integers(1, 4),
    masked=st.sampled_from(["no", "bool", "numbers", "causal"]),
    seed=st.integers(0, 99),
)
def test_formula(queries, keys, size, masked, seed):
    random = np.random.default_rng(seed)
    query, key, value = (random.normal(size=(n, size)) for n in (queries, keys, keys))
    seen = np.tri(queries, keys, dtype=bool) if masked == "causal" else random.random((queries, keys)) < 0.6
    options = {
        "no": {},
        "bool": {"attn_mask": seen},
        "numbers": {"attn_mask": np.where(seen, 0.0, -np.inf)},
        "causal": {"is_causal": True},
    }[masked]
    y = F.scaled_dot_product_attention(query, key, value, **options)
    assert type(y) is np.ndarray
    np.testing.assert_allclose(y, by_the_formula(query, key, value, None if masked == "no" else seen), atol=1e-12)


@pytest.mark.parametrize("masked", ["no", "bool", "numbers", "blind"])
def test_first_and_second_derivatives(masked):
    random = np.random.default_rng(0)
    inputs = [minidl.Tensor(random.normal(size=shape), requires_grad=True) for shape in ((3, 2), (4, 2), (4, 2))]
    seen = random.random((3, 4)) < 0.7
    if masked == "numbers":
        inputs.append(minidl.Tensor(random.normal(size=(3, 4)), requires_grad=True))
        assert minidl.gradgradcheck(lambda q, k, v, mask: F.scaled_dot_product_attention(q, k, v, mask), inputs)
        return
    if masked == "blind":
        seen[1] = False
    mask = None if masked == "no" else seen
    assert minidl.gradcheck(lambda q, k, v: F.scaled_dot_product_attention(q, k, v, mask), inputs)
    assert minidl.gradgradcheck(lambda q, k, v: F.scaled_dot_product_attention(q, k, v, mask), inputs)


@pytest.mark.parametrize("dropout_p", [0.0, 0.4])
@pytest.mark.parametrize("fronts", [((), (), ()), ((), (), (2,)), ((2,), (), ()), ((), (3, 1), (2,))])
@pytest.mark.parametrize("mask", [None, "numbers", "causal"])
def test_derivatives_of_what_is_broadcast(fronts, mask, dropout_p):
    random = np.random.default_rng(0)
    shapes = [(*front, *shape) for front, shape in zip(fronts, ((3, 2), (4, 2), (4, 2)))]
    inputs = [minidl.Tensor(random.normal(size=shape), requires_grad=True) for shape in shapes]
    numbers = random.normal(size=(3, 2, 3, 4)) if mask == "numbers" else None

    def attend(*qkv):
        minidl.manual_seed(0)
        return F.scaled_dot_product_attention(*qkv, numbers, dropout_p, mask == "causal")

    y = attend(*inputs)
    dy = minidl.Tensor(random.normal(size=y.shape))
    plain, recorded = (minidl.grad((attend(*inputs) * dy).sum(), inputs, create_graph=c) for c in (False, True))
    for dx, other in zip(plain, recorded, strict=True):
        np.testing.assert_allclose(other.numpy(), dx.numpy(), atol=1e-12)
    assert minidl.gradcheck(attend, inputs)
    assert minidl.gradgradcheck(attend, inputs)


@pytest.mark.parametrize("value", [True, 1.0])
def test_a_mask_changed_in_place_is_noticed(value):
    q, k = minidl.ones(2, 3, dtype="float64", requires_grad=True), minidl.ones(4, 3, dtype="float64")
    mask = minidl.tensor(np.full((2, 4), value))
    y = F.scaled_dot_product_attention(q, k, k, mask)
    mask.zero_()
    with pytest.raises(RuntimeError, match="Attention: .* changed in place since"):
        y.sum().backward()


def test_scores_too_large_for_exp():
    query = np.array([[1e4, 0.0]])
    y = F.scaled_dot_product_attention(query, query * [[1], [-1]] + 0.0, np.array([[1.0], [2.0]]))
    np.testing.assert_array_equal(y, [[1.0]])


def test_dropout_keeps_the_mean():
    minidl.manual_seed(0)
    ones = np.ones((2000, 1))
    y = F.scaled_dot_product_attention(np.zeros((500, 1)), np.zeros((2000, 1)), ones, dropout_p=0.3)
    assert (y != 1).any()
    assert y.mean() == pytest.approx(1, abs=0.005)
    attention = nn.MultiheadAttention(4, 2, dropout=0.5)
    x = np.random.default_rng(0).normal(size=(5, 2, 4)).astype("f4")
    _, weights = attention(x, x, x)
    assert (weights == 0).any()
    _, weights = attention.eval()(x, x, x)
    np.testing.assert_allclose(weights.numpy().sum(-1), 1, rtol=1e-6)


def test_causal_and_padding_together():
    attention, x = nn.MultiheadAttention(8, 2), np.random.default_rng(0).normal(size=(5, 2, 8)).astype("f4")
    padding = np.array([[False] * 5, [False] * 3 + [True] * 2])
    _, weights = attention(x, x, x, padding, is_causal=True)
    assert ((weights.numpy() == 0) == (np.triu(np.ones((5, 5), bool), 1) | padding[:, None])).all()


def test_one_sequence_is_a_batch_of_one():
    random = np.random.default_rng(0)
    attention = nn.MultiheadAttention(8, 2)
    query, key = (minidl.Tensor(random.normal(size=(size, 8)).astype("f4")) for size in (3, 5))
    padding = np.array([False] * 4 + [True])
    y, weights = attention(query, key, key, padding)
    expected, expected_weights = attention(*(x.unsqueeze(1) for x in (query, key, key)), padding[None])
    np.testing.assert_allclose(y.numpy(), expected.numpy()[:, 0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(weights.numpy(), expected_weights.numpy()[0], rtol=1e-5)


def test_a_mask_of_numbers_may_be_learned():
    x = minidl.randn(3, 2, 8)
    mask = minidl.zeros(3, 3, requires_grad=True)
    nn.MultiheadAttention(8, 2)(x, x, x, attn_mask=mask)[0].square().sum().backward()
    assert mask.grad is not None and mask.grad.data.any()


def test_copies_of_an_encoder_layer_start_equal_and_train_apart():
    encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 8, dropout=0.0), 2)
    first, second = encoder.layers
    assert first.linear1.weight is not second.linear1.weight
    np.testing.assert_array_equal(first.linear1.weight.numpy(), second.linear1.weight.numpy())
    x = minidl.Tensor(np.random.default_rng(0).normal(size=(3, 2, 4)).astype("f4"))
    for twin in (copy.deepcopy(encoder), pickle.loads(pickle.dumps(encoder))):
        np.testing.assert_array_equal(twin(x).numpy(), encoder(x).numpy())


def test_a_causal_encoder_does_not_see_the_future():
    encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 8, dropout=0.0), 2).eval()
    x = np.random.default_rng(0).normal(size=(6, 2, 4)).astype("f4")
    changed = x.copy()
    changed[4:] += 1
    y, other = encoder(x, is_causal=True).numpy(), encoder(changed, is_causal=True).numpy()
    np.testing.assert_array_equal(y[:4], other[:4])
    assert (y[4:] != other[4:]).all()


X, LONG = np.zeros((5, 2, 8), "f4"), np.zeros((6, 2, 8), "f4")


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: F.scaled_dot_product_attention(X, X[..., :4], X), r"one E, got \(5, 2, 8\) and \(5, 2, 4\)"),
        (lambda: F.scaled_dot_product_attention(X, X, X[:, :1]), r"one S, got \(5, 2, 8\) and \(5, 1, 8\)"),
        (lambda: F.scaled_dot_product_attention(X, X, X, np.ones((2, 2), bool), is_causal=True), "not both"),
        (lambda: F.scaled_dot_product_attention(X, X, X, dropout_p=2), "probability"),
        (
            lambda: F.scaled_dot_product_attention(X, X[:3], X[:3], enable_gqa=True),
            r"axis -3 of \(5, 2, 8\), must be a multiple of those of key, got \(3, 2, 8\)",
        ),
        (lambda: F.scaled_dot_product_attention(X, X, X[0], enable_gqa=True), r"those of value, got \(2, 8\)"),
        (lambda: nn.MultiheadAttention(8, 2)(X, X[..., :4], X), r"key must be \(L, N, E\).*E = 8, got \(5, 2, 4\)"),
        (lambda: nn.MultiheadAttention(8, 2)(*[X[None]] * 3), r"query must be \(L, N, E\).*got \(1, 5, 2, 8\)"),
        (lambda: nn.MultiheadAttention(8, 2)(X, X, LONG), r"equally long, got \(5, 2, 8\) and \(6, 2, 8\)"),
        (lambda: nn.MultiheadAttention(8, 2)(X, X, X, np.ones((5, 2), bool)), r"key_padding_mask must be.*\(2, 5\)"),
        (lambda: nn.MultiheadAttention(8, 2)(X, X, X, attn_mask=np.ones((2, 5), bool)), r"attn_mask must be.*\(5, 5\)"),
        (lambda: nn.MultiheadAttention(8, 2, dropout=-1), "dropout.*-1"),
        (lambda: nn.TransformerEncoderLayer(8, 2, activation="tanh"), "'tanh'"),
    ],
)
def test_wrong_calls(call, text):
    with pytest.raises(ValueError, match=text):
        call()


@pytest.mark.parametrize("size", [(0, 3, 8), (2, 0, 8)])
def test_an_empty_batch_and_an_empty_sequence(size):
    x = minidl.zeros(*size, requires_grad=True)
    y, weights = nn.MultiheadAttention(8, 2, batch_first=True)(x, x, x)
    assert y.shape == size and weights.shape == (size[0], size[1], size[1])
    y.sum().backward()
    assert x.grad.shape == size
    assert nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)(x).shape == size


def test_no_keys_give_the_output_of_a_sum_of_nothing():
    attention = nn.MultiheadAttention(8, 2, batch_first=True)
    y, _ = attention(minidl.ones(1, 3, 8), minidl.ones(1, 0, 8), minidl.ones(1, 0, 8))
    np.testing.assert_array_equal(y.numpy(), np.broadcast_to(attention.out_proj.bias.numpy(), (1, 3, 8)))


@pytest.mark.parametrize("name, shape", [("key_padding_mask", (2, 3)), ("attn_mask", (3, 3))])
@pytest.mark.parametrize("batched", [True, False])
def test_a_mask_of_integers_is_refused(name, shape, batched):
    """Added to the scores, as numbers are, 0 and 1 would hide nothing."""
    attention, x = nn.MultiheadAttention(4, 2), np.zeros((3, 2, 4) if batched else (3, 4), np.float32)
    mask = np.ones(shape if batched else shape[-1:] if name == "key_padding_mask" else shape, np.int64)
    with pytest.raises(TypeError, match=f"{name} must be bool, True where a key is hidden.*got int64"):
        attention(x, x, x, **{name: mask})
