"""gather and scatter_add on a GPU, by the array library; scatter_add uses atomic additions, in any order."""

from __future__ import annotations

from ..cuda import DTYPES, unavailable
from .reference import gather, scatter_add

__all__ = ["DTYPES", "gather", "scatter_add", "unavailable"]
