"""Keys that do not fit: errors name the argument, the axis of x and the shapes, never those of a part of x."""

from __future__ import annotations

import numpy as np
import pytest

import minidl
import minidl.functional as F
from minidl import Tensor


def x(*shape):
    return Tensor(np.ones(shape, np.float32))


def at(*positions):
    return Tensor(np.array(positions))


KEYS = [  # of an x (2, 3, 4)
    (2, r"key must be from -2 to 1 along axis 0 of x \(2, 3, 4\), got 2"),
    ((0, -4), r"from -3 to 2 along axis 1 .*, got -4"),
    ((..., 4), "from -4 to 3 along axis 2 .*, got 4"),
    ((None, ..., None, 7, 0), "from -3 to 2 along axis 1 .*, got 7"),
    ((0, slice(None), [3, 4]), "from -4 to 3 along axis 2 .*, got 3 to 4"),
    ((slice(1), at(0, -9)), "from -3 to 2 along axis 1 .*, got -9 to 0"),
    ((0, 0, 0, 0), r"key must name at most the 3 axes of x \(2, 3, 4\), got 4"),
    ((0, [True] * 3, 0, 0), "at most the 3 axes .*, got 4"),
    ((..., ...), "key must hold ... only once"),
    (([0, 1], [0, 1, 2]), r"key must hold arrays that broadcast, got shapes \[\(2,\), \(3,\)\]"),
    (x(3) > 0, r"key must hold booleans of shape \(2,\) for axis 0 of x \(2, 3, 4\), got shape \(3,\)"),
    ((0, x(2, 4) > 0), r"booleans of shape \(3, 4\) for axis 1 .*, got shape \(2, 4\)"),
    ("a", "key must hold integers, slices, .* got 'a'"),
    (1.5, r"key must hold .*, got 1\.5"),
    ([0.5], "integers or booleans, got float32"),
]


@pytest.mark.parametrize(("key", "text"), KEYS, ids=[str(i) for i in range(len(KEYS))])
@pytest.mark.parametrize("recorded", [False, True])
def test_a_key_that_does_not_fit(key, text, recorded):
    value = x().requires_grad_(recorded)
    for use in (lambda y: y[key], lambda y: y.__setitem__(key, value)):
        with pytest.raises(IndexError, match=text):
            use(x(2, 3, 4))


CALLS = [
    (lambda: x(2, 3).index_put((at(1), at(3)), x(1)), IndexError, "indices must be from -3 to 2 .*, got 3"),
    (lambda: x(2).index_put((at(2),), x(1), True), IndexError, r"indices must be from -2 to 1 .* of x \(2,\), got 2"),
    (lambda: x(2).index_put((at(0), at(0)), x(1)), IndexError, r"indices must name at most the 1 axes of x \(2,\)"),
    *(
        (lambda more=more: x(2).index_put((at(0, 1),), x(3), more), ValueError, r"values .* x\[indices\], .*\(3,\)")
        for more in (False, True)
    ),
    (lambda: x(2, 3).__setitem__(0, x(4)), ValueError, r"value must broadcast to x\[key\], .*\(3,\), got \(4,\)"),
    (lambda: x(2, 3).__setitem__(0, [1.0, 2.0]), ValueError, r"value must broadcast .* \(3,\), got \(2,\)"),
    (lambda: x(2, 3).__setitem__(0, x(2, 3)), ValueError, r"value must broadcast .* \(3,\), got \(2, 3\)"),
    *(
        (lambda value=value: x(2).__setitem__(0, value), TypeError, rf"x\[key\] = value: .* number, got {value!r}")
        for value in (None, "1.5")
    ),
    (lambda: x(2, 3).take_along_dim(at([3], [0]), 1), IndexError, "indices must be from -3 to 2 along dim 1, got 0"),
    (lambda: x(2, 3).take_along_dim(at([0], [0], [0]), 1), ValueError, r"indices \(3, 1\) .* x \(2, 3\) .* but 1"),
    (lambda: F.add_at(x(1), at(5), (4,)), IndexError, "key must be from -4 to 3 along an axis of 4, got 5$"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "kind", "text"), CALLS, ids=[str(i) for i in range(len(CALLS))])
def test_a_wrong_call_is_refused_by_name_and_size(call, kind, text):
    with pytest.raises(kind, match=text):
        call()


def test_a_value_may_be_a_list_and_have_axes_of_1_in_front():
    y = minidl.zeros(2, 3)
    y[0], y[1] = [1.0, 2.0, 3.0], x(1, 1, 3)
    assert y.tolist() == [[1, 2, 3], [1, 1, 1]]


@pytest.mark.parametrize("recorded", [False, True])
@pytest.mark.parametrize(
    "key",
    [lambda L, y: (1, 2), lambda L, y: (0, L.tensor(1)), lambda L, y: (L.tensor(1), L.tensor(0)), lambda L, y: y > 3],
)
def test_one_number_may_be_written_with_axes_of_1(key, recorded):
    found = []
    for L in (minidl, pytest.importorskip("torch")):
        y, value = L.arange(6.0).reshape(2, 3), L.tensor([[7.0]], requires_grad=recorded)
        y[key(L, y)] = value
        if recorded:
            (y * y).sum().backward()
        found.append((y.tolist(), value.grad.tolist() if recorded else None))
    assert found[0] == found[1]


def test_several_numbers_are_not_written_to_one_place():
    with pytest.raises(ValueError, match=r"value must broadcast to x\[key\], of shape \(\), got \(1, 2\)"):
        x(2, 3)[0, 0] = x(1, 2)
    with pytest.raises(ValueError, match=r"value must broadcast to x\[key\], of shape \(6,\), got \(2, 1\)"):
        x(2, 3)[x(2, 3) > 0] = x(2, 1)


def test_an_index_of_uint8_holds_positions_and_is_no_mask():
    y, key = minidl.tensor([5.0, 6.0, 7.0]), minidl.tensor([1, 0, 1], dtype=minidl.uint8)
    assert y[key].tolist() == [6, 5, 6] and y[key.bool()].tolist() == [5, 7]
