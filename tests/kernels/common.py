"""What the kernel tests share: which implementations there are, arrays in every memory order, honest tolerances."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

from minidl import kernels
from minidl.kernels.registry import BACKENDS

FLOATS = ("float32", "float64")
ORDERS = ("C", "channels_last", "reversed", "sliced", "unaligned", "unaligned_channels_last")

# Shapes are small and the kernels fast, but the machine may be busy: no deadline. Same examples in every run.
fast = settings(deadline=None, derandomize=True, max_examples=25)


def cpu_backends(kernel: str) -> list[str]:
    """The implementations of `kernel` that can serve here, but for the reference."""
    rows = [row for row in kernels.table() if row.kernel == kernel and row.available]
    return [row.backend for row in rows if BACKENDS[row.backend][1] == "cpu"]


def arrays_of(shape, dtype, seed) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def laid_out(x: np.ndarray, order: str) -> np.ndarray:
    """The same numbers in another memory order, in memory of their own."""
    if order == "channels_last" and x.ndim == 4:
        y = np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    elif order == "channels_last":
        y = np.asfortranarray(x)
    elif order == "reversed":  # negative strides on all axes
        y = np.ascontiguousarray(np.flip(x))[tuple(slice(None, None, -1) for _ in range(x.ndim))]
    elif order == "sliced":  # every second number of a larger array, with gaps on all axes
        larger = np.full([2 * n + 1 for n in x.shape], np.nan if x.dtype.kind == "f" else 77, x.dtype)
        y = larger[tuple(slice(1, None, 2) for _ in range(x.ndim))]
        y[...] = x
    elif order == "unaligned":
        y = _one_byte_off(x)
    elif order == "unaligned_channels_last":
        y = np.moveaxis(_one_byte_off(np.moveaxis(x, 1, -1)), -1, 1) if x.ndim > 2 else _one_byte_off(x)
    else:
        y = np.ascontiguousarray(x)
    np.testing.assert_array_equal(y, x)
    return y


def _one_byte_off(x: np.ndarray) -> np.ndarray:
    y = np.frombuffer(bytearray(x.nbytes + 1), np.uint8)[1:].view(x.dtype).reshape(x.shape)
    y[...] = x
    return y


def assert_close(actual, expected, magnitude, terms: int, dtype, what="") -> None:
    """Hold a sum of `terms` products against the same in float64.

    `magnitude` is the sum of the absolute values: rounding errors are a share of it, of about eps*sqrt(terms) as they
    add up like a random walk. Where the numbers are not all tiny by cancellation, zeros are far outside.
    """
    assert actual.dtype == np.dtype(dtype), what
    assert actual.shape == expected.shape, what
    tolerance = 4 * np.finfo(dtype).eps * (1 + np.sqrt(terms)) * magnitude
    error = np.abs(actual.astype(np.float64) - expected)
    assert np.all(error <= tolerance), f"{what}: error {np.nanmax(error)}, NaN {np.isnan(actual).sum()}"
    if np.count_nonzero(magnitude) > 8:
        assert np.any(np.abs(expected) > tolerance), "the tolerance would let zeros pass"


def assert_threads_change_no_bit(compute: Callable[[], Iterable[np.ndarray]], threads=(1, 2, 3)) -> None:
    """Hold the arrays that `compute` returns against one another, for each of these numbers of threads."""
    before, results = kernels.get_num_threads(), []
    try:
        for number in threads:
            kernels.set_num_threads(number)
            results.append(list(compute()))
    finally:
        kernels.set_num_threads(before)
    for other in results[1:]:
        for one, two in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(one, two)
            assert one.tobytes() == two.tobytes()  # zeros of the same sign, too


seeds = st.integers(0, 2**32 - 1)
