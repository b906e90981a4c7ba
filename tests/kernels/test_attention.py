"""Attention against its formula in more digits, its gradients against finite differences, what may not change it."""

from __future__ import annotations

import resource
import sys

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from minidl import kernels

from .common import FLOATS, ORDERS, arrays_of, assert_threads_change_no_bit, cpu_backends, fast, laid_out, seeds

BACKENDS = ["reference", *cpu_backends("attention")]
FRONTS = [(), (3,), (2, 3), (2, 1, 3)]
MASKS = [None, "causal", "booleans", "numbers", "one for all"]


def mask_of(kind, front, queries, keys, dtype, rng):
    if kind == "booleans":
        return rng.random((queries, keys)) > 0.4
    if kind == "numbers":
        mask = rng.standard_normal((*front, queries, keys)).astype(dtype)
        mask[rng.random(mask.shape) > 0.7] = -np.inf
        mask[..., :1, :] = -np.inf  # a query that sees nothing
        return mask
    return rng.random((1, keys)) > 0.4 if kind == "one for all" else None


def by_formula(q, k, v, mask, is_causal, scale, dropout_p, key):
    """y in float64, all of it at once."""
    front, queries, keys = q.shape[:-2], q.shape[-2], k.shape[-2]
    drop = kernels.dropout.forward(np.ones((*front, queries, keys)), dropout_p, key)
    q, k, v = (x.astype(np.float64) for x in (q, k, v))
    z = scale * np.einsum("...id,...jd->...ij", q, k)  # (*front, queries, keys)
    if mask is not None:
        z = z + (np.where(mask, 0, -np.inf) if mask.dtype == bool else mask)
    if is_causal:
        z = np.where(np.arange(keys) <= np.arange(queries)[:, None], z, -np.inf)
    e = np.exp(z - z.max(-1, keepdims=True, initial=np.finfo(float).min))  # 0 where nothing is seen, and so is y
    total = e.sum(-1, keepdims=True)
    return np.einsum("...ij,...jd->...id", drop * e / np.where(total > 0, total, 1), v)


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("backend", BACKENDS)
@fast
@given(
    front=st.sampled_from(FRONTS),
    sizes=st.tuples(*[st.integers(0, 9)] * 2, *[st.integers(1, 9)] * 2) | st.just((70, 66, 17, 33)),
    order=st.sampled_from(ORDERS),
    dropout_p=st.sampled_from([0.0, 0.3]),
    seed=seeds,
)
@example(front=(2,), sizes=(3, 300, 5, 4), order="C", dropout_p=0.3, seed=1)
def test_against_the_formula(backend, dtype, mask, front, sizes, order, dropout_p, seed):
    queries, keys, size, value_size = sizes
    shapes = (queries, size), (keys, size), (keys, value_size), (queries, value_size)
    q, k, v, dy = (laid_out(arrays_of((*front, *s), dtype, seed + i), order) for i, s in enumerate(shapes))
    given_mask = mask_of(mask, front, queries, keys, dtype, np.random.default_rng(seed))
    options = (given_mask, mask == "causal", 0.4, dropout_p, seed)
    with kernels.use_backend(backend, strict=backend != "reference"):
        y = kernels.attention.forward(q, k, v, *options)
        gradients = kernels.attention.backward(dy, q, k, v, *options)
    eps = np.finfo(dtype).eps
    expected = by_formula(q, k, v, *options)
    assert y.dtype == dtype and y.shape == expected.shape
    np.testing.assert_allclose(y, expected, rtol=40 * eps, atol=40 * eps)
    # sum(dy * y(x + h * direction)) grows by h * sum(dx * direction), for each of q, k and v
    wide = [x.astype(np.float64) for x in (q, k, v)]
    if given_mask is not None and given_mask.dtype != bool:
        options = (given_mask.astype(np.float64), *options[1:])
    h = 1e-5
    for i, dx in enumerate(gradients):
        assert dx.dtype == dtype and dx.shape == wide[i].shape
        direction = arrays_of(dx.shape, "float64", seed + 9)
        ends = []
        for step in (h, -h):
            moved = list(wide)
            moved[i] = wide[i] + step * direction
            ends.append((dy * by_formula(*moved, *options)).sum())
        slope, size_of_it = (ends[0] - ends[1]) / (2 * h), np.abs(dx * direction).sum() + 1
        assert abs((dx * direction).sum() - slope) <= (1e-5 if dtype == "float32" else 1e-8) * size_of_it


@pytest.mark.parametrize("is_causal", [False, True])
@pytest.mark.parametrize("heads", [1, 6])
def test_the_number_of_threads_changes_no_bit(heads, is_causal):
    q, k, v, dy = arrays_of((4, heads, 300, 20), "float32", 1)

    def both_ways():
        with kernels.use_backend("cython", strict=True):
            y = kernels.attention.forward(q, k, v, None, is_causal, None, 0.2, 3)
            return y, *kernels.attention.backward(dy, q, k, v, None, is_causal, None, 0.2, 3)

    assert_threads_change_no_bit(both_ways, (1, 2, 5))


def test_heads_stay_beside_one_another():
    """What a dense layer gives, (N, L, heads, E) in memory, comes out so: nothing is copied for the next layer."""
    q = arrays_of((2, 5, 3, 4), "float32", 0).swapaxes(1, 2)
    with kernels.use_backend("cython", strict=True):
        for x in (kernels.attention.forward(q, q, q), *kernels.attention.backward(q, q, q, q)):
            assert x.swapaxes(1, 2).flags.c_contiguous


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_is_hidden_is_hidden(backend):
    """Not even NaN comes through a mask, as long as the value behind it is finite."""
    q, k, v = arrays_of((3, 4, 4), "float64", 0)
    k[2] = np.nan
    mask = np.arange(4) != 2
    with kernels.use_backend(backend):
        y = kernels.attention.forward(q, k, v, mask)
        others = kernels.attention.forward(q, k[mask], v[mask])
        as_numbers = kernels.attention.forward(q, k, v, np.where(mask, 0, -np.inf))
    np.testing.assert_allclose(y, others, rtol=1e-12)
    np.testing.assert_array_equal(as_numbers, y)


@pytest.mark.parametrize("backend", BACKENDS)
def test_scores_that_would_overflow(backend):
    q, k, v = np.array([[1e3]]), np.array([[1e3], [-1e3], [1e3]]), np.array([[1.0], [2.0], [4.0]])
    with kernels.use_backend(backend):
        np.testing.assert_array_equal(kernels.attention.forward(q, k, v), [[2.5]])


@pytest.mark.parametrize("mask", [None, "causal", "booleans", "numbers"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_query_whose_scores_all_overflow_to_minus_infinity(backend, mask):
    """Zeros, as for a query that sees no key, and no gradient flows through it: PyTorch does so too."""
    q, k = np.array([[1.0, 0.0], [-1e200, 0.0], [0.5, 1.0]]), np.array([[1e200, 1.0], [2e200, 1.0], [3e200, 1.0]])
    v, dy, others = arrays_of((3, 4), "float64", 1), arrays_of((3, 4), "float64", 2), [0, 2]
    table = {"booleans": np.tri(3, dtype=bool), "numbers": np.zeros((3, 3))}.get(mask)
    options = (table, mask == "causal", 1.0)
    with kernels.use_backend(backend), np.errstate(over="ignore", invalid="ignore"):
        y = kernels.attention.forward(q, k, v, *options)
        dq, dk, dv = kernels.attention.backward(dy, q, k, v, *options)
        dy_of_others = dy.copy()
        dy_of_others[1] = 0
        without = kernels.attention.backward(dy_of_others, q, k, v, *options)
        too_large = kernels.attention.forward(-q, k, v, *options)
    np.testing.assert_array_equal(y[1], 0)
    assert (np.abs(y[others]) > 0).all()
    np.testing.assert_array_equal(dq[1], 0)
    for dx, expected in zip((dq, dk, dv), without):
        np.testing.assert_array_equal(dx, expected)
    assert np.isnan(too_large[1]).all()  # one that overflows to inf is no zero


@pytest.mark.parametrize("backend", BACKENDS)
def test_vectors_of_no_numbers_match_equally_well(backend):
    with kernels.use_backend(backend):
        y = kernels.attention.forward(np.ones((1, 0)), np.ones((2, 0)), np.array([[1.0], [5.0]]))
    np.testing.assert_array_equal(y, [[3.0]])


def test_every_query_sees_every_key_unless_told_otherwise():
    q, k, v, dy = arrays_of((4, 3, 2), "float64", 0)
    all_of_them, (forward, backward) = np.ones((3, 3), bool), (kernels.attention.forward, kernels.attention.backward)
    np.testing.assert_array_equal(forward(q, k, v), forward(q, k, v, all_of_them))
    for dx, expected in zip(backward(dy, q, k, v), backward(dy, q, k, v, all_of_them), strict=True):
        np.testing.assert_array_equal(dx, expected)


def test_bad_arguments():
    x, y = np.ones((2, 3, 4)), np.ones((2, 5, 4))
    forward, backward = kernels.attention.forward, kernels.attention.backward
    for call, error, words in (
        (lambda: forward(x, y, x), ValueError, r"q, k and v must be \(\.\.\., L, E\), .* got \(2, 3, 4\), \(2, 5, 4\)"),
        (lambda: forward(x, y[:1], y[:1]), ValueError, "q, k and v must be"),
        (lambda: forward(x, y.astype("f4"), y), TypeError, "k must have the dtype of q"),
        (lambda: forward(*[np.ones((2, 2), int)] * 3), TypeError, "must be floating point, .*, got int64"),
        (lambda: forward(*[x.astype(">f4")] * 3), TypeError, "q, k and v must be .* the machine's byte order, got >f4"),
        (lambda: forward(x, y, y, np.ones((3, 4), bool)), ValueError, r"mask must broadcast to .* = \(2, 3, 5\), got"),
        (lambda: forward(x, y, y, np.ones((3, 5), int)), TypeError, "mask must have the dtype of q"),
        (lambda: forward(x, y, y, np.ones((3, 5), bool), True), ValueError, "either mask or is_causal"),
        (lambda: forward(x, y, y, dropout_p=1), ValueError, "dropout_p must be from 0 up to 1, got 1"),
        (lambda: forward(x, y, y, dropout_key=-1), ValueError, "dropout_key must be from 0 to .*, got -1"),
        (lambda: forward(x, y, y, dropout_key=2**64), ValueError, "dropout_key must be .*, got 18446744073709551616"),
        (lambda: forward(x, y, y, [[True]]), TypeError, "mask must be a NumPy or CuPy array, got list"),
        (lambda: backward(x.tolist(), x, y, y), TypeError, "dy must be a NumPy or CuPy array, got list"),
        (lambda: backward(x.astype("f4"), x, y, y), TypeError, "dy must have the dtype of q"),
        (lambda: backward(x[:1], x, y, y), ValueError, r"dy must have shape \(2, 3, 4\), got \(1, 3, 4\)"),
    ):
        with pytest.raises(error, match=words):
            call()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_of_long_sequences_is_given_back():
    def resident():
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * resource.getpagesize()

    q, k = np.ones((128, 1), np.float32), np.ones((400_000, 1), np.float32)
    before = resident()
    with kernels.use_backend("cython", strict=True):
        kernels.attention.forward(q, k, k)
    assert resident() - before < 40 << 20  # the scores of a block are 51 MB
