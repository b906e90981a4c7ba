"""What the entries of the table of ONNX's operators share: how they refuse a node, and read its constants."""

from __future__ import annotations

from typing import Any

import numpy as np

from minidl import Tensor


class NotApplicable(Exception):
    """The node asks for something that minidl does not have."""


def require(condition: bool, what: str) -> None:
    if not condition:
        raise NotApplicable(what)


def numbers(x: Tensor) -> list[int]:
    return [int(n) for n in x.numpy().ravel()]


def tensor(x: Any) -> Tensor:
    return Tensor(np.asarray(x))
