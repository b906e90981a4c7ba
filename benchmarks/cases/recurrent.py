"""One recurrent layer, forwards and back: the rows of 32 images of 28 x 28 as 28 steps in time; and 64 characters."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from minidl import kernels

from .case import Case, backends, exact, in_torch, nbytes, tensors

BATCH = 32
PARTS = {"rnn": 1, "lstm": 4, "gru": 3}


def _layer(cell: str, x: Any, h0: Any, weights: list[Any], dy: Any) -> Any:
    """y, and the gradients of both weights."""
    k = kernels.recurrent
    if cell == "rnn":
        y = k.rnn_forward(x, h0, *weights)
        _, _, dw_ih, dw_hh, *_ = k.rnn_backward(x, h0, *weights[:2], y, dy, needs_dx=False)
    elif cell == "lstm":
        y, c, gates = k.lstm_forward(x, h0, h0, *weights)
        _, _, _, dw_ih, dw_hh, *_ = k.lstm_backward(x, h0, h0, *weights[:2], y, c, gates, dy, needs_dx=False)
    else:
        y, gates = k.gru_forward(x, h0, *weights)
        _, _, dw_ih, dw_hh, *_ = k.gru_backward(x, h0, *weights[:2], y, gates, dy, needs_dx=False)
    return y, dw_ih, dw_hh


def case(cell: str, hidden: int, steps: int = 28, inputs: int = 28) -> Case:
    random = np.random.default_rng(0)
    rows = PARTS[cell] * hidden
    x = random.standard_normal((steps, BATCH, inputs), dtype=np.float32)
    dy = random.standard_normal((steps, BATCH, hidden), dtype=np.float32)
    h0 = np.zeros((BATCH, hidden), np.float32)
    shapes = [(rows, inputs), (rows, hidden), (rows,), (rows,)]
    weights = [(random.uniform(-1, 1, shape) / hidden**0.5).astype(np.float32) for shape in shapes]

    def in_pytorch(torch: Any, last: bool) -> Any:
        layer = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[cell](inputs, hidden)
        parameters = list(layer.parameters())
        with torch.no_grad():
            for parameter, weight in zip(parameters, tensors(*weights)):
                parameter.copy_(weight)
        tx, tdy = tensors(x, dy)

        def call() -> Any:
            y = layer(tx)[0]
            gradients = torch.autograd.grad(y, parameters, tdy)
            return y, gradients[0], gradients[1]

        return call

    def ours() -> Any:
        return lambda: _layer(cell, x, h0, weights, dy)

    both, state = inputs + hidden, hidden
    return Case(
        # forward: both products a step; back: that with w_hh, and both weights' gradients
        operations=2.0 * steps * BATCH * rows * (both + state + both),
        bytes=nbytes(x, dy, dy, *weights, *weights[:2]),
        expected=lambda: exact(partial(_layer, cell), x, h0, weights, dy),
        ours=ours,
        peers=in_torch(in_pytorch) | backends("recurrent", ours),
    )


CASES = {
    f"{cell} {hidden} forward+backward": partial(case, cell, hidden)
    for cell, hidden in (("rnn", 32), ("rnn", 128), ("lstm", 128), ("gru", 128))
} | {"lstm 256 of 64 steps forward+backward": partial(case, "lstm", 256, 64, 256)}
