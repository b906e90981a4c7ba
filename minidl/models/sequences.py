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
        The probability of dropout, in training, between the LSTM and the prediction.
    """

    def __init__(self, classes: int = 65, hidden_size: int = 256, dropout: float = 0.0):
        super().__init__()
        self.lstm = nn.LSTM(classes, hidden_size, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(hidden_size, classes)

    def forward(self, ids: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """Logits (N, T, classes) for the characters `ids` (N, T), and the state after them, to go on from."""
        x = F.one_hot(ids, self.lstm.input_size).float()  # (N, T, classes)
        y, state = self.lstm(x, state)  # (N, T, hidden_size)
        return self.output(self.dropout(y)), state


class FrameLSTM(nn.Module):
    """Reads a film (N, T, H, W) of grey frames: a CNN computes features of each frame, an LSTM reads them in order.

    f[t] = cnn(x[t]);  h[t] = lstm(f[t], h[t-1]);  logits = output(h[T-1])

    Source: J. Donahue et al., "Long-term Recurrent Convolutional Networks for Visual Recognition", 2015.
    """

    def __init__(self, classes: int = 8, image_size: int = 32, features: int = 64, hidden_size: int = 64):
        super().__init__()
        if image_size < 8 or image_size % 8:
            raise ValueError(f"image_size must be a multiple of 8, got {image_size}")
        self.options = dict(classes=classes, image_size=image_size, features=features, hidden_size=hidden_size)
        self.cnn = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),  # (16, 16, 16)
            nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),  # (32, 8, 8)
            nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),  # (32, 4, 4)
            nn.Flatten(),
            nn.Linear(32 * (image_size // 8) ** 2, features), nn.ReLU(),
        )  # fmt: skip
        self.lstm = nn.LSTM(features, hidden_size, batch_first=True)
        self.output = nn.Linear(hidden_size, classes)

    def forward(self, x: Tensor) -> Tensor:
        count, steps, height, width = x.shape
        frames = x.reshape(count * steps, 1, height, width)
        features = self.cnn(frames).reshape(count, steps, -1)  # (N, T, features)
        states, _ = self.lstm(features)  # (N, T, hidden_size)
        return self.output(states[:, -1])
