"""Cross-entropy against the formula in more digits; its gradient; target that are ignored, weighted, or wrong."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidl import kernels

from .common import FLOATS, ORDERS, arrays_of, cpu_backends, fast, laid_out, seeds

BACKENDS = ["reference", *cpu_backends("cross_entropy")]


def expected_of(x, target, weight, ignore_index, dlosses):
    """Losses and dx, row by row, in more digits."""
    x = x.astype(np.longdouble)
    losses, dx = np.zeros(len(x), np.longdouble), np.zeros_like(x)
    for n, t in enumerate(target):
        if t != ignore_index:
            p = np.exp(x[n] - x[n].max())
            p /= p.sum()
            scale = 1 if weight is None else weight[t]
            losses[n] = -scale * np.log(p[t])
            dx[n] = dlosses[n] * scale * (p - np.eye(len(p))[t])
    return losses, dx


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("backend", BACKENDS)
@fast
@given(
    rows=st.integers(0, 40),
    columns=st.integers(1, 70) | st.sampled_from((512, 1100)),
    pixels=st.sampled_from(((), (3,), (20,), (5, 17), (2, 3, 11))),
    order=st.sampled_from(ORDERS),
    weighted=st.booleans(),
    ignore_index=st.sampled_from((-100, 0, 3)),
    target_dtype=st.sampled_from(("int64", "int32", "uint8")),
    seed=seeds,
)
def test_losses_and_gradient(backend, dtype, rows, columns, pixels, order, weighted, ignore_index, target_dtype, seed):
    random = np.random.default_rng(seed)
    rows = min(rows, 3) if pixels else rows
    shape = (rows, *pixels)
    x = laid_out(3 * arrays_of((rows, columns, *pixels), dtype, seed), order)
    target = random.integers(0, min(columns, 250), shape).astype(target_dtype)
    if target_dtype != "uint8":
        target[random.random(shape) < 0.2] = ignore_index
    weight = random.uniform(0.1, 2, columns).astype(dtype) if weighted else None
    dlosses = random.standard_normal(shape).astype(dtype)
    with kernels.use_backend(backend, strict=True):
        losses, total = kernels.cross_entropy.forward(x, target, weight, ignore_index)
        dx = kernels.cross_entropy.backward(dlosses, x, target, weight, ignore_index)
        one, ones = np.array(0.7, dtype), np.full(shape, 0.7, dtype)
        of_one, of_ones = (kernels.cross_entropy.backward(d, x, target, weight, ignore_index) for d in (one, ones))
    np.testing.assert_array_equal(of_one, of_ones)
    last = np.moveaxis(x, 1, -1)
    expected, expected_dx = expected_of(
        last.reshape(-1, columns), target.reshape(-1), weight, ignore_index, dlosses.reshape(-1)
    )
    expected, expected_dx = expected.reshape(shape), np.moveaxis(expected_dx.reshape(last.shape), -1, 1)
    assert losses.dtype == dx.dtype == dtype and losses.shape == shape and dx.shape == x.shape
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(losses, expected, rtol=30 * eps, atol=30 * eps)
    counting = target[target != ignore_index]
    np.testing.assert_allclose(
        total, len(counting) if weight is None else weight[counting].sum(dtype=float), rtol=20 * eps
    )
    np.testing.assert_allclose(dx, expected_dx, rtol=60 * eps, atol=30 * eps)


@pytest.mark.parametrize("pixels", [(), (2, 16)])
@pytest.mark.parametrize("label", [-1, 3, -101, 2**40])
@pytest.mark.parametrize("backend", BACKENDS)
def test_wrong_label(backend, label, pixels):
    x, target = np.zeros((4, 3, *pixels), np.float32), np.zeros((4, *pixels), int)
    target.flat[1:3] = -100, label
    with kernels.use_backend(backend, strict=True), pytest.raises(IndexError, match=rf"from 0 to 2, got {label}$"):
        kernels.cross_entropy.forward(x, target)


@pytest.mark.parametrize("across", [False, True])
@pytest.mark.parametrize("backend", BACKENDS)
def test_large_scores(backend, across):
    """Nothing overflows, and a loss near 0 keeps its digits."""
    x = np.array([[1e30, -1e30], [20.0, 0.0], [-np.inf, 0.0]], np.float32)
    target, dlosses = np.array([[0, 0, 1], [1, 0, 1]]), np.ones(3, np.float32)
    if across:  # as pixels, side by side
        x, target, dlosses = np.tile(x.T, (1, 1, 30)), np.tile(target, 30)[:, None], np.tile(dlosses, 30)[None]
    with kernels.use_backend(backend, strict=True):
        losses, _ = kernels.cross_entropy.forward(x, target[0])
        dx = kernels.cross_entropy.backward(dlosses, x, target[1])
    if across:
        losses, dx = losses[0, -3:], dx[0, :, -3:].T
    assert losses[0] == losses[2] == 0
    np.testing.assert_allclose(losses[1], np.log1p(np.exp(-20)), atol=1.2e-7 if backend == "reference" else 1e-12)
    np.testing.assert_array_equal(dx[[0, 2]], [[1, -1], [0, 0]])


def test_bad_arguments():
    x, target = np.ones((2, 3)), np.array([0, 1])
    for arguments, error, words in (
        ((np.ones(3), target), ValueError, "x must have at least 2 dimensions"),
        ((x.astype(int), target), TypeError, "x must be floating point"),
        ((x, target * 1.0), TypeError, "target must be integers, got float64"),
        ((x[:, :0], target), ValueError, r"at least one class, got shape \(2, 0\)"),
        ((x[:, :, None], target), ValueError, "target must have 2 dimensions"),
        ((x, target[:1]), ValueError, "one number for each row or pixel of x"),
        ((x, target, np.ones(2)), ValueError, "one number for each of 3 classes"),
        ((x, target, [1.0, 1.0, 1.0]), TypeError, "weight must be a NumPy or CuPy array, got list"),
        ((x, target, np.ones(3, "f4")), TypeError, "x float64 and weight float32"),
    ):
        with pytest.raises(error, match=words):
            kernels.cross_entropy.forward(*arguments)
    for dlosses, error, words in (
        (np.ones(3), ValueError, "dlosses must have one number for each label"),
        (np.ones(2, "f4"), TypeError, "x float64 and dlosses float32"),
        ([1.0, 1.0], TypeError, "dlosses must be a NumPy or CuPy array, got list"),
    ):
        with pytest.raises(error, match=words):
            kernels.cross_entropy.backward(dlosses, x, target)


def test_the_label_that_is_ignored_unless_another_is_given():
    x, target = np.zeros((2, 3)), np.array([-100, 0])
    losses, total = kernels.cross_entropy.forward(x, target)
    assert losses[0] == 0 and total == 1
    assert kernels.cross_entropy.backward(np.ones(2), x, target)[0].tolist() == [0, 0, 0]
