"""gather and scatter with an expanded index: they read and write whole entries, and give what they would without."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

import minidl

SIZES = (4, 3, 5)
CALLS = {
    "gather": lambda x, dim, index, src: x.gather(dim, index),
    "scatter": lambda x, dim, index, src: x.scatter(dim, index, src),
    "scatter a number": lambda x, dim, index, src: x.scatter(dim, index, 0.5) + 0 * src.sum(),
    "scatter_add": lambda x, dim, index, src: x.scatter_add(dim, index, src),
    "scatter_reduce amax": lambda x, dim, index, src: x.scatter_reduce(dim, index, src, "amax"),
    "scatter_reduce mean": lambda x, dim, index, src: x.scatter_reduce(dim, index, src, "mean", include_self=False),
}


def results(name: str, sizes: tuple[int, ...], dim: int, index: minidl.Tensor) -> list[np.ndarray]:
    random = np.random.default_rng(0)
    x = minidl.tensor(random.standard_normal(sizes), requires_grad=True)
    src = minidl.tensor(random.standard_normal(index.shape), requires_grad=True)
    y = CALLS[name](x, dim, index, src)
    dx, dsrc = minidl.grad((y * minidl.tensor(random.standard_normal(y.shape))).sum(), [x, src], allow_unused=True)
    return [y.numpy(), dx.numpy()] + ([dsrc.numpy()] if dsrc is not None else [])


@pytest.mark.parametrize("longer", [0, 1])
@pytest.mark.parametrize("count", [0, 7])
@pytest.mark.parametrize("dim", [0, 1, -1])
@pytest.mark.parametrize("name", CALLS)
def test_an_expanded_index_gives_what_its_copy_gives(name, dim, count, longer):
    shape = list(SIZES)
    shape[dim] = count
    one = [1] * 3
    one[dim] = count
    index = minidl.tensor(np.random.default_rng(1).integers(0, SIZES[dim], one)).expand(*shape)
    sizes = tuple(n if i == dim % 3 else n + longer for i, n in enumerate(SIZES))  # of x, which may be longer
    for ours, expected in zip(results(name, sizes, dim, index), results(name, sizes, dim, index.clone()), strict=True):
        np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-15)


@pytest.mark.parametrize("dim", [0, 1, 2])
@pytest.mark.parametrize("name", CALLS)
def test_one_position_that_was_expanded_along_every_axis(name, dim):
    shape = tuple(7 if i == dim else n for i, n in enumerate(SIZES))
    index = minidl.tensor([[[2]]]).expand(*shape)
    for ours, expected in zip(results(name, SIZES, dim, index), results(name, SIZES, dim, index.clone()), strict=True):
        np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-15)


@pytest.mark.parametrize("name", ["gather", "scatter_add"])
def test_an_expanded_index_is_not_written_out(name):
    x = minidl.zeros(10, 1000)
    index = minidl.arange(10).repeat(50).unsqueeze(1).expand(-1, 1000)
    src = minidl.ones(500, 1000)
    tracemalloc.start()
    CALLS[name](x, 0, index, src)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * 500 * 1000, peak  # bytes of the expanded index


def test_an_expanded_index_may_change_after_the_call():
    index = minidl.tensor([[0], [1]])
    x = minidl.ones(2, 3, requires_grad=True)
    y = x.gather(0, index.expand(-1, 3))
    index.fill_(0)
    (y * minidl.tensor([[1.0], [2.0]])).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), [[1, 1, 1], [2, 2, 2]])


def test_an_expanded_index_is_checked():
    with pytest.raises(IndexError, match="index must be from 0 to 1 along dim 0, got -1 to 2"):
        minidl.zeros(2, 3).gather(0, minidl.tensor([[-1], [2]]).expand(-1, 3))


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8", "uint64"])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_picked_entries_are_those_of_numpy_and_contiguous(axis, dtype, transposed):
    x = np.arange(60.0).reshape(SIZES if not transposed else SIZES[::-1])
    x = x.T if transposed else x
    positions = np.array([[0, 2], [1, 0]], dtype)
    positions = -positions if dtype.startswith("i") else positions
    key = (slice(None),) * axis + (positions,)
    y = minidl.from_numpy(x)[key]
    np.testing.assert_array_equal(y.numpy(), x[key])
    assert transposed or y.is_contiguous()
