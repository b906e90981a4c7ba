"""Other shapes of the same numbers: reshape, transpose, cat, split, pad ..."""

from __future__ import annotations

import numpy as np

from minidl.checks.operation import Operation
from minidl.checks.recipes import normal

X234 = normal(2, 3, 4)
X1234 = normal(1, 2, 3, 4)


def of_several(name: str, numpy_function: object, *shapes: tuple[int, ...], dim: int = 0) -> Operation:
    """cat and its like, which take a list of arrays."""
    return Operation(
        name,
        [normal(*shape) for shape in shapes],
        lambda *xs: numpy_function(xs, dim),
        call=lambda f, *xs: f(xs, dim),
    )


def side_by_side(name: str, numpy_function: object, *shapes: list[tuple[int, ...]]) -> list[Operation]:
    """hstack and its like, which take a list of arrays and no axis."""
    return [
        Operation(
            name, [normal(*shape) for shape in several], lambda *xs: numpy_function(xs), call=lambda f, *xs: f(xs)
        )
        for several in shapes
    ]


OPERATIONS = [
    Operation("reshape", [X234, (4, -1)], np.reshape),
    Operation("reshape", [normal(0, 3), (3, 0, 2)], np.reshape),
    Operation("reshape", [normal(), (1, 1)], np.reshape),
    Operation("view", [X234, 6, 4], lambda x, *shape: x.reshape(shape), torch=None),
    Operation("flatten", [normal(2, 3, 2, 2), 1], lambda x, start: x.reshape(2, 12)),
    Operation("flatten", [normal(2, 3, 2, 2), 1, 2], lambda x, start, end: x.reshape(2, 6, 2)),
    Operation("flatten", [normal()], lambda x: x.reshape(1)),
    Operation("unflatten", [normal(2, 6), 1, (2, -1)], lambda x, dim, sizes: x.reshape(2, 2, 3)),
    Operation("permute", [normal(2, 3, 4, 2), (2, 0, -1, 1)], np.transpose),
    Operation("transpose", [X234, 0, -1], np.swapaxes),
    Operation("swapaxes", [X234, 0, 1], np.swapaxes),
    Operation("movedim", [X234, 0, 2], np.moveaxis),
    Operation("swapdims", [X234, 0, 1], np.swapaxes),
    Operation("moveaxis", [X234, (0, 2), (1, 0)], np.moveaxis),
    Operation("ravel", [X234], np.ravel),
    Operation("fliplr", [X234], np.fliplr),
    Operation("flipud", [X234], np.flipud),
    *[Operation("rot90", [X234, k, (2, 0)], np.rot90) for k in (-1, 0, 1, 2, 7)],
    *[Operation("tensor_split", [X234, n, 2], np.array_split) for n in (1, 3, 6)],
    Operation("tensor_split", [X234, (1, 3, -1), -1], np.array_split),
    Operation("tensor_split", [X234, (3, 1, 9), -1], np.array_split),
    Operation("tensor_split", [normal(0, 3), 2], np.array_split),
    Operation("hsplit", [X234, 3], np.hsplit),
    Operation("hsplit", [normal(4), 2], np.hsplit),
    Operation("vsplit", [X234, (1,)], np.vsplit),
    Operation("broadcast_tensors", [normal(3, 1), normal(2), normal()], np.broadcast_arrays),
    Operation("t", [normal(2, 3)], np.transpose),
    Operation("t", [normal(3)], np.transpose),
    Operation("squeeze", [normal(2, 1, 3, 1)], np.squeeze),
    Operation("squeeze", [normal(2, 1, 3, 1), 1], np.squeeze),
    Operation("squeeze", [normal(2, 1, 3, 1), 0], lambda x, dim: x),
    Operation("squeeze", [normal(2, 1, 3, 1), (1, 3, 0)], lambda x, dim: x.reshape(2, 3)),
    Operation("unsqueeze", [normal(2, 3), 1], np.expand_dims),
    Operation("unsqueeze", [normal(2, 3), -1], np.expand_dims),
    Operation(
        "expand",
        [normal(2, 1), 4, -1, 3],
        lambda x, *sizes: np.broadcast_to(x, (4, 2, 3)),
        torch=lambda x, *sizes: x.expand(*sizes),
    ),
    *[
        Operation("meshgrid", [normal(3), normal(2), normal(4)], expected, {"indexing": indexing})
        for indexing, expected in (
            ("ij", lambda *xs: tuple(np.meshgrid(*xs, indexing="ij"))),
            ("xy", lambda *xs: tuple(np.meshgrid(*xs))),
        )
    ],
    Operation("broadcast_to", [normal(2, 1), (3, 2, 4)], np.broadcast_to),
    of_several("cat", np.concatenate, (2, 3), (2, 1), dim=1),
    of_several("cat", np.concatenate, (2, 3), (0, 3)),
    Operation(
        "cat", [normal(0), normal(2, 3)], lambda *xs: xs[1], call=lambda f, *xs: f(xs), torch=None, gradient=False
    ),
    of_several("concat", np.concatenate, (2, 3), (1, 3)),
    of_several("concatenate", np.concatenate, (2, 3), (1, 3)),
    *side_by_side("hstack", np.hstack, [(2, 3), (2, 1)], [(3,), (1,)], [(), (2,)]),
    *side_by_side("vstack", np.vstack, [(2, 3), (1, 3)], [(3,), (2, 3)], [(), ()]),
    *side_by_side("column_stack", np.column_stack, [(2, 3), (2,)], [(3,), (3,)]),
    *side_by_side("dstack", np.dstack, [(2, 3), (2, 3, 2)], [(3,), (3,)], [(), ()]),
    Operation(
        "block_diag",
        [normal(2, 3), normal(2), normal()],
        lambda *xs: np.block(
            [[xs[0], np.zeros((2, 3))], [np.zeros((1, 3)), xs[1], np.zeros((1, 1))], [np.zeros((1, 5)), xs[2]]]
        ),
    ),
    Operation(
        "cartesian_prod",
        [normal(2), normal(3), normal(2)],
        lambda *xs: np.stack([x.reshape(-1) for x in np.meshgrid(*xs, indexing="ij")], 1),
    ),
    Operation("combinations", [normal(4), 3], lambda x, r: np.stack([np.delete(x, i) for i in (3, 2, 1, 0)])),
    Operation("combinations", [normal(2), 2, True], lambda x, r, again: x[[[0, 0], [0, 1], [1, 1]]]),
    of_several("stack", np.stack, (2, 3), (2, 3), dim=1),
    of_several("stack", np.stack, (2, 3), (2, 3), dim=-1),
    Operation("split", [normal(5, 2), 2], lambda x, size: (x[:2], x[2:4], x[4:])),
    Operation("split", [normal(2, 5), [1, 4], 1], lambda x, sizes, dim: (x[:, :1], x[:, 1:])),
    Operation("chunk", [normal(5, 2), 3], lambda x, chunks: (x[:2], x[2:4], x[4:])),
    Operation("chunk", [normal(2, 4), 2, -1], lambda x, chunks, dim: (x[:, :2], x[:, 2:])),
    Operation("narrow", [normal(2, 5), 1, -3, 2], lambda x, dim, start, length: x[:, 2:4]),
    Operation("unbind", [normal(2, 3), 1], lambda x, dim: tuple(x.T)),
    Operation("flip", [X234, (0, -1)], np.flip),
    Operation("roll", [X234, 2, 1], np.roll),
    Operation("roll", [X234, (1, -5), (0, 2)], np.roll),
    Operation("roll", [X234, 3], np.roll),
    Operation("repeat", [normal(2, 3), 2, 1, 3], lambda x, *n: np.tile(x, n), torch=lambda x, *n: x.repeat(*n)),
    Operation("tile", [normal(2, 3), (2, 1, 3)], np.tile),
    Operation("tile", [X234, (2,)], np.tile),
    Operation("pad", [X234, (1, 0, 2, 1)], lambda x, pad: np.pad(x, ((0, 0), (2, 1), (1, 0)))),
    Operation(
        "pad",
        [normal(2, 3), (1, 2), "constant", 1.5],
        lambda x, pad, mode, value: np.pad(x, ((0, 0), (1, 2)), constant_values=value),
    ),
    Operation("pad", [normal(2, 5), (-1, 2)], lambda x, pad: np.pad(x[:, 1:], ((0, 0), (0, 2)))),
    Operation(
        "pad",
        [X1234, (3, 0, 1, 2), "reflect"],
        lambda x, pad, mode: np.pad(x, ((0, 0), (0, 0), (1, 2), (3, 0)), "reflect"),
    ),
    Operation(
        "pad",
        [X1234, (3, 5, 1, 2), "replicate"],
        lambda x, pad, mode: np.pad(x, ((0, 0), (0, 0), (1, 2), (3, 5)), "edge"),
    ),
    Operation(
        "pad",
        [X1234, (3, 1, 2, 0), "circular"],
        lambda x, pad, mode: np.pad(x, ((0, 0), (0, 0), (2, 0), (3, 1)), "wrap"),
    ),
    Operation("tril", [X234, 1], np.tril),
    Operation("triu", [normal(3, 3)], np.triu),
    Operation("contiguous", [normal(2, 3)], np.transpose, call=lambda f, x: f(x.T), torch=lambda x: x.contiguous()),
]
