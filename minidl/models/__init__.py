"""The networks of the recipes and tutorials, by name. Classifiers give logits, which `F.cross_entropy` takes."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from minidl import nn
from minidl.models.classifiers import LeNet, cifar_cnn, digits_cnn, mnist_cnn
from minidl.models.generative import GAN, Inpainter
from minidl.models.sequences import FrameLSTM, RowRNN

__all__ = [
    "FrameLSTM",
    "GAN",
    "NETWORKS",
    "Inpainter",
    "LeNet",
    "RowRNN",
    "build",
    "cifar_cnn",
    "digits_cnn",
    "mnist_cnn",
]

NETWORKS: dict[str, Callable[..., nn.Module]] = {
    "digits_cnn": digits_cnn,
    "mnist_cnn": mnist_cnn,
    "cifar_cnn": cifar_cnn,
    "lenet": LeNet,
    "row_rnn": RowRNN,
    "frame_lstm": FrameLSTM,
    "gan": GAN,
    "inpainter": Inpainter,
}


def build(name: str, **options: Any) -> nn.Module:
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
    for option in options:
        if option not in known:
            raise ValueError(f"the network {name} has no option {option!r}; it has {', '.join(known)}")
    return NETWORKS[name](**options)
