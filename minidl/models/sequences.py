"""Networks that read sequences."""

from __future__ import annotations

from typing import Any

from minidl import functional as F
from minidl import nn
from minidl.autograd import Tensor

CELLS = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


class RowRNN(nn.Module):
    """Reads an image row by row, one row a time step, and classifies by the last hidden state.

    Parameters
    ----------
    hidden_size : int
    row_size : int
        Pixels in a row.
    classes : int
    cell : {"rnn", "lstm", "gru"}
    """

    def __init__(self, hidden_size: int = 128, row_size: int = 28, classes: int = 10, cell: str = "rnn"):
        super().__init__()
        if cell not in CELLS:
            raise ValueError(f"cell must be one of {', '.join(CELLS)}, got {cell!r}")
        self.rnn = CELLS[cell](row_size, hidden_size, batch_first=True)
        self.output = nn.Linear(hidden_size, classes)

    def forward(self, x: Tensor) -> Tensor:
        rows = x.reshape(len(x), -1, x.shape[-1])  # (N, H, W): H steps of W pixels
        states, _ = self.rnn(rows)  # (N, H, hidden_size)
        return self.output(states[:, -1])


class CharLSTM(nn.Module):
    """Reads a text character by character and says after each how likely every character is to come next.

    Parameters
    ----------
    classes : int
        Characters of the vocabulary.
    hidden_size : int
    dropout : float
        The probability with which a number of the state is dropped, in training, on its way to the prediction.
    """

    def __init__(self, classes: int, hidden_size: int = 256, dropout: float = 0.0):
        super().__init__()
        self.lstm = nn.LSTM(classes, hidden_size, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(hidden_size, classes)

    def forward(self, ids: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """Logits (N, T, classes) for the characters `ids` (N, T), and the state after them, to go on from."""
        x = F.one_hot(ids, self.lstm.input_size).float()  # (N, T, classes)
        y, state = self.lstm(x, state)  # (N, T, hidden_size)
        return self.output(self.dropout(y)), state
