"""The table of operations: one entry for each way to call one, in the file of the operation's family.

To add an operation, add a line: its name in `minidl.functional`, its inputs, and its value by NumPy. The tests then
check forward, first and second derivatives, PyTorch's result, dtypes, memory orders, the strict array and every kernel
backend, and ``minidl gradcheck`` knows it too.

    Operation("leaky_relu", [away_from_zero(2, 3)], lambda x: np.where(x > 0, x, 0.2 * x), {"negative_slope": 0.2})

The inputs are recipes (`normal`, `positive` ...), drawn in float64 from a seed of the operation's own, away from kinks
and ties, where finite differences are wrong. What is not a recipe (a number, a tuple) is passed as it is. Give
`torch=None` where PyTorch has no such function, or the function where its name differs; `call=` where the operation
takes its inputs in another form.
"""

from minidl.checks.operation import Operation
from minidl.checks.operations import (
    activation,
    attention,
    conv,
    distance,
    elementwise,
    fused,
    indexing,
    linear,
    loss,
    margin,
    norm,
    places,
    pool,
    recurrent,
    reduce,
    resize,
    shape,
    sorting,
    windows,
)

FAMILIES = (
    elementwise, activation, reduce, shape, indexing, places, sorting, linear, conv, pool, windows, resize, norm, loss,
    margin, distance, recurrent, attention, fused,
)  # fmt: skip

TABLE: list[Operation] = [operation for family in FAMILIES for operation in family.OPERATIONS]
