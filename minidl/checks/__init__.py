"""The table of operations, each with inputs and the expected value; and the gradient check over this table.

`operations` holds the table, by family; `recipes` draws the inputs; `naive` has formulas in plain loops for expected
values; `gradients` is ``minidl gradcheck``. The tests use the same table.
"""

from minidl.checks.gradients import Check, check_gradients, differentiable
from minidl.checks.operation import Operation
from minidl.checks.operations import TABLE

__all__ = ["TABLE", "Check", "Operation", "check_gradients", "differentiable"]
