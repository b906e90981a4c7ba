"""What is checked of every operation: the table of ways to call one, and the gradients measured over it.

`operations` holds the table, by family; `recipes` what the inputs are drawn from; `naive` the formulas in plain loops
that give expected values; `gradients` what ``minidl gradcheck`` measures.
"""

from minidl.checks.gradients import Check, check_gradients, differentiable
from minidl.checks.operation import Operation
from minidl.checks.operations import TABLE

__all__ = ["TABLE", "Check", "Operation", "check_gradients", "differentiable"]
