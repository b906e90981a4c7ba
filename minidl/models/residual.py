"""Residual networks: each block adds something to what comes in, so that a gradient always has a short way back."""

from __future__ import annotations

from collections.abc import Sequence

from minidl import nn
from minidl.autograd import Tensor


class ResidualBlock(nn.Module):
    """y = relu(x + f(x)), f two convolutions of 3x3 with batch normalization.

    Where f changes the size or the number of channels, x goes through a convolution of 1x1 that does the same.

    Source: He et al., Deep residual learning for image recognition, 2015, figure 2 and section 3.3 (option B).
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1):
        super().__init__()
        self.f = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(out_channels), nn.ReLU(),
            nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
        )  # fmt: skip
        self.shortcut = nn.Sequential()
        if stride != 1 or in_channels != out_channels:
            self.shortcut.append(nn.Conv2d(in_channels, out_channels, 1, stride, bias=False))
            self.shortcut.append(nn.BatchNorm2d(out_channels))

    def forward(self, x: Tensor) -> Tensor:
        # y = relu(x + f(x))
        return (self.shortcut(x) + self.f(x)).relu()


class ResidualNetwork(nn.Module):
    """A stem, groups of residual blocks, the mean over all pixels, and a linear classifier.

    Parameters
    ----------
    stem : Module
        The first layers, which give `widths[0]` channels.
    widths : sequence of int
        Channels of each group; from the second group on, each halves the height and the width.
    blocks : int
        In each group.
    classes : int
    """

    def __init__(self, stem: nn.Module, widths: Sequence[int], blocks: int, classes: int):
        super().__init__()
        self.stem = stem
        self.groups = nn.Sequential()
        channels = widths[0]
        for group, width in enumerate(widths):
            for block in range(blocks):
                self.groups.append(ResidualBlock(channels, width, stride=2 if group and block == 0 else 1))
                channels = width
        self.output = nn.Linear(channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.groups(self.stem(x))  # (N, C, H, W)
        return self.output(x.mean((2, 3)))


def cifar_resnet(width: int = 32, blocks: int = 1, classes: int = 10) -> nn.Module:
    """A residual network for colour images of 32x32, of 2 + 6 * blocks convolutions in width, 2 and 4 times as many."""
    stem = nn.Sequential(nn.Conv2d(3, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU())
    return ResidualNetwork(stem, (width, 2 * width, 4 * width), blocks, classes)  # (128, 8, 8) before the mean


def photo_cnn(width: int = 32, classes: int = 2) -> nn.Module:
    """A residual network for photographs of 224x224; its first layers take them to 56x56."""
    stem = nn.Sequential(
        nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False), nn.BatchNorm2d(width), nn.ReLU(),  # (32, 112, 112)
        nn.MaxPool2d(3, stride=2, padding=1),  # (32, 56, 56)
    )  # fmt: skip
    return ResidualNetwork(stem, (width, 2 * width, 4 * width, 8 * width), 1, classes)  # (256, 7, 7) before the mean
