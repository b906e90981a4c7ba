"""Recurrent layers: all time steps of one layer in one direction, forward and backward.

With t the time step, h the state before it (h0 at the first step) and s the sigmoid, s(a) = 1 / (1 + e^-a):

    rnn     y[t] = tanh(x[t] w_ih^T + b_ih + h w_hh^T + b_hh), or relu for tanh
            h    = y[t]

    lstm    a    = x[t] w_ih^T + b_ih + h w_hh^T + b_hh            four parts, for the gates i, f, g, o
            c[t] = s(a_f) * c[t-1] + s(a_i) * tanh(a_g)
            y[t] = s(a_o) * tanh(c[t])
            h    = y[t]

    gru     a    = x[t] w_ih^T + b_ih                              three parts: r, z, n
            q    = h w_hh^T + b_hh                                 three parts
            r, z = s(a_r + q_r), s(a_z + q_z)
            n    = tanh(a_n + r * q_n)
            y[t] = (1 - z) * n + z * h
            h    = y[t]

With `reverse`, the layer goes from the last step to the first; y[t] still belongs to x[t].

Shapes: x (T, N, C), h0 and c0 (N, H), w_ih (G*H, C), w_hh (G*H, H), b_ih and b_hh (G*H,), y (T, N, H), where G is the
number of parts: 1, 4 and 3. The gradients are those of backpropagation through time.

Sources: Elman, Finding structure in time, 1990; Hochreiter and Schmidhuber, Long short-term memory, 1997, with the
forget gate of Gers et al., 2000; Cho et al., Learning phrase representations using RNN encoder-decoder, 2014, with the
reset gate after the product, as in cuDNN and PyTorch; Werbos, Backpropagation through time, 1990.
"""

from __future__ import annotations

from typing import Any

from ..arrays import check_array, check_same_kind
from ..registry import kernel

NONLINEARITIES = ("tanh", "relu")


def _check_layer(parts: int, x: Any, h0: Any, w_ih: Any, w_hh: Any, b_ih: Any = None, b_hh: Any = None) -> None:
    """Raise unless the shapes are those of one layer whose weights have `parts` parts."""
    check_array(x, "x", 3)
    check_array(h0, "h0", 2)
    steps, batch, inputs = x.shape
    hidden = h0.shape[1]
    if steps == 0:
        raise ValueError(f"x must have at least one step in time, got shape {x.shape}")
    if (b_ih is None) != (b_hh is None):
        raise ValueError(f"b_ih and b_hh must be given both or neither, got only {'b_hh' if b_ih is None else 'b_ih'}")
    _check_shape(h0, "h0", (batch, hidden), x)
    _check_shape(w_ih, "w_ih", (parts * hidden, inputs), x)
    _check_shape(w_hh, "w_hh", (parts * hidden, hidden), x)
    if b_ih is not None:
        _check_shape(b_ih, "b_ih", (parts * hidden,), x)
        _check_shape(b_hh, "b_hh", (parts * hidden,), x)


def _check_shape(array: Any, name: str, shape: tuple[int, ...], x: Any) -> None:
    """Raise unless `array` has this shape, and the dtype and the device of `x`."""
    if type(array) is type(x) and array.shape == shape and array.dtype == x.dtype:
        return
    check_array(array, name, len(shape))
    check_same_kind(x, "x", array, name)
    if array.shape != shape:
        raise ValueError(f"{name} must have shape {shape} for x {x.shape}, got {array.shape}")


def _check_gradients(x: Any, h0: Any, **gradients: Any) -> None:
    """Raise unless at least one gradient is given, and each has the shape of y (dy) or of h0 (the others)."""
    given = [name for name in gradients if gradients[name] is not None]
    if not given:
        raise ValueError(f"at least one of {', '.join(gradients)} must be given")
    for name in given:
        _check_shape(gradients[name], name, (x.shape[0], *h0.shape) if name == "dy" else h0.shape, x)


def _check_nonlinearity(nonlinearity: str) -> None:
    if nonlinearity not in NONLINEARITIES:
        raise ValueError(f"nonlinearity must be 'tanh' or 'relu', got {nonlinearity!r}")


@kernel
def rnn_forward(
    x: Any, h0: Any, w_ih: Any, w_hh: Any, b_ih: Any = None, b_hh: Any = None, *, nonlinearity="tanh", reverse=False
) -> Any:
    """Return y of the recurrent layer `rnn`; the formula stands at the top of this module.

    Parameters
    ----------
    x : array (T, N, C)
        T steps in time (at least one) of N sequences; any strides.
    h0 : array (N, H)
        The state before the first step.
    w_ih, w_hh : array (H, C) and (H, H)
    b_ih, b_hh : array (H,), optional
        Both or neither.
    nonlinearity : {"tanh", "relu"}
    reverse : bool
        Go from the last step to the first.

    Returns
    -------
    array (T, N, H), in any memory order

    Raises
    ------
    ValueError
        Shapes that disagree, no step in time, an unknown nonlinearity.
    TypeError
        Mixed dtypes, or something that is not an array.

    Examples
    --------
    >>> import numpy as np
    >>> from minidl import kernels
    >>> one = np.ones((1, 1))
    >>> kernels.recurrent.rnn_forward(np.ones((3, 1, 1)), 0 * one, one, one, nonlinearity="relu").ravel()
    array([1., 2., 3.])
    """
    _check_layer(1, x, h0, w_ih, w_hh, b_ih, b_hh)
    _check_nonlinearity(nonlinearity)
    return x, h0, w_ih, w_hh, b_ih, b_hh, nonlinearity, bool(reverse)


@kernel
def rnn_backward(
    x: Any,
    h0: Any,
    w_ih: Any,
    w_hh: Any,
    y: Any,
    dy: Any = None,
    dh_n: Any = None,
    *,
    nonlinearity="tanh",
    reverse=False,
    needs_dx=True,
) -> Any:
    """Return the gradients of a layer `rnn`.

    Parameters
    ----------
    x, h0, w_ih, w_hh, nonlinearity, reverse
        The arguments of `rnn_forward`.
    y : array (T, N, H)
        Its result.
    dy : array (T, N, H), optional
        The gradient with respect to y; None for zeros.
    dh_n : array (N, H), optional
        The gradient with respect to the final state, in addition to dy; None for zeros, but not both.
    needs_dx : bool
        Whether to compute dx, which the first layer of a network does not need.

    Returns
    -------
    dx, dh0, dw_ih, dw_hh, db : arrays
        In the shapes of x (or None), h0, w_ih, w_hh and b_ih; db is the gradient of both biases.

    Raises
    ------
    ValueError, TypeError
        As `rnn_forward`; also where a gradient does not have the shape of its array.
    """
    _check_layer(1, x, h0, w_ih, w_hh)
    _check_shape(y, "y", (x.shape[0], *h0.shape), x)
    _check_gradients(x, h0, dy=dy, dh_n=dh_n)
    _check_nonlinearity(nonlinearity)
    return x, h0, w_ih, w_hh, y, dy, dh_n, nonlinearity, bool(reverse), bool(needs_dx)


@kernel
def lstm_forward(
    x: Any, h0: Any, c0: Any, w_ih: Any, w_hh: Any, b_ih: Any = None, b_hh: Any = None, *, reverse=False
) -> Any:
    """Return y, c and the gates of the recurrent layer `lstm`; the formula stands at the top of this module.

    Parameters
    ----------
    x : array (T, N, C)
    h0, c0 : array (N, H)
        The state and the cell state before the first step.
    w_ih, w_hh : array (4*H, C) and (4*H, H)
        The rows in four parts: i, f, g, o.
    b_ih, b_hh : array (4*H,), optional
    reverse : bool

    Returns
    -------
    y, c : array (T, N, H), in any memory order
        The state and the cell state after every step.
    gates : array (T, N, 4*H), C-contiguous
        s(a_i), s(a_f), tanh(a_g), s(a_o): for `lstm_backward`.

    Raises
    ------
    ValueError, TypeError
        As `rnn_forward`.
    """
    _check_layer(4, x, h0, w_ih, w_hh, b_ih, b_hh)
    _check_shape(c0, "c0", h0.shape, x)
    return x, h0, c0, w_ih, w_hh, b_ih, b_hh, bool(reverse)


@kernel
def lstm_backward(
    x: Any,
    h0: Any,
    c0: Any,
    w_ih: Any,
    w_hh: Any,
    y: Any,
    c: Any,
    gates: Any,
    dy: Any = None,
    dh_n: Any = None,
    dc_n: Any = None,
    *,
    reverse=False,
    needs_dx=True,
) -> Any:
    """Return the gradients of a layer `lstm`.

    Parameters
    ----------
    x, h0, c0, w_ih, w_hh, reverse
        The arguments of `lstm_forward`.
    y, c, gates : arrays
        Its results.
    dy : array (T, N, H), optional
    dh_n, dc_n : array (N, H), optional
        Gradients with respect to y and to the final state and cell state; None for zeros, but not all three.
    needs_dx : bool

    Returns
    -------
    dx, dh0, dc0, dw_ih, dw_hh, db : arrays
        dx is None without `needs_dx`; db is the gradient of both biases.

    Raises
    ------
    ValueError, TypeError
        As `rnn_backward`.
    """
    _check_layer(4, x, h0, w_ih, w_hh)
    steps = (x.shape[0], *h0.shape)
    _check_shape(c0, "c0", h0.shape, x)
    _check_shape(y, "y", steps, x)
    _check_shape(c, "c", steps, x)
    _check_shape(gates, "gates", (*steps[:2], 4 * steps[2]), x)
    _check_gradients(x, h0, dy=dy, dh_n=dh_n, dc_n=dc_n)
    return x, h0, c0, w_ih, w_hh, y, c, gates, dy, dh_n, dc_n, bool(reverse), bool(needs_dx)


@kernel
def gru_forward(x: Any, h0: Any, w_ih: Any, w_hh: Any, b_ih: Any = None, b_hh: Any = None, *, reverse=False) -> Any:
    """Return y and the gates of the recurrent layer `gru`; the formula stands at the top of this module.

    Parameters
    ----------
    x : array (T, N, C)
    h0 : array (N, H)
    w_ih, w_hh : array (3*H, C) and (3*H, H)
        The rows in three parts: r, z, n.
    b_ih, b_hh : array (3*H,), optional
    reverse : bool

    Returns
    -------
    y : array (T, N, H), in any memory order
    gates : array (T, N, 4*H), C-contiguous
        r, z, n and q_n: for `gru_backward`.

    Raises
    ------
    ValueError, TypeError
        As `rnn_forward`.
    """
    _check_layer(3, x, h0, w_ih, w_hh, b_ih, b_hh)
    return x, h0, w_ih, w_hh, b_ih, b_hh, bool(reverse)


@kernel
def gru_backward(
    x: Any,
    h0: Any,
    w_ih: Any,
    w_hh: Any,
    y: Any,
    gates: Any,
    dy: Any = None,
    dh_n: Any = None,
    *,
    reverse=False,
    needs_dx=True,
) -> Any:
    """Return the gradients of a layer `gru`.

    Parameters
    ----------
    x, h0, w_ih, w_hh, reverse
        The arguments of `gru_forward`.
    y, gates : arrays
        Its results.
    dy : array (T, N, H), optional
    dh_n : array (N, H), optional
        As in `rnn_backward`.
    needs_dx : bool

    Returns
    -------
    dx, dh0, dw_ih, dw_hh, db_ih, db_hh : arrays
        dx is None without `needs_dx`. The two biases have different gradients: only b_hh is multiplied by r.

    Raises
    ------
    ValueError, TypeError
        As `rnn_backward`.
    """
    _check_layer(3, x, h0, w_ih, w_hh)
    steps = (x.shape[0], *h0.shape)
    _check_shape(y, "y", steps, x)
    _check_shape(gates, "gates", (*steps[:2], 4 * steps[2]), x)
    _check_gradients(x, h0, dy=dy, dh_n=dh_n)
    return x, h0, w_ih, w_hh, y, gates, dy, dh_n, bool(reverse), bool(needs_dx)
