"""Attention on a GPU from the kernels of its parts: matrix product, softmax and dropout. p goes through memory."""

from ..cuda import DTYPES, unavailable
from .reference import backward, forward

__all__ = ["DTYPES", "backward", "forward", "unavailable"]
