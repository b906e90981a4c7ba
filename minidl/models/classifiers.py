"""Convolutional networks that classify images. Shapes beside the layers are those of one image, (C, H, W)."""

from __future__ import annotations

from minidl import nn
from minidl.autograd import Tensor


def digits_cnn(classes: int = 10) -> nn.Module:
    """Two convolutions, for grey images of 8x8; with dropout, because the digits are few."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(),  # (16, 8, 8)
        nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),  # (32, 4, 4)
        nn.Flatten(), nn.Dropout(0.5),
        nn.Linear(32 * 4 * 4, 128), nn.ReLU(), nn.Dropout(0.5),
        nn.Linear(128, classes),
    )  # fmt: skip


def mnist_cnn(classes: int = 10) -> nn.Module:
    """The small CNN of Keras' guides, for grey images of 28x28."""
    return nn.Sequential(
        nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2),  # (32, 13, 13)
        nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2),  # (64, 5, 5)
        nn.Flatten(),
        nn.Linear(64 * 5 * 5, 64), nn.ReLU(),
        nn.Linear(64, classes),
    )  # fmt: skip


def cifar_cnn(classes: int = 10) -> nn.Module:
    """The CNN of TensorFlow's tutorial "Convolutional Neural Network", for colour images of 32x32."""
    return nn.Sequential(
        nn.Conv2d(3, 32, 3), nn.ReLU(), nn.MaxPool2d(2),  # (32, 15, 15)
        nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2),  # (64, 6, 6)
        nn.Conv2d(64, 64, 3), nn.ReLU(),  # (64, 4, 4)
        nn.Flatten(),
        nn.Linear(64 * 4 * 4, 64), nn.ReLU(),
        nn.Linear(64, classes),
    )  # fmt: skip


class LeNet(nn.Module):
    """LeCun's LeNet-5 of 1998 as in PyTorch's "Training a classifier": ReLU, max pooling, colour images of 32x32."""

    def __init__(self, classes: int = 10):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 6, 5)
        self.pool = nn.MaxPool2d(2, 2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(16 * 5 * 5, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(self.conv1(x).relu())  # (6, 14, 14)
        x = self.pool(self.conv2(x).relu())  # (16, 5, 5)
        x = x.flatten(1)
        x = self.fc1(x).relu()
        x = self.fc2(x).relu()
        return self.fc3(x)
