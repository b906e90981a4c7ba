"""Picking along one axis, and adding up what was picked, against plain loops."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidl import kernels

from .common import FLOATS, ORDERS, arrays_of, assert_threads_change_no_bit, cpu_backends, fast, laid_out, seeds

BACKENDS = ["reference", *cpu_backends("along_axis")]
SHAPES = st.lists(st.integers(0, 6), min_size=1, max_size=4).map(tuple) | st.sampled_from(((3, 40, 600), (2, 20000)))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("backend", BACKENDS)
@fast
@given(
    shape=SHAPES,
    axis=st.integers(0, 3),
    size=st.integers(1, 7),
    orders=st.tuples(st.sampled_from(ORDERS), st.sampled_from(ORDERS)),
    index_dtype=st.sampled_from(("int64", "int32", "uint8")),
    seed=seeds,
)
def test_against_loops(backend, dtype, shape, axis, size, orders, index_dtype, seed):
    axis %= len(shape)
    index = laid_out(np.random.default_rng(seed).integers(0, size, shape).astype(index_dtype), orders[0])
    long = (*shape[:axis], size, *shape[axis + 1 :])
    x, picked = laid_out(arrays_of(long, dtype, seed), orders[1]), laid_out(arrays_of(shape, dtype, seed), orders[1])
    with kernels.use_backend(backend, strict=True):
        y = kernels.along_axis.gather(x, index, axis)
        sums = kernels.along_axis.scatter_add(picked, index, axis, size)
    assert y.dtype == sums.dtype == dtype and sums.shape == long
    np.testing.assert_array_equal(y, np.take_along_axis(x, index.astype(np.int64), axis))
    hit = np.expand_dims(index, axis) == np.arange(size).reshape(-1, *(1,) * (len(shape) - axis))
    expected = np.where(hit, np.expand_dims(picked.astype(np.longdouble), axis), 0).sum(axis + 1)
    bound = np.where(hit, np.expand_dims(np.abs(picked), axis), 0).sum(axis + 1)
    assert np.all(np.abs(sums - expected) <= np.finfo(dtype).eps * max(1, shape[axis]) * bound)


@pytest.mark.parametrize("wrong", [-1, 4, 2**40, -(2**40)])
@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("backend", BACKENDS)
def test_index_out_of_range(backend, axis, wrong):
    index = np.zeros((4, 4), np.int64)
    index[3, 2] = wrong
    with kernels.use_backend(backend, strict=True):
        for function, sizes in (("gather", ()), ("scatter_add", (4,))):
            with pytest.raises(IndexError, match=f"from 0 to 3, got {min(wrong, 0)} to {max(wrong, 0)}"):
                getattr(kernels.along_axis, function)(np.ones((4, 4)), index, axis, *sizes)


def test_threads_change_no_bit():
    x, index = arrays_of((3, 50, 700), "float32", 0), np.random.default_rng(0).integers(0, 900, (3, 50, 700))
    assert_threads_change_no_bit(lambda: [kernels.along_axis.scatter_add(x, index % 9, a, 9) for a in range(3)])


def test_bad_arguments():
    x, index = np.ones((2, 3)), np.zeros((2, 3), int)
    for arguments, error, words in (
        ((x, index * 1.0, 1), TypeError, "index must hold integers, got float64"),
        ((x, index[0], 1), ValueError, "index must have 2 dimensions"),
        ((x, index, 2), ValueError, "axis must be from 0 to 1, got 2"),
        ((x, index[:1], 1), ValueError, r"index must have the shape of x, \(2, 3\), except along axis 1, got \(1, 3\)"),
    ):
        with pytest.raises(error, match=words):
            kernels.along_axis.gather(*arguments)
    with pytest.raises(TypeError, match="index must hold integers, got float64"):
        kernels.along_axis.scatter_add(x, index * 1.0, 1, 3)
    with pytest.raises(ValueError, match="index must have the shape of x"):
        kernels.along_axis.scatter_add(x, index[:, :2], 1, 3)
    with pytest.raises(ValueError, match="size must be from 0 on, got -1"):
        kernels.along_axis.scatter_add(x, index, 1, -1)
    assert kernels.along_axis.scatter_add(x[:, :0], index[:, :0], 1, 0).shape == (2, 0)
