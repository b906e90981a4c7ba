"""The first of many numbers in order: topk and kthvalue, which sort only those that they give."""

import numpy as np
import pytest

import minidl.functional as F


def some(shape, dtype):
    random = np.random.default_rng(0)
    x = np.round(random.standard_normal(shape) * 100).astype(dtype)  # some values are equal
    if x.dtype.kind == "f":
        x[random.random(shape) < 0.03] = np.nan
        x[random.random(shape) < 0.03] = -np.inf
    return x


@pytest.mark.parametrize("largest", [True, False])
@pytest.mark.parametrize("k", [0, 1, 5, 20, 40])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
@pytest.mark.parametrize("shape, axis", [((90, 40), 1), ((40, 90), 0), ((3, 40, 20), -2), ((4000,), 0), ((9, 40), 1)])
def test_topk(shape, axis, dtype, k, largest):
    x = some(shape, dtype)
    values, places = F.topk(x, k, axis, largest)
    ordered = np.sort(x, axis)  # NaN last
    expected = np.take(np.flip(ordered, axis) if largest else ordered, range(k), axis)
    np.testing.assert_array_equal(values, expected)
    np.testing.assert_array_equal(np.take_along_axis(x, places, axis), expected)
    once = np.sort(places, axis)
    assert (np.diff(once, axis=axis) > 0).all()  # none twice


@pytest.mark.parametrize("keepdim", [False, True])
@pytest.mark.parametrize("k", [1, 7, 40])
@pytest.mark.parametrize("shape, axis", [((100, 40), 1), ((40, 100), 0), ((3, 40, 20), -2)])
def test_kthvalue(shape, axis, k, keepdim):
    x = some(shape, "float32")
    values, places = F.kthvalue(x, k, axis, keepdim)
    expected = np.take(np.sort(x, axis), k - 1, axis)
    np.testing.assert_array_equal(values, np.expand_dims(expected, axis) if keepdim else expected)
    places = places if keepdim else np.expand_dims(places, axis)
    np.testing.assert_array_equal(np.take_along_axis(x, places, axis).squeeze(axis), expected)


@pytest.mark.parametrize("k", [1, 2, 5, 8])
@pytest.mark.parametrize("rest", [-np.inf, np.nan, 0.0])
@pytest.mark.parametrize("axis", [0, 1])
def test_topk_where_the_rest_is_equal(axis, rest, k):
    x = np.full((64, 64), rest, np.float32)
    x[10, :3] = x[:3, 10] = 1, 2, 2
    before = x.copy()
    values, places = F.topk(x, k, axis)
    np.testing.assert_array_equal(values, np.take(np.flip(np.sort(x, axis), axis), range(k), axis))
    assert (np.diff(np.sort(places, axis), axis=axis) > 0).all()  # none twice
    np.testing.assert_array_equal(np.take_along_axis(x, places, axis), values)
    np.testing.assert_array_equal(x, before)
