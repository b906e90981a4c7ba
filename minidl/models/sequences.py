"""Networks that read sequences."""

from __future__ import annotations

from minidl import nn
from minidl.autograd import Tensor


class RowRNN(nn.Module):
    """Reads an image row by row, one row a time step, and classifies by the last hidden state."""

    def __init__(self, hidden_size: int = 128, row_size: int = 28, classes: int = 10):
        super().__init__()
        self.rnn = nn.RNN(row_size, hidden_size, batch_first=True)
        self.output = nn.Linear(hidden_size, classes)

    def forward(self, x: Tensor) -> Tensor:
        rows = x.reshape(len(x), -1, x.shape[-1])  # (N, H, W): H steps of W pixels
        states, _ = self.rnn(rows)  # (N, H, hidden_size)
        return self.output(states[:, -1])
