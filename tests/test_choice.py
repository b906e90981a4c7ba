"""where and clip of many numbers, which are chosen by their bits, as NumPy chooses them."""

import numpy as np
import pytest

import minidl
import minidl.functional as F
from minidl.functional.choice import MANY

NUMBERS = [-np.inf, np.inf, np.nan, -0.0, 0.0, 0, 2, -1.5]


def some(shape, dtype, seed=0):
    """Numbers of which some are not finite, and some -0."""
    random = np.random.default_rng(seed)
    x = random.standard_normal(shape)
    return np.where(random.random(shape) < 0.1, random.choice(NUMBERS, shape), x).astype(dtype)


def assert_same(y, expected):
    assert y.dtype == expected.dtype and y.shape == expected.shape
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(np.signbit(y), np.signbit(expected))  # of NaN too


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("masked", [(6, 20, 50), (20, 50), (6, 1, 1), (6, 20, 1), (1, 1, 50)])
def test_where_broadcasts_as_numpys(masked, dtype):
    mask = np.random.default_rng(1).random(masked) < 0.4
    x1, x2 = some((6, 20, 50), dtype), some((6, 20, 50), dtype, 2)
    assert x1.size >= MANY
    for x in (x1, np.asfortranarray(x1), x1[:, ::-1], x1[..., :1], x1[0], x1[:1, :1, :1]):
        for other in (x2, np.moveaxis(x2, 0, -1).copy().transpose(2, 0, 1), x2[:1], x2[0, 0]):
            for condition in (mask, np.asfortranarray(mask), np.broadcast_to(mask, x1.shape)):
                assert_same(F.where(condition, x, other), np.where(condition, x, other))
                assert_same(F.where(condition, other, x), np.where(condition, other, x))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("number", NUMBERS)
def test_where_with_a_number(number, dtype):
    x = some((5, MANY), dtype)
    mask = np.random.default_rng(1).random(x.shape) < 0.4
    for condition in (mask, mask[:, :1], mask[0]):
        assert_same(F.where(condition, number, x), np.where(condition, number, x))
        assert_same(F.where(condition, x, number), np.where(condition, x, number))


def test_where_of_two_types_promotes():
    x, mask = some(MANY, "float32"), np.arange(MANY) % 3 == 0
    for other in (np.float64(2), some(MANY, "float64"), np.arange(MANY)):
        assert_same(F.where(mask, x, other), np.where(mask, x, other))


def test_where_keeps_the_memory_order():
    x = np.asfortranarray(some((70, 80), "float32"))
    y = F.where(x > 0.5, -np.inf, x)
    assert y.flags.f_contiguous and not np.shares_memory(y, x)


@pytest.mark.parametrize("low, high", [(-0.5, None), (None, 0.5), (-0.5, 0.5), (0, None), (1, -1)])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int32"])
def test_clip_with_one_bound_or_two(low, high, dtype):
    with np.errstate(invalid="ignore"):
        x = some((70, 80), dtype)
    low, high = (None if n is None else int(2 * n) if dtype == "int32" else n for n in (low, high))
    np.testing.assert_array_equal(F.clip(x, low, high), np.clip(x, low, high), strict=True)


@pytest.mark.parametrize("mask", [minidl.ones(4) > 0, [True] * 4])
def test_a_mask_of_another_shape_is_told_by_the_name_of_the_function(mask):
    with pytest.raises(ValueError, match=r"^masked_fill: .* got x \(2, 3\) and mask \(4,\)"):
        minidl.ones(2, 3).masked_fill(mask, 0.0)
