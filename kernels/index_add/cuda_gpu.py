"""index_add on a GPU, by the array library's `add.at`, as the reference: atomic additions, in any order."""

from __future__ import annotations

from ..cuda import DTYPES, unavailable
from .reference import forward

__all__ = ["DTYPES", "forward", "unavailable"]
