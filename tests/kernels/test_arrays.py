"""What every kernel asks about its arrays: pairs of numbers, dimensions, dtype and device, memory order."""

from __future__ import annotations

import numpy as np
import pytest

from minidl.kernels import arrays
from tests.strict_array import StrictArray


@pytest.mark.parametrize(
    ("value", "expected"),
    [(3, (3, 3)), ((2, 1), (2, 1)), ([2, 1], (2, 1)), (np.int64(2), (2, 2)), ((np.int8(0), 1), (0, 1)), (0, (0, 0))],
)
def test_a_pair_is_two_ints_whatever_was_given(value, expected):
    pair = arrays.pair(value, "stride")
    assert pair == expected and {type(number) for number in pair} == {int}


@pytest.mark.parametrize("value", [(1, 2, 3), [1], (2,), 1.0, (1, 2.0), "12", None, ((1, 2), (3, 4))])
def test_what_is_no_pair_of_integers_is_refused(value):
    with pytest.raises(TypeError, match="stride must be an integer or a pair of integers, got"):
        arrays.pair(value, "stride")


@pytest.mark.parametrize("value", [0, (0, 1), (1, 0), [0, 1], [1, 0], np.int64(0)])
def test_a_number_below_the_minimum_is_refused_in_either_direction(value):
    with pytest.raises(ValueError, match="stride must be at least 1, got"):
        arrays.pair(value, "stride", 1)


@pytest.mark.parametrize("value", [3, np.int64(3), (3,), [3]])
def test_a_single_is_one_int_whatever_was_given(value):
    number = arrays.single(value, "stride")
    assert number == 3 and type(number) is int


@pytest.mark.parametrize(
    ("value", "error"), [((3, 2), TypeError), ((), TypeError), (1.5, TypeError), (0, ValueError), ((0,), ValueError)]
)
def test_what_is_no_single_integer_is_refused(value, error):
    with pytest.raises(error, match="stride must be .*got"):
        arrays.single(value, "stride", 1)


def test_the_number_of_dimensions():
    arrays.check_array(np.ones((2, 3)), "x", 2)
    arrays.check_array(np.float32(1), "x", 0)
    arrays.check_array(np.ones((2, 3)), "x", 1, at_least=True)
    arrays.check_array(np.ones(2), "x", 1, at_least=True)
    for ndim, at_least in ((1, False), (3, False), (3, True)):
        with pytest.raises(ValueError, match=rf"x must have {'at least ' * at_least}{ndim} dimensions, got .*\(2, 3\)"):
            arrays.check_array(np.ones((2, 3)), "x", ndim, at_least)
    for other in ([1.0], 1.0, None, np.dtype("f4")):
        with pytest.raises(TypeError, match="x must be a NumPy or CuPy array, got"):
            arrays.check_array(other, "x", 1)


def test_the_dtype_and_the_device_of_two_arrays():
    x, elsewhere = np.ones(2, np.float32), StrictArray(np.ones(2, np.float32))
    for a, b in ((x, x), (elsewhere, elsewhere), (x.view(np.memmap), x)):
        arrays.check_same_kind(a, "x", b, "w")
    with pytest.raises(TypeError, match="w must have the dtype of x: got x float32 and w float64"):
        arrays.check_same_kind(x, "x", np.ones(2), "w")
    with pytest.raises(TypeError, match="got x float32 and w [<>]f4"):  # in the other byte order
        arrays.check_same_kind(x, "x", x.astype(x.dtype.newbyteorder()), "w")
    with pytest.raises(TypeError, match="x and w must be on one device, got cpu and other"):
        arrays.check_same_kind(x, "x", elsewhere, "w")


def test_the_device_of_an_array():
    assert arrays.device_of(np.ones(1)) == "cpu"
    assert arrays.device_of(np.float32(1)) == arrays.device_of(StrictArray(np.ones(1))) == "other"
    with pytest.raises(TypeError, match="expected a NumPy or CuPy array, got list"):
        arrays.device_of([1.0])
    assert arrays.array_module(np.float32(1)) is np
    assert arrays.array_module(StrictArray(np.ones(1))) is not np
