"""Attention on a GPU by the kernels for its parts: matrix product, softmax and dropout. p is stored in memory."""

from ..cuda import DTYPES, unavailable
from .reference import backward, forward

__all__ = ["DTYPES", "backward", "forward", "unavailable"]
