import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidl import kernels

from .common import FLOATS, ORDERS, arrays_of, cpu_backends, fast, laid_out, seeds

BACKENDS = ["reference", *cpu_backends("memory_order")]
shapes = st.tuples(st.integers(0, 3), *[st.sampled_from((1, 2, 3, 4, 5, 17, 70))] * 3)


def check(backend, x):
    with kernels.use_backend(backend, strict=backend != "reference"):
        first, last = kernels.memory_order.channels_first(x), kernels.memory_order.channels_last(x)
    for y in (first, last):
        np.testing.assert_array_equal(y, x)
        assert y.dtype == x.dtype
    assert first.flags.c_contiguous and last.transpose(0, 2, 3, 1).flags.c_contiguous


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("backend", BACKENDS)
@fast
@given(shape=shapes, order=st.sampled_from(ORDERS), seed=seeds)
def test_same_numbers(backend, dtype, shape, order, seed):
    check(backend, laid_out(arrays_of(shape, dtype, seed), order))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("order", ["C", "channels_last"])
def test_many_chunks(backend, order):
    check(backend, laid_out(arrays_of((2, 130, 61, 67), "float32", 0), order))


@pytest.mark.parametrize("backend", BACKENDS)
def test_no_copy_without_need(backend):
    x = arrays_of((2, 3, 4, 5), "float32", 0)
    with kernels.use_backend(backend):
        assert kernels.memory_order.channels_first(x) is x
        last = kernels.memory_order.channels_last(x)
        assert kernels.memory_order.channels_last(last) is last
        for function in (kernels.memory_order.channels_first, kernels.memory_order.channels_last):
            with pytest.raises(ValueError, match="4 dimensions"):
                function(x[0])
