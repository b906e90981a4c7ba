"""Jacobian and Hessian matrices, computed row by row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minidl.autograd.engine import grad
from minidl.autograd.grad_mode import enable_grad
from minidl.autograd.tensor import Tensor
from minidl.kernels import array_module


def jacobian(func: Callable[..., Any], inputs: Tensor | Sequence[Tensor]) -> Any:
    """J[i, j] = d(output i) / d(input j), in the shape of the output followed by that of the input.

    Parameters
    ----------
    func : callable
        Takes the tensors of `inputs` and gives a Tensor, or a tuple of Tensors.
    inputs : Tensor or sequence of Tensors

    Returns
    -------
    Tensor; for a sequence of inputs a tuple of one for each, for several outputs a tuple of these

    Examples
    --------
    >>> import minidl
    >>> minidl.autograd.functional.jacobian(lambda x: x * x, minidl.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """
    single = isinstance(inputs, Tensor)
    if not single and not all(isinstance(x, Tensor) for x in inputs):
        raise TypeError(f"inputs must be a Tensor or Tensors, got {inputs!r}")
    xs = [x.detach().requires_grad_() for x in ((inputs,) if single else inputs)]
    with enable_grad():
        outputs = func(*xs)
    ys = outputs if isinstance(outputs, (tuple, list)) else (outputs,)
    if not all(isinstance(y, Tensor) for y in ys):
        raise TypeError(f"func must give a Tensor or a tuple of Tensors, got {outputs!r}")
    results = []
    for y in ys:
        of_inputs = [array_module(y.data).zeros((y.numel(), x.numel()), y.dtype) for x in xs]
        for i in range(y.numel() if y.requires_grad else 0):
            dy = np.zeros(y.numel(), y.dtype)
            dy[i] = 1
            dxs = grad(y, xs, Tensor(dy.reshape(y.shape)).to(y.device), retain_graph=True, allow_unused=True)
            for rows, dx in zip(of_inputs, dxs):
                if dx is not None:
                    rows[i] = dx.data.reshape(-1)
        tensors = tuple(Tensor(rows.reshape(*y.shape, *x.shape)) for rows, x in zip(of_inputs, xs))
        results.append(tensors[0] if single else tensors)
    return results[0] if isinstance(outputs, Tensor) else tuple(results)


def hessian(func: Callable[..., Tensor], inputs: Tensor | Sequence[Tensor]) -> Any:
    """H[i, j] = d^2(output) / d(input i) d(input j) of a function that gives one number.

    Parameters
    ----------
    func : callable
        Takes the tensors of `inputs` and gives a Tensor of one element.
    inputs : Tensor or sequence of Tensors

    Returns
    -------
    Tensor; for a sequence of inputs a tuple of tuples, H[k][l] of inputs k and l

    Raises
    ------
    ValueError
        The function gives more than one number.

    Examples
    --------
    >>> import minidl
    >>> minidl.autograd.functional.hessian(lambda x: (x * x * x).sum(), minidl.tensor([1.0, 2.0]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """
    single = isinstance(inputs, Tensor)

    def gradient(*xs: Tensor) -> tuple[Tensor, ...]:
        y = func(*xs)
        if not isinstance(y, Tensor) or y.numel() != 1:
            raise ValueError(f"func must give a Tensor of one number, got {y!r}")
        dxs = grad(y, xs, create_graph=True, allow_unused=True) if y.requires_grad else (None,) * len(xs)
        return tuple(Tensor(array_module(x.data).zeros_like(x.data)) if dx is None else dx for dx, x in zip(dxs, xs))

    rows = jacobian(gradient, (inputs,) if single else inputs)
    return rows[0][0] if single else rows
