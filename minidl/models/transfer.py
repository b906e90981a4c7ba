"""Three copies of a classifier, to measure what pretraining is worth."""

from __future__ import annotations

from minidl import nn
from minidl.autograd import Tensor
from minidl.models.classifiers import mnist_cnn


class TransferComparison(nn.Module):
    """The same network three times, trained in different ways.

    `fine_tuned` starts from pretrained convolutions and trains them further; `frozen` starts from them and keeps them;
    `scratch` starts from random weights. The forward is that of `fine_tuned`, the others are there to compare.
    """

    HEAD = ("7", "9")  # the linear layers of mnist_cnn
    BODY = slice(7)  # what comes before them

    def __init__(self, classes: int = 5):
        super().__init__()
        self.fine_tuned = mnist_cnn(classes)
        self.frozen = mnist_cnn(classes)
        self.scratch = mnist_cnn(classes)
        self.frozen[self.BODY].requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        return self.fine_tuned(x)
