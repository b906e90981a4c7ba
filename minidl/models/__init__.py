"""The networks of the recipes and tutorials, by name. Classifiers give logits, which `F.cross_entropy` takes."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from minidl import nn
from minidl.models.autoencoders import Autoencoder, DeepClustering
from minidl.models.classifiers import LeNet, cifar_cnn, digits_cnn, mnist_cnn
from minidl.models.generative import GAN, Inpainter
from minidl.models.residual import ResidualBlock, ResidualNetwork, cifar_resnet, photo_cnn
from minidl.models.sequences import CharLSTM, FrameLSTM, RowRNN
from minidl.models.transfer import TransferComparison

__all__ = [
    "GAN", "NETWORKS", "Autoencoder", "CharLSTM", "DeepClustering", "FrameLSTM", "Inpainter", "LeNet",
    "ResidualBlock", "ResidualNetwork", "RowRNN", "TransferComparison", "build", "cifar_cnn", "cifar_resnet",
    "digits_cnn", "mnist_cnn", "photo_cnn",
]  # fmt: skip

NETWORKS: dict[str, Callable[..., nn.Module]] = {
    "digits_cnn": digits_cnn,
    "mnist_cnn": mnist_cnn,
    "cifar_cnn": cifar_cnn,
    "lenet": LeNet,
    "cifar_resnet": cifar_resnet,
    "photo_cnn": photo_cnn,
    "row_rnn": RowRNN,
    "autoencoder": Autoencoder,
    "deep_clustering": DeepClustering,
    "char_lstm": CharLSTM,
    "transfer_comparison": TransferComparison,
    "frame_lstm": FrameLSTM,
    "gan": GAN,
    "inpainter": Inpainter,
}


# what an option of a network may be, by its annotation
OPTION_TYPES = {"int": int, "float": (int, float), "str": str, "Sequence[int]": (list, tuple)}


def build(name: str, /, **options: Any) -> nn.Module:
    """A new network of that name, with weights from the stream "initialization".

    Examples
    --------
    >>> from minidl import models
    >>> sum(parameter.numel() for parameter in models.build("lenet").parameters())
    62006
    """
    if name not in NETWORKS:
        raise ValueError(f"unknown network {name!r}; expected one of {', '.join(NETWORKS)}")
    known = inspect.signature(NETWORKS[name]).parameters
    for option, value in options.items():
        if option not in known:
            raise ValueError(f"the network {name} has no option {option!r}; it has {', '.join(known)}")
        annotation = known[option].annotation
        if not isinstance(value, OPTION_TYPES[annotation]):
            raise ValueError(f"{option} of the network {name} must be of type {annotation}, got {value!r}")
        if annotation == "int" and value < 1:
            raise ValueError(f"{option} of the network {name} must be at least 1, got {value}")
    return NETWORKS[name](**options)
