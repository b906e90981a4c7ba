"""Autoencoders: networks that describe an image by a few numbers, its code, and reconstruct it from them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from minidl import nn
from minidl.autograd import Tensor


class Autoencoder(nn.Module):
    """An encoder from an image to its code, and a decoder with the same sizes in reverse, back to pixels.

    The default sizes are those of J. Xie, R. Girshick, A. Farhadi, "Unsupervised deep embedding for
    clustering analysis", 2016: 784-500-500-2000-10-2000-500-500-784, with ReLU between them.
    """

    def __init__(
        self,
        image_shape: Sequence[int] = (1, 28, 28),
        hidden_sizes: Sequence[int] = (500, 500, 2000),
        code_size: int = 10,
    ):
        super().__init__()
        sizes = [math.prod(image_shape), *hidden_sizes, code_size]
        self.encoder = nn.Sequential(nn.Flatten(), *_layers(sizes))
        self.decoder = nn.Sequential(*_layers(sizes[::-1]), nn.Unflatten(1, tuple(image_shape)))

    def forward(self, x: Tensor) -> Tensor:
        return self.decoder(self.encoder(x))  # (N, C, H, W)


class DeepClustering(Autoencoder):
    """An encoder, a decoder and K centres among the codes; its forward gives soft assignments to the centres."""

    def __init__(
        self,
        image_shape: Sequence[int] = (1, 28, 28),
        hidden_sizes: Sequence[int] = (500, 500, 2000),
        code_size: int = 10,
        clusters: int = 10,
    ):
        super().__init__(image_shape, hidden_sizes, code_size)
        self.centers = nn.Parameter(np.zeros((clusters, code_size), np.float32))  # until k-means has found some

    def forward(self, x: Tensor) -> Tensor:
        """q (N, K), the probabilities of the clusters: Student's t about the centres (equation 1 of that paper).

        q[n,k] = (1 + |z[n] - c[k]|^2)^-1 / sum_j (1 + |z[n] - c[j]|^2)^-1
        """
        z = self.encoder(x)  # (N, D)
        squares = ((z.unsqueeze(1) - self.centers) ** 2).sum(2)  # (N, K)
        t = 1 / (1 + squares)
        return t / t.sum(1, keepdim=True)


def _layers(sizes: Sequence[int]) -> list[nn.Module]:
    """Linear layers of these sizes with ReLU between them."""
    layers: list[nn.Module] = []
    for inputs, outputs in zip(sizes, sizes[1:]):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return layers[:-1]
