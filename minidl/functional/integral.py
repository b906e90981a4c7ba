"""The area under a curve of which points are known."""

from __future__ import annotations

from typing import Any

from minidl.functional.axes import one_axis
from minidl.functional.elementwise import floating
from minidl.functional.reduce import sum
from minidl.functional.shape import movedim

__all__ = ["trapezoid", "trapz"]


def trapezoid(y: Any, x: Any = None, *, dx: float = 1, dim: int = -1) -> Any:
    """sum_i (x[i + 1] - x[i]) * (y[i] + y[i + 1]) / 2 along `dim`: the trapezoidal rule.

    Parameters
    ----------
    y : (..., N, ...)
    x : (N,) or as y, optional
        Where the values y are; default: at distances of `dx`.

    Returns
    -------
    y without `dim`

    Examples
    --------
    >>> import minidl
    >>> minidl.trapezoid(minidl.tensor([1.0, 2.0, 3.0]), minidl.tensor([0.0, 1.0, 3.0]))
    tensor(6.5)
    """
    if y.ndim == 0:
        raise ValueError("trapezoid: y must have an axis, got a single number")
    y = movedim(y, one_axis(dim, y.ndim)[0], -1)
    if x is None:
        return sum((y[..., 1:] + y[..., :-1]) * (dx / 2), -1)
    x = x if x.ndim < 2 else movedim(x, dim, -1)
    if x.ndim == 0 or x.shape[-1] != y.shape[-1]:
        raise ValueError(
            f"trapezoid: x must have the {y.shape[-1]} points that y has along dim {dim}, got {tuple(x.shape)}"
        )
    return sum(floating(x[..., 1:] - x[..., :-1]) * (y[..., 1:] + y[..., :-1]), -1) / 2


trapz = trapezoid
