"""Whole training steps of small networks of well-known kinds, beside PyTorch: the same program runs in both."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from benchmarks import training

PEERS = ["torch-eager", "torch-channels-last", "torch-compile"]

# name: the function in steps/architectures.py
FUNCTIONS = {
    "MLP N=128": "mlp",
    "VGG 32x32 N=32": "vgg",
    "ResNet-14 32x32 N=32": "resnet",
    "MobileNetV2 32x32 N=32": "mobilenet",
    "DenseNet 32x32 N=32": "densenet",
    "SE, group norm 32x32 N=32": "senet",
    "U-Net 64x64 N=8": "unet",
    "super-resolution 32x32 N=16": "super_resolution",
    "VAE N=128": "vae",
    "ViT 32x32 N=32": "vit",
    "bidirectional GRU N=32": "text_gru",
    "temporal convolutions N=32": "tcn",
}
ARCHITECTURES = {name: {"kind": "architecture", "function": function} for name, function in FUNCTIONS.items()}


def run(names: Iterable[str], peers: Iterable[str], threads: int, rounds: int, seconds: float) -> list[dict[str, Any]]:
    """A row for each architecture whose name contains one of `names` (all for none), printed as it comes."""
    return training.run(names, peers, threads, rounds, seconds, ARCHITECTURES)
