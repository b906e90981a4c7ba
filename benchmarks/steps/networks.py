"""The networks whose training steps are timed: their sizes, initial weights and data, the same for every framework.

A layer is a word and its sizes: "conv CHANNELS WINDOW", "dense UNITS", "relu", "pool", "flatten". Images are (channels,
height, width); convolutions have no padding and stride 1, pooling is the maximum of 2 x 2 windows.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np


def _convolutional(batch: int, image: tuple[int, int, int], layers: str, optimizer: str) -> dict[str, Any]:
    return {"kind": "convolutional", "batch": batch, "image": image, "layers": layers, "optimizer": optimizer}


_M1 = "conv 32 3, relu, pool, conv 64 3, relu, pool, flatten, dense 64, relu, dense 10"
_M2 = "conv 32 3, relu, pool, conv 64 3, relu, pool, conv 64 3, relu, flatten, dense 64, relu, dense 10"
_M3 = "conv 6 5, relu, pool, conv 16 5, relu, pool, flatten, dense 120, relu, dense 84, relu, dense 10"
_M4 = "conv 32 3, relu, pool, conv 64 3, relu, pool, flatten, dense 128, relu, dense 10"

# Recurrent: rows of an image are the steps of a sequence: (batch, 28 steps, 28 pixels); a dense layer of 10 reads the
# last state.
# Adversarial: generator 100 -> dense 7*7*256, relu -> upsample 2 -> conv 128 3x3, batch norm, relu -> upsample 2 ->
# conv 64 3x3, batch norm, relu -> conv 1 3x3, tanh (all padded by 1). Discriminator: 784-512-256-1, leaky relu 0.2.
# One step trains both.
# Language: 64 characters of 65 kinds -> embedding -> an LSTM, or positions added, blocks of causal attention and of two
# dense layers with GELU between them, each behind a layer norm and added to its input, layer norm -> dense layer of 65.
NETWORKS: dict[str, dict[str, Any]] = {
    "M1 MNIST CNN N=32": _convolutional(32, (1, 28, 28), _M1, "adam"),
    "M2 CIFAR CNN N=64": _convolutional(64, (3, 32, 32), _M2, "adam"),
    "M3 LeNet N=4": _convolutional(4, (3, 32, 32), _M3, "momentum"),
    "M3 LeNet N=64": _convolutional(64, (3, 32, 32), _M3, "momentum"),
    "M4 224x224 CNN N=32": _convolutional(32, (1, 224, 224), _M4, "nesterov"),
    "RNN 32 N=32": {"kind": "recurrent", "batch": 32, "cell": "rnn", "hidden": 32},
    "RNN 128 N=32": {"kind": "recurrent", "batch": 32, "cell": "rnn", "hidden": 128},
    "LSTM 128 N=32": {"kind": "recurrent", "batch": 32, "cell": "lstm", "hidden": 128},
    "char LSTM 256 N=32": {"kind": "language", "batch": 32, "cell": "lstm", "width": 256},
    "GPT 4x128 N=32": {"kind": "language", "batch": 32, "blocks": 4, "heads": 4, "width": 128},
    "M6 GAN N=32": {"kind": "adversarial", "batch": 32, "latent": 100},
}

CHARACTERS, LENGTH = 65, 64  # of a language network: how many kinds there are, and how many it reads
LEARNING_RATES = {"adam": 1e-3, "momentum": 1e-3, "nesterov": 1e-3, "gan": 2e-4}


def plan(image: tuple[int, int, int], layers: str) -> list[tuple[str, list[int], tuple[int, ...]]]:
    """Each layer's word, its sizes, and the shape of what comes into it."""
    shape, found = tuple(image), []
    for text in layers.split(", "):
        kind, *sizes = text.split()
        sizes = [int(size) for size in sizes]
        found.append((kind, sizes, shape))
        if kind == "conv":
            shape = (sizes[0], shape[1] - sizes[1] + 1, shape[2] - sizes[1] + 1)
        elif kind == "pool":
            shape = (shape[0], shape[1] // 2, shape[2] // 2)
        elif kind == "flatten":
            shape = (prod(shape),)
        elif kind == "dense":
            shape = (sizes[0],)
    return found


def data(network: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Images (channels first) or sequences and their labels; for the GAN, noise and images; characters and the next."""
    random = np.random.default_rng(0)
    batch = network["batch"]
    if network["kind"] == "adversarial":
        z = random.standard_normal((batch, network["latent"]), dtype=np.float32)
        return z, random.random((batch, 1, 28, 28), dtype=np.float32) * 2 - 1
    if network["kind"] == "language":
        text = random.integers(0, CHARACTERS, (batch, LENGTH + 1))
        return text[:, :-1].copy(), text[:, 1:].copy()
    shape = network["image"] if network["kind"] == "convolutional" else (28, 28)
    return random.random((batch, *shape), dtype=np.float32), random.integers(0, 10, batch)


def parameters(network: dict[str, Any]) -> list[np.ndarray]:
    """Initial weights and biases, in the shapes and the order of PyTorch's layers."""
    random = np.random.default_rng(1)

    def uniform(*shape: int, fan_in: int) -> np.ndarray:
        return (random.uniform(-1, 1, shape) / fan_in**0.5).astype(np.float32)

    def layer(*shape: int) -> list[np.ndarray]:
        """Weights (outputs, inputs, ...) and one bias for each output."""
        fan_in = prod(shape[1:])
        return [uniform(*shape, fan_in=fan_in), uniform(shape[0], fan_in=fan_in)]

    if network["kind"] == "convolutional":
        found = []
        for kind, sizes, shape in plan(network["image"], network["layers"]):
            if kind == "conv":
                found += layer(sizes[0], shape[0], sizes[1], sizes[1])
            elif kind == "dense":
                found += layer(sizes[0], *shape)
        return found
    if network["kind"] == "recurrent":
        hidden, gates = network["hidden"], 4 if network["cell"] == "lstm" else 1
        shapes = [(gates * hidden, 28), (gates * hidden, hidden), (gates * hidden,)]
        w_ih, w_hh, b_ih = (uniform(*shape, fan_in=hidden) for shape in shapes)
        return [w_ih, w_hh, b_ih, np.zeros_like(b_ih), *layer(10, hidden)]

    def norm(k: int) -> list[np.ndarray]:
        return [np.ones(k, np.float32), np.zeros(k, np.float32)]

    if network["kind"] == "language":
        k = network["width"]
        embedding = [uniform(CHARACTERS, k, fan_in=k)]
        if "cell" in network:
            w_ih, w_hh, b_ih = (uniform(*shape, fan_in=k) for shape in ((4 * k, k), (4 * k, k), (4 * k,)))
            return [*embedding, w_ih, w_hh, b_ih, np.zeros_like(b_ih), *layer(CHARACTERS, k)]
        found = [*embedding, uniform(LENGTH, k, fan_in=k)]
        for _ in range(network["blocks"]):
            found += [*norm(k), *layer(3 * k, k), *layer(k, k), *norm(k), *layer(4 * k, k), *layer(k, 4 * k)]
        return [*found, *norm(k), *layer(CHARACTERS, k)]
    norms = [norm(k) for k in (128, 64)]
    generator = [*layer(7 * 7 * 256, network["latent"]), *layer(128, 256, 3, 3), *norms[0]]
    generator += [*layer(64, 128, 3, 3), *norms[1], *layer(1, 64, 3, 3)]
    return generator + [part for k, c in ((512, 784), (256, 512), (1, 256)) for part in layer(k, c)]


def channels_last_parameters(network: dict[str, Any]) -> list[np.ndarray]:
    """The same weights as TensorFlow and JAX lay them out: (window, window, in, out) and (in, out), one recurrent bias.

    Where a dense layer meets an image, its rows are put into the order of an image whose channels come last.
    """
    found = parameters(network)
    tables = 0  # embeddings, which are the same everywhere
    if network["kind"] == "recurrent":
        del found[3]
    elif network["kind"] == "language":
        tables = 1 if "cell" in network else 2
        if "cell" in network:
            del found[4]
    elif network["kind"] == "adversarial":
        for i in (0, 1):
            found[i] = np.moveaxis(found[i].reshape(256, 49, -1), 0, 1).reshape(found[i].shape)
    else:
        steps = plan(network["image"], network["layers"])
        image = next(shape for kind, _, shape in steps if kind == "flatten")
        i = 2 * sum(kind == "conv" for kind, *_ in steps)
        found[i] = np.moveaxis(found[i].reshape(-1, image[0], image[1] * image[2]), 1, 2).reshape(found[i].shape)
    turned = [np.ascontiguousarray(w.transpose(2, 3, 1, 0) if w.ndim == 4 else w.T) for w in found]
    return [*found[:tables], *turned[tables:]]
