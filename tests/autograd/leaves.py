"""Leaves in float64, as the tests of the engine take them."""

from __future__ import annotations

import numpy as np

from minidl import Tensor, tensor


def leaf(values, dtype=np.float64) -> Tensor:
    return tensor(np.array(values, dtype), requires_grad=True)
