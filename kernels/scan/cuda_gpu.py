"""Running totals on a GPU, by the array library."""

from ..cuda import DTYPES, unavailable
from .reference import cumprod, cumsum

__all__ = ["DTYPES", "cumprod", "cumsum", "unavailable"]
