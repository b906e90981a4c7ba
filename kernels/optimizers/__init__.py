"""Optimizer steps: one call changes all parameters of a network in place.

For each parameter w with gradient dw, state from earlier steps, and step number t, counted from 1:

    all        dw = dw + weight_decay * w                   (the array dw itself is not changed)

    sgd        v  = momentum * v + (1 - dampening) * dw
               w  = w - lr * v                              with nesterov: w - lr * (dw + momentum * v)

    adam       m  = beta1 * m + (1 - beta1) * dw
               v  = beta2 * v + (1 - beta2) * dw^2
               h  = max(h, v)                               with amsgrad; h replaces v below
               w  = w - lr * (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)
               decoupled (AdamW): w = w - lr * weight_decay * w first, and no decay in dw

    rmsprop    v  = alpha * v + (1 - alpha) * dw^2
               g  = alpha * g + (1 - alpha) * dw            if centered; max(v - g^2, 0) replaces v below
               u  = dw / (sqrt(v) + eps)
               b  = momentum * b + u                        with momentum; b replaces u below
               w  = w - lr * u

    adagrad    s  = s + dw^2
               w  = w - lr / (1 + (t - 1) * lr_decay) * dw / (sqrt(s) + eps)

Lists hold one array for each parameter, all of one dtype and on one device. Sources are named in ``minidl/optim``.
"""

from __future__ import annotations

from typing import Any

from ..arrays import check_array, check_same_kind
from ..registry import kernel

Arrays = list[Any]


def _check_lists(ws: Arrays, **lists: Arrays | None) -> None:
    """Raise unless every list matches `ws`, array by array, in shape, dtype and device."""
    if not ws:
        raise ValueError("ws is empty: there is nothing to change")
    try:
        if _match(ws, lists):
            return
    except AttributeError:
        pass
    _explain(ws, lists)


def _match(ws: Arrays, lists: dict[str, Arrays | None]) -> bool:
    """A quick test for the common case: whether all arrays have one type, one dtype and the shapes of `ws`."""
    kind, dtype, shapes = type(ws[0]), ws[0].dtype, [w.shape for w in ws]
    for arrays in (ws, *lists.values()):
        if arrays is None:
            continue
        if [x.shape for x in arrays] != shapes:
            return False
        for x in arrays:
            if type(x) is not kind or x.dtype is not dtype:
                return False
    return True


def _explain(ws: Arrays, lists: dict[str, Arrays | None]) -> None:
    """The full test: raise for the first array that does not match."""
    for i, w in enumerate(ws):
        check_array(w, f"ws[{i}]", 0, at_least=True)
        check_same_kind(ws[0], "ws[0]", w, f"ws[{i}]")
    for name, arrays in lists.items():
        if arrays is None:
            continue
        if len(arrays) != len(ws):
            raise ValueError(f"{name} must have one array for each of the {len(ws)} in ws, got {len(arrays)}")
        for i, (w, array) in enumerate(zip(ws, arrays)):
            check_array(array, f"{name}[{i}]", 0, at_least=True)
            if array.shape != w.shape:
                raise ValueError(f"{name}[{i}] must have the shape of ws[{i}], {w.shape}, got {array.shape}")
            check_same_kind(w, f"ws[{i}]", array, f"{name}[{i}]")


def _check_steps(ws: Arrays, steps: list[int]) -> None:
    if len(steps) != len(ws) or min(steps) < 1:
        raise ValueError(f"steps must have a number from 1 for each of the {len(ws)} arrays in ws, got {steps}")


@kernel
def sgd_step(
    ws: Arrays,
    dws: Arrays,
    vs: Arrays | None = None,
    *,
    lr: float,
    momentum: float = 0.0,
    dampening: float = 0.0,
    weight_decay: float = 0.0,
    nesterov: bool = False,
) -> None:
    """Change `ws` and `vs` by one step of `sgd`; the formula stands at the top of this module.

    Parameters
    ----------
    ws, dws : list of arrays
        Parameters and their gradients.
    vs : list of arrays, optional
        Velocities, zeros at first; needed with a momentum.
    lr, momentum, dampening, weight_decay : float
    nesterov : bool

    Raises
    ------
    ValueError
        Lists of different lengths, arrays of different shapes, a momentum without velocities.
    TypeError
        Arrays of different dtypes.

    Examples
    --------
    >>> import numpy as np
    >>> from minidl import kernels
    >>> w = np.array([1.0, 2.0])
    >>> kernels.optimizers.sgd_step([w], [np.array([1.0, -1.0])], lr=0.5)
    >>> w
    array([0.5, 2.5])
    """
    _check_lists(ws, dws=dws, vs=vs)
    if momentum and vs is None:
        raise ValueError(f"momentum {momentum} needs the velocities vs")
    vs = vs if momentum else None
    return ws, dws, vs, float(lr), float(momentum), float(dampening), float(weight_decay), bool(nesterov)


@kernel
def adam_step(
    ws: Arrays,
    dws: Arrays,
    ms: Arrays,
    vs: Arrays,
    steps: list[int],
    hs: Arrays | None = None,
    *,
    lr: float,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    decoupled: bool = False,
) -> None:
    """Change `ws`, `ms`, `vs` and `hs` by one step of `adam`; the formula stands at the top of this module.

    Parameters
    ----------
    ws, dws, ms, vs : list of arrays
        Parameters, their gradients, the moving means of the gradients and of their squares (both zeros at first).
    steps : list of int
        t of each parameter: 1 at its first step.
    hs : list of arrays, optional
        The largest v so far, zeros at first: if given, the step is AMSGrad's.
    lr, beta1, beta2, eps, weight_decay : float
    decoupled : bool
        Decay the weights themselves (AdamW), not their gradients.

    Raises
    ------
    ValueError, TypeError
        As `sgd_step`.
    """
    _check_lists(ws, dws=dws, ms=ms, vs=vs, hs=hs)
    _check_steps(ws, steps)
    options = float(lr), float(beta1), float(beta2), float(eps), float(weight_decay), bool(decoupled)
    return ws, dws, ms, vs, steps, hs, *options


@kernel
def rmsprop_step(
    ws: Arrays,
    dws: Arrays,
    vs: Arrays,
    gs: Arrays | None = None,
    bs: Arrays | None = None,
    *,
    lr: float,
    alpha: float = 0.99,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    momentum: float = 0.0,
) -> None:
    """Change `ws`, `vs`, `gs` and `bs` by one step of `rmsprop`; the formula stands at the top of this module.

    Parameters
    ----------
    ws, dws, vs : list of arrays
        Parameters, their gradients, the moving means of the squared gradients (zeros at first).
    gs : list of arrays, optional
        The moving means of the gradients, zeros at first: if given, the step is centered.
    bs : list of arrays, optional
        Velocities, zeros at first; needed with a momentum.
    lr, alpha, eps, weight_decay, momentum : float

    Raises
    ------
    ValueError, TypeError
        As `sgd_step`.
    """
    _check_lists(ws, dws=dws, vs=vs, gs=gs, bs=bs)
    if momentum and bs is None:
        raise ValueError(f"momentum {momentum} needs the velocities bs")
    bs = bs if momentum else None
    return ws, dws, vs, gs, bs, float(lr), float(alpha), float(eps), float(weight_decay), float(momentum)


@kernel
def adagrad_step(
    ws: Arrays,
    dws: Arrays,
    ss: Arrays,
    steps: list[int],
    *,
    lr: float,
    lr_decay: float = 0.0,
    eps: float = 1e-10,
    weight_decay: float = 0.0,
) -> None:
    """Change `ws` and `ss` by one step of `adagrad`; the formula stands at the top of this module.

    Parameters
    ----------
    ws, dws, ss : list of arrays
        Parameters, their gradients, the sums of the squared gradients.
    steps : list of int
        t of each parameter: 1 at its first step.
    lr, lr_decay, eps, weight_decay : float

    Raises
    ------
    ValueError, TypeError
        As `sgd_step`.
    """
    _check_lists(ws, dws=dws, ss=ss)
    _check_steps(ws, steps)
    return ws, dws, ss, steps, float(lr), float(lr_decay), float(eps), float(weight_decay)
