"""Normalization and cross-entropy against their references."""

from __future__ import annotations

import numpy as np
import pytest

from minidl.kernels.cross_entropy import cuda_gpu as cross_entropy
from minidl.kernels.cross_entropy import reference as cross_entropy_reference
from minidl.kernels.normalization import cuda_gpu as normalization
from minidl.kernels.normalization import reference
from tests.cuda.helpers import assert_close, set_multiprocessors

pytestmark = pytest.mark.cuda


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (3, 33, 5), (2, 32, 8, 8), (5, 65, 7, 3), (700, 2), (2, 0, 3)])
@pytest.mark.parametrize("channels_last", [False, True])
def test_normalization(runtime, to_device, to_host, shape, dtype, channels_last):
    set_multiprocessors(runtime, 132 if channels_last else 1)
    rng = np.random.default_rng(0)
    x, dy = (rng.standard_normal(shape).astype(dtype) for _ in range(2))
    # float32 far from 0 loses nothing, since sums are in float64; to those themselves it costs digits
    far = 100 if dtype == "float32" else 1
    x = (x + rng.standard_normal((1, shape[1]) + (1,) * (len(shape) - 2)) * far).astype(dtype)
    if channels_last:
        x = np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 1, -1)), -1, 1)
    w, b = (rng.standard_normal(shape[1]).astype(dtype) for _ in range(2))
    for scale, shift in ((w, b), (None, None), (w, None)):
        move = [None if array is None else to_device(array) for array in (scale, shift)]
        expected = reference.channel_forward(x, scale, shift, 1e-5)
        got = normalization.channel_forward(to_device(x), *move, 1e-5)
        assert np.moveaxis(to_host(got[0]), 1, -1).flags.c_contiguous
        for ours, wanted in zip(got, expected, strict=True):
            assert_close(to_host(ours), wanted, scale=np.maximum(1, np.abs(wanted)))
        saved = (dy, x, *expected[1:])
        wanted = reference.channel_backward(*saved, scale, 1e-5)
        ours = normalization.channel_backward(*map(to_device, saved), move[0], 1e-5)
        for a, c in zip(ours, wanted, strict=True):
            assert_close(to_host(a), c, scale=max(1.0, np.abs(c).max(initial=0)))


def test_a_thread_stays_in_its_channel(runtime, to_device, to_host):
    """More numbers than threads, with channels that divide no block: 96 = 3 * 32 and the odd 35."""
    set_multiprocessors(runtime, 1)
    rng = np.random.default_rng(1)
    for channels in (96, 35, 1):
        x, dy = (rng.standard_normal((2, channels, 9000 // channels)).astype("float32") for _ in range(2))
        w, b = (rng.standard_normal(channels).astype("float32") for _ in range(2))
        expected = reference.channel_forward(x, w, b, 1e-5)
        got = normalization.channel_forward(*map(to_device, (x, w, b)), 1e-5)[0]
        assert_close(to_host(got), expected[0], scale=10.0)
        wanted = reference.channel_backward(dy, x, *expected[1:], w, 1e-5)[0]
        got = normalization.channel_backward(*map(to_device, (dy, x, *expected[1:], w)), 1e-5)[0]
        assert_close(to_host(got), wanted, scale=10.0)


def test_the_variance_of_numbers_far_from_zero(runtime, to_device, to_host):
    """10,000 and 10,001: their squares differ by what float32 cannot hold."""
    x = np.where(np.arange(1000) % 2, 10000, 10001).astype("float32").reshape(500, 1, 2)
    _, m, v = normalization.channel_forward(to_device(x), None, None, 0.0)
    assert to_host(m)[0] == np.float32(10000.5) and to_host(v)[0] == 0.25


def test_means_that_the_dtype_cannot_hold(runtime, to_device, to_host):
    """2 of 3 numbers are 10,001: the mean in float32 would be wrong by 1e-3 of their distance. And for gradients."""
    x = np.where(np.arange(900) % 3, 10001, 10000).astype("float32")
    ones, zeros = np.ones(1, "float32"), np.zeros(1, "float32")
    y, dx = np.where(np.arange(900) % 3, 1, -2) / np.sqrt(2), np.where(np.arange(900) % 3, 1, -2) / 3
    for shape, kind in (((1, 900), "row"), ((900, 1), "channel")):
        got = getattr(normalization, f"{kind}_forward")(to_device(x.reshape(shape)), None, None, 0.0)[0]
        np.testing.assert_allclose(to_host(got).ravel(), y, rtol=1e-6)
        saved = (x.reshape(shape), np.zeros(shape, "float32"), zeros, ones)  # dy, x, m, v
        got = getattr(normalization, f"{kind}_backward")(*map(to_device, saved), None, 0.0)[0]
        np.testing.assert_allclose(to_host(got).ravel(), dx, rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(1, 1), (5, 10), (9, 33), (3, 1025), (2, 2048), (700, 3), (0, 4), (3, 0)])
@pytest.mark.filterwarnings("ignore:Mean of empty", "ignore:invalid value")  # of the reference
def test_normalization_of_rows(runtime, to_device, to_host, shape, dtype):
    set_multiprocessors(runtime, 132 if shape[0] == 700 else 1)
    rng = np.random.default_rng(0)
    x, dy = (rng.standard_normal(shape).astype(dtype) for _ in range(2))
    far = 100 if dtype == "float32" else 1
    x = (x + rng.standard_normal((shape[0], 1)) * far).astype(dtype)
    w, b = (rng.standard_normal(shape[1]).astype(dtype) for _ in range(2))
    for scale, shift in ((w, b), (None, None), (w, None)):
        move = [None if array is None else to_device(array) for array in (scale, shift)]
        expected = reference.row_forward(x, scale, shift, 1e-5)
        got = normalization.row_forward(to_device(x), *move, 1e-5)
        saved = (dy, x, *expected[1:])
        wanted = reference.row_backward(*saved, scale, 1e-5)
        ours = normalization.row_backward(*map(to_device, saved), move[0], 1e-5)
        if shape[1] == 0:
            assert np.isnan(to_host(got[1])).all() and np.isnan(to_host(got[2])).all()
            got, expected = got[:1], expected[:1]
        for a, c in zip((*got, *ours), (*expected, *wanted), strict=True):
            assert_close(to_host(a), c, scale=np.maximum(1, np.abs(c).max(initial=0)))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape, groups", [((2, 6), 3), ((3, 8, 5, 7), 2), ((2, 4, 9), 4), ((0, 4, 3), 2)])
def test_normalization_of_groups(runtime, to_device, to_host, shape, groups, dtype):
    rng = np.random.default_rng(0)
    x, dy = (rng.standard_normal(shape).astype(dtype) for _ in range(2))
    w, b = (rng.standard_normal(shape[1]).astype(dtype) for _ in range(2))
    for scale, shift in ((w, b), (None, None)):
        move = [None if array is None else to_device(array) for array in (scale, shift)]
        expected = reference.group_forward(x, groups, scale, shift, 1e-5)
        got = normalization.group_forward(to_device(x), groups, *move, 1e-5)
        saved = (dy, x, *expected[1:])
        wanted = reference.group_backward(*saved, scale, 1e-5)
        ours = normalization.group_backward(*map(to_device, saved), move[0], 1e-5)
        for a, c in zip((*got, *ours), (*expected, *wanted), strict=True):
            assert_close(to_host(a), c, scale=np.maximum(1, np.abs(c).max(initial=0)))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rows, columns", [(1, 1), (5, 10), (9, 33), (8, 32), (3, 1025), (2, 2048), (0, 4), (3000, 3)])
@pytest.mark.parametrize("label", ["int64", "int32", "uint8"])
def test_cross_entropy(runtime, to_device, to_host, rows, columns, dtype, label):
    rng = np.random.default_rng(0)
    x = (10 * rng.standard_normal((rows, columns))).astype(dtype)
    target = rng.integers(0, min(columns, 200), rows).astype(label)
    target[rng.random(rows) < 0.2] = 201
    weight, dlosses = rng.random(columns).astype(dtype), rng.standard_normal(rows).astype(dtype)
    for given in (weight, None):
        on_device = None if given is None else to_device(given)
        losses, total = cross_entropy_reference.forward(x, target, given, 201)
        got, got_total = cross_entropy.forward(to_device(x), to_device(target), on_device, 201)
        assert_close(to_host(got), losses, scale=np.maximum(20, np.abs(losses)))
        assert_close(to_host(got_total), np.asarray(total), scale=max(1.0, float(total)))
        for d in (dlosses, np.array(0.7, dtype)):  # one for each loss, one for all
            dx = cross_entropy_reference.backward(d, x, target, given, 201)
            got = cross_entropy.backward(to_device(d), to_device(x), to_device(target), on_device, 201)
            assert_close(to_host(got), dx, scale=5.0)


def test_cross_entropy_of_pixels(runtime, to_device, to_host):
    rng = np.random.default_rng(0)
    x, target = rng.standard_normal((2, 5, 3, 4)).astype("float32"), rng.integers(0, 5, (2, 3, 4))
    losses, _ = cross_entropy_reference.forward(x, target, None, 2)
    got, _ = cross_entropy.forward(to_device(x), to_device(target), None, 2)
    assert_close(to_host(got), losses, scale=5.0)
    dx = cross_entropy_reference.backward(losses, x, target, None, 2)
    got = cross_entropy.backward(to_device(losses), to_device(x), to_device(target), None, 2)
    assert_close(to_host(got), dx, scale=5.0)


def test_scores_far_out(runtime, to_device, to_host):
    x, target = np.array([[1e4, 0, -1e4], [-np.inf, 0, 0]], "float32"), np.array([2, 1])
    losses, _ = cross_entropy.forward(to_device(x), to_device(target), None, -100)
    np.testing.assert_allclose(to_host(losses), [2e4, np.log(2)], rtol=1e-6)


def test_a_class_that_does_not_exist_is_nan(runtime, to_device, to_host):
    """On a GPU the host does not look at labels; nothing is read outside the arrays either."""
    x, weight = to_device(np.zeros((3, 4), "float32")), to_device(np.ones(4, "float32"))
    target = to_device(np.array([0, 4, -1]))
    losses, total = cross_entropy.forward(x, target, weight, -100)
    dx = cross_entropy.backward(losses, x, target, weight, -100)
    assert np.isnan(to_host(losses)).tolist() == np.isnan(to_host(dx)).all(1).tolist() == [False, True, True]
    assert np.isnan(to_host(total))
