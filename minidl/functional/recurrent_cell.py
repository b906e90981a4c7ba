"""Recurrent cells: one step in time, written with the operations of the other families."""

from __future__ import annotations

from typing import Any

from minidl.functional.activation import relu, sigmoid
from minidl.functional.elementwise import tanh
from minidl.functional.joining import chunk
from minidl.functional.linear import linear

__all__ = ["gru_cell", "lstm_cell", "rnn_cell"]


def rnn_cell(
    x: Any, h: Any, w_ih: Any, w_hh: Any, b_ih: Any = None, b_hh: Any = None, nonlinearity: str = "tanh"
) -> Any:
    """One step of :func:`~minidl.functional.rnn`: the state (N, H) after x (N, C) came to h (N, H).

    h = tanh(x w_ih^T + b_ih + h w_hh^T + b_hh), or relu for tanh

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> F.rnn_cell(minidl.ones(1, 1), minidl.zeros(1, 1), minidl.ones(1, 1), minidl.ones(1, 1))  # tanh(1)
    tensor([[0.7616]])
    """
    if nonlinearity not in ("tanh", "relu"):
        raise ValueError(f"nonlinearity must be 'tanh' or 'relu', got {nonlinearity!r}")
    a = linear(x, w_ih, b_ih) + linear(h, w_hh, b_hh)
    return tanh(a) if nonlinearity == "tanh" else relu(a)


def lstm_cell(
    x: Any, state: tuple[Any, Any], w_ih: Any, w_hh: Any, b_ih: Any = None, b_hh: Any = None
) -> tuple[Any, Any]:
    """One step of :func:`~minidl.functional.lstm`: the state and cell, (N, H) each, after x (N, C) came to (h, c).

    i, f, g, o = sigmoid, sigmoid, tanh, sigmoid of the four parts of x w_ih^T + b_ih + h w_hh^T + b_hh
    c = f * c + i * g
    h = o * tanh(c)

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> x, h, c = minidl.zeros(2, 3), minidl.zeros(2, 4), minidl.zeros(2, 4)
    >>> h, c = F.lstm_cell(x, (h, c), minidl.zeros(16, 3), minidl.zeros(16, 4))
    >>> h.shape, c.shape
    ((2, 4), (2, 4))
    """
    h, c = state
    a_i, a_f, a_g, a_o = chunk(linear(x, w_ih, b_ih) + linear(h, w_hh, b_hh), 4, -1)
    i, f, g, o = sigmoid(a_i), sigmoid(a_f), tanh(a_g), sigmoid(a_o)
    c = f * c + i * g
    return o * tanh(c), c


def gru_cell(x: Any, h: Any, w_ih: Any, w_hh: Any, b_ih: Any = None, b_hh: Any = None) -> Any:
    """One step of :func:`~minidl.functional.gru`: the state (N, H) after x (N, C) came to h (N, H).

    With a = x w_ih^T + b_ih and q = h w_hh^T + b_hh, each in three parts r, z, n:

    r, z = sigmoid(a_r + q_r), sigmoid(a_z + q_z)
    n = tanh(a_n + r * q_n)
    h = (1 - z) * n + z * h

    Examples
    --------
    >>> import minidl, minidl.functional as F
    >>> x, h = minidl.zeros(2, 3), minidl.zeros(2, 4)
    >>> F.gru_cell(x, h, minidl.zeros(12, 3), minidl.zeros(12, 4)).shape
    (2, 4)
    """
    a_r, a_z, a_n = chunk(linear(x, w_ih, b_ih), 3, -1)
    q_r, q_z, q_n = chunk(linear(h, w_hh, b_hh), 3, -1)
    r, z = sigmoid(a_r + q_r), sigmoid(a_z + q_z)
    n = tanh(a_n + r * q_n)
    return (1 - z) * n + z * h
