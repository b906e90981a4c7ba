"""A call of minidl's beside the same call of PyTorch's: how both are compared, and what such calls are drawn from."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import strategies as st

import minidl.functional as F
from minidl import Tensor

torch = pytest.importorskip("torch")
TF = torch.nn.functional


class Call(NamedTuple):
    """What to call, here and there, with the same arrays."""

    ours: Callable
    theirs: Callable
    arrays: list[np.ndarray]
    gradient: bool = True


def outputs(result: Any, kind: type) -> list[Any]:
    parts = result if isinstance(result, (tuple, list)) else [result]
    return [part for part in parts if isinstance(part, kind)]


def compare(call: Call, tolerance: float = 1e-9) -> None:
    call = call._replace(arrays=[np.asarray(x) for x in call.arrays])

    def wants_gradient(x):
        return call.gradient and x.dtype.kind == "f"

    mine = [Tensor(x.copy(), requires_grad=wants_gradient(x)) for x in call.arrays]
    other = [torch.from_numpy(x.copy()).requires_grad_(wants_gradient(x)) for x in call.arrays]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            expected = outputs(call.theirs(*other), torch.Tensor)
        except (RuntimeError, IndexError, ValueError, TypeError) as refusal:
            with pytest.raises((ValueError, IndexError, TypeError, ZeroDivisionError)):
                call.ours(*mine)
                pytest.fail(f"PyTorch refused: {refusal}")
            return
        got = outputs(call.ours(*mine), Tensor)
    assert len(got) == len(expected)
    for y, value in zip(got, expected):
        assert_same(y.data, value.detach().numpy(), tolerance, "value")
    pairs = [(y, value) for y, value in zip(got, expected) if value.requires_grad]
    if not pairs:
        return
    random = np.random.default_rng(0)
    for last, (y, value) in enumerate(pairs, start=1):
        dy = np.asarray(random.standard_normal(y.shape), y.dtype)
        y.backward(dy, retain_graph=last < len(pairs))
        value.backward(torch.from_numpy(dy), retain_graph=last < len(pairs))
    for i, (x, x_other) in enumerate(zip(mine, other)):
        if x_other.grad is None:
            assert x.grad is None or not x.grad.numpy().any()
        elif x.requires_grad:
            assert_same(x.grad.data, x_other.grad.numpy(), tolerance, f"gradient of input {i}")


def assert_same(got: np.ndarray, expected: np.ndarray, tolerance: float, what: str) -> None:
    assert got.dtype == expected.dtype, what
    assert got.shape == expected.shape, what
    np.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance, err_msg=what)


# What is drawn

small = st.integers(0, 4)
positive_small = st.integers(1, 4)


def shapes(least: int = 0, most: int = 4, size: st.SearchStrategy = small) -> st.SearchStrategy:
    return st.lists(size, min_size=least, max_size=most).map(tuple)


@st.composite
def numbers(draw, shape: Any = None, low: float | None = None, high: float | None = None) -> np.ndarray:
    """Random numbers, of which one time in three are whole, so that some are equal."""
    shape = draw(shapes()) if shape is None else tuple(shape)
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    if low is not None:
        return np.asarray(random.uniform(low, high, shape))
    x = np.asarray(random.standard_normal(shape))
    return np.round(x) if draw(st.integers(0, 2)) == 0 else x


def integers(high: int, shape: tuple) -> st.SearchStrategy:
    return st.integers(0, 2**32).map(lambda seed: np.random.default_rng(seed).integers(0, high, shape))


def same(name: str, *args: Any, theirs: Any = None, **options: Any) -> tuple[Callable, Callable]:
    """The operation of that name here and there, with more arguments behind the arrays."""
    function = theirs or getattr(TF, name, None) or getattr(torch, name)
    return (lambda *x: getattr(F, name)(*x, *args, **options)), (lambda *x: function(*x, *args, **options))


@st.composite
def axis_of(draw, shape: tuple) -> int:
    return draw(st.integers(-len(shape), len(shape) - 1))


@st.composite
def axes_of(draw, shape: tuple) -> tuple[int, ...]:
    axes = draw(st.lists(st.integers(0, len(shape) - 1), unique=True, min_size=1)) if shape else []
    return tuple(axis - len(shape) if draw(st.booleans()) else axis for axis in axes)
