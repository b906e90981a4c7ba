"""Normalization of channels against plain float64 sums, far from 0 too; its gradients against finite differences."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidl import kernels

from .common import FLOATS, ORDERS, arrays_of, assert_threads_change_no_bit, cpu_backends, fast, laid_out, seeds

BACKENDS = ["reference", *cpu_backends("normalization")]
LARGE = st.sampled_from(((3, 100, 20, 22), (64, 3, 50, 9)))
SHAPES = st.lists(st.integers(1, 9), min_size=2, max_size=5).map(tuple) | LARGE


def columns(x):
    """One row for each channel, in more digits."""
    return np.moveaxis(x, 1, 0).reshape(x.shape[1], -1).astype(np.longdouble)


def expected_of(x, w, b, eps):
    m = columns(x).mean(1)
    v = ((columns(x) - m[:, None]) ** 2).mean(1)
    shape = (-1,) + (1,) * (x.ndim - 2)
    y = (x - m.reshape(shape)) / np.sqrt(v + eps).reshape(shape) * w.reshape(shape) + b.reshape(shape)
    return y, m, v


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("backend", BACKENDS)
@fast
@given(
    shape=SHAPES,
    order=st.sampled_from(ORDERS),
    scaled=st.booleans(),
    eps=st.sampled_from((1e-5, 0.1)),
    far=st.sampled_from((0, 1000)),
    seed=seeds,
)
def test_forward(backend, dtype, shape, order, scaled, eps, far, seed):
    x = laid_out((arrays_of(shape, dtype, seed) + far).astype(dtype), order)
    w, b = (arrays_of(shape[1:2], dtype, seed + i) if scaled else None for i in (1, 2))
    with kernels.use_backend(backend, strict=True):
        y, m, v = kernels.normalization.channel_forward(x, w, b, eps)
    assert y.dtype == m.dtype == v.dtype == dtype and y.shape == x.shape and m.shape == v.shape == shape[1:2]
    one = np.ones(shape[1], dtype)
    expected, mean, variance = expected_of(x, one if w is None else w, 0 * one if b is None else b, eps)
    unit = np.finfo(dtype).eps
    # float32 is rounded once, at the end; float64 sums have the errors of their additions
    added = 4 * unit if dtype == "float32" else 1000 * unit
    np.testing.assert_allclose(m, mean, rtol=added, atol=1e-14)
    np.testing.assert_allclose(v, variance, rtol=added, atol=1e-20)
    scale = 10 if w is None else 10 * np.abs(w).max() + 1
    assert np.all(np.abs(y - expected) <= unit * scale * (20 + np.abs(x).max() / math.sqrt(eps) * (2 if far else 1)))


@pytest.mark.parametrize("backend", BACKENDS)
def test_far_from_zero(backend):
    """The mean square less the squared mean would have lost twelve digits here."""
    x = laid_out((arrays_of((64, 5, 20, 20), "float64", 0) + 1e6), "channels_last")
    with kernels.use_backend(backend, strict=True):
        _, m, v = kernels.normalization.channel_forward(x)
    np.testing.assert_allclose(v, columns(x).var(1).astype(float), rtol=1e-9)
    assert np.max(np.abs((x**2).mean((0, 2, 3)) - m**2 - v)) > 1e-5


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("backend", BACKENDS)
@fast
@given(
    shape=SHAPES,
    orders=st.tuples(st.sampled_from(ORDERS), st.sampled_from(ORDERS)),
    scaled=st.booleans(),
    seed=seeds,
)
def test_backward(backend, dtype, shape, orders, scaled, seed):
    x, dy = (laid_out(arrays_of(shape, dtype, seed + i), order) for i, order in enumerate(orders))
    w = arrays_of(shape[1:2], dtype, seed + 2) if scaled else None
    with kernels.use_backend(backend, strict=True):
        _, m, v = kernels.normalization.channel_forward(x, w, eps=0.1)
        dx, dw, db = kernels.normalization.channel_backward(dy, x, m, v, w, eps=0.1)
    assert dx.dtype == dw.dtype == db.dtype == dtype and dx.shape == shape and dw.shape == db.shape == shape[1:2]
    # along a random direction of x, w and b: the slope of sum(dy * y), measured in more digits
    direction = arrays_of(shape, np.longdouble, seed + 3)
    along_w, along_b = arrays_of(shape[1:2], np.longdouble, seed + 4), arrays_of(shape[1:2], np.longdouble, seed + 5)
    wide_w = np.ones(shape[1], np.longdouble) if w is None else w.astype(np.longdouble)
    step = np.longdouble(1e-5)

    def loss(h):
        y, _, _ = expected_of(x.astype(np.longdouble) + h * direction, wide_w + h * along_w, h * along_b, 0.1)
        return (dy * y).sum()

    slope = (loss(step) - loss(-step)) / (2 * step)
    terms = [(dx * direction).ravel(), dw * along_w, db * along_b]
    size = math.sqrt(sum(float((term**2).sum()) for term in terms)) + np.sqrt(np.square(dy, dtype=float).sum())
    tolerance = (1e-4 if dtype == "float32" else 1e-8) * size
    assert abs(sum(term.sum() for term in terms) - slope) <= tolerance


@pytest.mark.parametrize("backend", cpu_backends("normalization"))
def test_memory_is_channels_last(backend):
    x = arrays_of((2, 3, 4, 5), "float32", 0)
    with kernels.use_backend(backend, strict=True):
        y, m, v = kernels.normalization.channel_forward(x)
        dx, _, _ = kernels.normalization.channel_backward(x, x, m, v)
    for array in (y, dx):
        assert array.transpose(0, 2, 3, 1).flags.c_contiguous


def test_threads_change_no_bit():
    x = laid_out(arrays_of((16, 24, 30, 31), "float32", 0), "channels_last")

    def everything():
        y, m, v = kernels.normalization.channel_forward(x)
        results = [y, m, v, *kernels.normalization.channel_backward(x * x, x, m, v)]
        for images in (x, np.ascontiguousarray(x)):
            y, m, v = kernels.normalization.group_forward(images, 4)
            results += [y, m, v, *kernels.normalization.group_backward(x * x, images, m, v)]
        return results

    assert_threads_change_no_bit(everything)


def test_bad_arguments():
    x = np.ones((2, 3, 4))
    for arguments, error, words in (
        ((np.ones(3),), ValueError, "at least 2 dimensions"),
        ((x.astype(int),), TypeError, "x must be floating point"),
        ((x[:0],), ValueError, "every channel of x must have a number"),
        ((x, np.ones(2)), ValueError, "w must have one number for each channel"),
        ((x, None, np.ones(3, "f4")), TypeError, "x float64 and b float32"),
    ):
        with pytest.raises(error, match=words):
            kernels.normalization.channel_forward(*arguments)
    m, short = np.ones(3), np.ones(2)
    for arguments, error, words in (
        ((x[:1], x, m, m), ValueError, "dy must have the shape of x"),
        ((x.astype("f4"), x, m, m), TypeError, "x float64 and dy float32"),
        ((x.tolist(), x, m, m), TypeError, "dy must be a NumPy or CuPy array, got list"),
        ((x, x, short, m), ValueError, "m must have one number for each channel"),
        ((x, x, m, short), ValueError, "v must have one number for each channel"),
        ((x, x, m, m, short), ValueError, "w must have one number for each channel"),
    ):
        with pytest.raises(error, match=words):
            kernels.normalization.channel_backward(*arguments)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("backend", BACKENDS)
@fast
@given(
    shape=SHAPES | st.just((2, 3, 0)),
    order=st.sampled_from(ORDERS),
    given=st.tuples(st.booleans(), st.booleans(), st.booleans()),
    far=st.sampled_from((0, 1000)),
    seed=seeds,
)
def test_scale(backend, dtype, shape, order, given, far, seed):
    """Far from 0 as exact as near it: m is subtracted from x before anything is multiplied."""
    x = laid_out((arrays_of(shape, dtype, seed) + far).astype(dtype), order)
    numbers = [arrays_of(shape[1:2], dtype, seed + i) + np.dtype(dtype).type(far * (i == 1)) for i in (1, 2, 3)]
    m, s, b = (array if present else None for array, present in zip(numbers, given))
    with kernels.use_backend(backend, strict=True):
        y = kernels.normalization.channel_scale(x, m, s, b)
    shape = (-1,) + (1,) * (x.ndim - 2)
    wide = [np.array(d) if a is None else a.astype(np.longdouble).reshape(shape) for a, d in ((m, 0), (s, 1), (b, 0))]
    difference = x.astype(np.longdouble) - wide[0]
    expected = difference * wide[1] + wide[2]
    assert y.dtype == dtype and y.shape == x.shape
    bound = np.abs(difference * wide[1]) + np.abs(wide[2])
    assert np.all(np.abs(y - expected) <= 3 * np.finfo(dtype).eps * bound)


TABLES = st.tuples(st.integers(1, 9), st.integers(1, 200)) | st.sampled_from(((300, 700), (3000, 40), (2, 70000)))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("backend", BACKENDS)
@fast
@given(shape=TABLES, order=st.sampled_from("CF"), scaled=st.booleans(), far=st.sampled_from((0, 1000)), seed=seeds)
def test_rows(backend, dtype, shape, order, scaled, far, seed):
    x, dy = np.asarray(arrays_of(shape, dtype, seed) + far, dtype, order), arrays_of(shape, dtype, seed + 3)
    w, b = (arrays_of(shape[1:], dtype, seed + i) if scaled else None for i in (1, 2))
    eps = 0.1
    with kernels.use_backend(backend, strict=True):
        y, m, v = kernels.normalization.row_forward(x, w, b, eps)
        dx, dw, db = kernels.normalization.row_backward(dy, x, m, v, w, eps)
    wide, wide_dy = x.astype(np.longdouble), dy.astype(np.longdouble)
    mean = wide.mean(1, keepdims=True)
    variance = ((wide - mean) ** 2).mean(1, keepdims=True)
    r = 1 / np.sqrt(variance + eps)
    z = (wide - mean) * r
    g = wide_dy * (1 if w is None else w)
    unit = np.finfo(dtype).eps
    added = 8 if dtype == "float32" else 1000  # units: float64 sums have the errors of their additions
    rounding = unit * (30 + (4 if dtype == "float32" else 30) * np.abs(x).max() / math.sqrt(eps))  # of m, seen in z
    np.testing.assert_allclose(m, mean[:, 0], rtol=added * unit, atol=added * unit / 100)
    np.testing.assert_allclose(v, variance[:, 0], rtol=added * unit, atol=added * unit / 1000)
    size = 1 if w is None else np.abs(w).max() + 1
    expected = z * (1 if w is None else w) + (0 if b is None else b)
    np.testing.assert_allclose(y, expected, rtol=0, atol=rounding * 4 * size)
    slope = (g * z).mean(1, keepdims=True)
    np.testing.assert_allclose(
        dx, r * (g - g.mean(1, keepdims=True) - z * slope), rtol=0, atol=rounding * 40 * size * np.abs(dy).max()
    )
    np.testing.assert_allclose(dw, (wide_dy * z).sum(0), rtol=0, atol=rounding * 4 * np.abs(wide_dy).sum(0).max())
    np.testing.assert_allclose(db, wide_dy.sum(0), rtol=0, atol=added * unit * np.abs(wide_dy).sum(0).max())


GROUPS = st.sampled_from(((3, 8, 50, 60), (2, 3, 9, 8), (2, 90)))  # images, channels of a group, pixels


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("backend", BACKENDS)
@fast
@given(
    groups=st.integers(1, 5),
    shape=st.lists(st.integers(1, 7), min_size=2, max_size=4).map(tuple) | GROUPS,
    orders=st.tuples(st.sampled_from(ORDERS), st.sampled_from(ORDERS)),
    scaled=st.booleans(),
    far=st.sampled_from((0, 1000)),
    seed=seeds,
)
def test_groups(backend, dtype, groups, shape, orders, scaled, far, seed):
    """Each group of channels of each image is a row of its own, but that w and b belong to the channels."""
    n, together, *pixels = shape
    shape = n, groups * together, *pixels
    column = (-1,) + (1,) * len(pixels)
    x = laid_out((arrays_of(shape, dtype, seed) + far).astype(dtype), orders[0])
    dy = laid_out(arrays_of(shape, dtype, seed + 3), orders[1])
    w, b = (arrays_of(shape[1:2], dtype, seed + i) if scaled else None for i in (1, 2))
    with kernels.use_backend(backend, strict=True):
        y, m, v = kernels.normalization.group_forward(x, groups, w, b, 0.1)
        dx, dw, db = kernels.normalization.group_backward(dy, x, m, v, w, 0.1)
    assert y.dtype == dx.dtype == m.dtype == dw.dtype == dtype and m.shape == v.shape == (n, groups)
    wide_w, wide_b = (np.longdouble(i) if a is None else a.reshape(column) for i, a in ((1, w), (0, b)))
    rows, wide_dy = x.astype(np.longdouble).reshape(n, groups, -1), dy.astype(np.longdouble)
    mean = rows.mean(2, keepdims=True)
    variance = ((rows - mean) ** 2).mean(2, keepdims=True)
    r = 1 / np.sqrt(variance + np.longdouble(0.1))
    z, g = (rows - mean) * r, (wide_dy * wide_w).reshape(n, groups, -1)
    unit = np.finfo(dtype).eps
    added = 8 if dtype == "float32" else 1000  # units: float64 sums have the errors of their additions
    rounding = unit * (30 + (4 if dtype == "float32" else 30) * np.abs(x).max() / math.sqrt(0.1))  # of m, seen in z
    np.testing.assert_allclose(m, mean[..., 0], rtol=added * unit, atol=added * unit / 100)
    np.testing.assert_allclose(v, variance[..., 0], rtol=added * unit, atol=added * unit / 1000)
    size = np.abs(wide_w).max() + 1
    np.testing.assert_allclose(y, z.reshape(shape) * wide_w + wide_b, rtol=0, atol=rounding * 4 * size)
    expected = r * (g - g.mean(2, keepdims=True) - z * (g * z).mean(2, keepdims=True))
    np.testing.assert_allclose(dx, expected.reshape(shape), rtol=0, atol=rounding * 40 * size * np.abs(dy).max())
    sums = columns(np.abs(wide_dy)).sum(1).max()
    np.testing.assert_allclose(dw, columns(wide_dy * z.reshape(shape)).sum(1), rtol=0, atol=rounding * 4 * sums)
    np.testing.assert_allclose(db, columns(wide_dy).sum(1), rtol=0, atol=added * unit * sums)


@pytest.mark.parametrize("backend", BACKENDS)
def test_groups_of_nothing(backend):
    x = np.zeros((0, 4, 3))
    with kernels.use_backend(backend, strict=True):
        y, m, v = kernels.normalization.group_forward(x, 2, np.ones(4), np.ones(4))
        dx, dw, db = kernels.normalization.group_backward(x, x, m, v, np.ones(4))
    assert y.shape == dx.shape == (0, 4, 3) and m.shape == v.shape == (0, 2)
    np.testing.assert_array_equal([dw, db], np.zeros((2, 4)))


@pytest.mark.parametrize("backend", BACKENDS)
def test_rows_of_nothing(backend):
    with kernels.use_backend(backend, strict=True):
        y, m, v = kernels.normalization.row_forward(np.zeros((0, 3)), np.ones(3), np.ones(3))
        dx, dw, db = kernels.normalization.row_backward(np.zeros((0, 3)), np.zeros((0, 3)), m, v, np.ones(3))
    assert y.shape == dx.shape == (0, 3) and m.shape == v.shape == (0,)
    np.testing.assert_array_equal([dw, db], np.zeros((2, 3)))


def test_row_and_scale_arguments():
    x = np.ones((2, 3))
    with pytest.raises(ValueError, match="s must have one number for each channel of x"):
        kernels.normalization.channel_scale(x, None, np.ones(2))
    with pytest.raises(ValueError, match="w must have one number for each column of x"):
        kernels.normalization.row_forward(x, np.ones(2))
    m = np.ones(2)
    for arguments, words in (
        ((x, x, np.ones(3), m), "m must have one number for each row of x"),
        ((x, x, m, np.ones(3)), "v must have one number for each row of x"),
        ((x, x, m, m, m), "w must have one number for each column of x"),
        ((x[:1], x, m, m), "dy must have the shape of x"),
        ((x[None], x[None], m, m), "x must have 2 dimensions"),
    ):
        with pytest.raises(ValueError, match=words):
            kernels.normalization.row_backward(*arguments)
    with pytest.raises(ValueError, match="m must have one number for each channel of x"):
        kernels.normalization.channel_scale(x, np.ones(2))
    with pytest.raises(ValueError, match="b must have one number for each channel of x"):
        kernels.normalization.channel_scale(x, None, None, np.ones(2))
    with pytest.raises(ValueError, match="x must have 2 dimensions"):
        kernels.normalization.row_forward(np.ones((2, 3, 4)))


def test_group_arguments():
    x, m = np.ones((2, 6)), np.ones((2, 3))
    with pytest.raises(ValueError, match=r"groups must divide the channels of x \(2, 6\), got 4"):
        kernels.normalization.group_forward(x, 4)
    with pytest.raises(ValueError, match=r"groups must divide the channels of x \(2, 6\), got 0"):
        kernels.normalization.group_forward(x, 0)
    with pytest.raises(ValueError, match="b must have one number for each channel of x"):
        kernels.normalization.group_forward(x, 3, b=np.ones(3))
    with pytest.raises(ValueError, match=r"v must have a number for each image and group of x \(2, 6\), got \(2, 4\)"):
        kernels.normalization.group_backward(x, x, m, np.ones((2, 4)))
    with pytest.raises(ValueError, match="dy must have the shape of x"):
        kernels.normalization.group_backward(x[:1], x, m, m)
    with pytest.raises(ValueError, match="w must have one number for each channel of x"):
        kernels.normalization.group_backward(x, x, m, m, np.ones(3))
    with pytest.raises(ValueError, match="m must have 2 dimensions"):
        kernels.normalization.group_backward(x, x, m[0], m)
    with pytest.raises(TypeError, match="x float64 and v float32"):
        kernels.normalization.group_backward(x, x, m, m.astype("f4"))


def test_eps_left_out():
    x, kernel = arrays_of((4, 6), "float64", 0), kernels.normalization
    for forward, backward, groups in (
        (kernel.channel_forward, kernel.channel_backward, ()),
        (kernel.row_forward, kernel.row_backward, ()),
        (kernel.group_forward, kernel.group_backward, (2,)),
    ):
        y, m, v = forward(x, *groups)
        np.testing.assert_array_equal(y, forward(x, *groups, eps=1e-5)[0])
        np.testing.assert_array_equal(backward(y, x, m, v)[0], backward(y, x, m, v, eps=1e-5)[0])
