"""Arithmetic on a GPU by the operators of the array library, each of which is one kernel over all numbers."""

from ..cuda import DTYPES, unavailable
from .reference import add, add_to, divide, multiply, subtract

__all__ = ["DTYPES", "add", "add_to", "divide", "multiply", "subtract", "unavailable"]
