"""One classifier three times: how much does it help to have learned something else before?"""

from __future__ import annotations

from minidl import nn
from minidl.autograd import Tensor
from minidl.models.classifiers import mnist_cnn


class TransferComparison(nn.Module):
    """Three of the same network: two start from pretrained convolutions, which one of them never changes.

    `fine_tuned` is the one to use; `frozen` and `scratch` show what training on and its start do for it.
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
