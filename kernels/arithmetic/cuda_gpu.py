"""Arithmetic on a GPU, by the operators of the array library: each is one kernel over all numbers."""

from ..cuda import DTYPES, unavailable
from .reference import add, divide, multiply, subtract

__all__ = ["DTYPES", "add", "divide", "multiply", "subtract", "unavailable"]
