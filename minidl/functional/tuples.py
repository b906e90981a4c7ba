"""All pairs, or larger tuples: of one number from each of several tensors, or of numbers of one tensor."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from minidl.functional.broadcast import meshgrid
from minidl.functional.joining import stack
from minidl.functional.operands import integers, namespace
from minidl.functional.shape import reshape

__all__ = ["cartesian_prod", "combinations"]


def cartesian_prod(*tensors: Any) -> Any:
    """Every way to take one number of each tensor (N,), (M,), ...: one in each row; a single tensor as it is.

    Examples
    --------
    >>> import minidl
    >>> minidl.cartesian_prod(minidl.tensor([1, 2]), minidl.tensor([5, 6]))
    tensor([[1, 5],
            [1, 6],
            [2, 5],
            [2, 6]])
    """
    if not tensors or any(getattr(x, "ndim", None) != 1 for x in tensors):
        got = [tuple(x.shape) if hasattr(x, "shape") else type(x).__name__ for x in tensors]
        raise ValueError(f"cartesian_prod: tensors must be of one axis each, given as a, b, ...; got {got}")
    if len(tensors) == 1:
        return tensors[0]
    return stack([reshape(x, (-1,)) for x in meshgrid(*tensors)], 1)


def combinations(x: Any, r: int = 2, with_replacement: bool = False) -> Any:
    """Every way to take r numbers of x (N,), without regard to order: one in each row, each number once.

    Parameters
    ----------
    x : (N,)
    r : int
    with_replacement : bool
        A number may be taken several times.

    Examples
    --------
    >>> import minidl
    >>> minidl.combinations(minidl.tensor([1, 2, 3]))
    tensor([[1, 2],
            [1, 3],
            [2, 3]])
    """
    (r,) = integers("r", r)
    if getattr(x, "ndim", None) != 1:
        raise ValueError(f"combinations: x must be a tensor of one axis, got {getattr(x, 'shape', x)}")
    if r < 1:
        raise ValueError(f"combinations: r must be at least 1, got {r}")
    choose = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    places = np.array(list(choose(range(x.shape[0]), r)), np.int64).reshape(-1, r)
    return x[namespace(x).asarray(places)]
