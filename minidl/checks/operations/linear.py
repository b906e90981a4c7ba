"""Matrix products: every pair of ranks, batch axes broadcast, empty sums."""

from __future__ import annotations

import numpy as np

from minidl.checks.operation import Operation
from minidl.checks.recipes import normal

MATMUL_SHAPES = [
    ((3,), (3,)),
    ((3,), (3, 2)),
    ((2, 3), (3,)),
    ((2, 3), (3, 4)),
    ((3,), (2, 3, 4)),
    ((2, 4, 3), (3,)),
    ((2, 2, 3), (3, 4)),
    ((2, 3), (5, 3, 4)),
    ((2, 1, 2, 3), (4, 3, 2)),
    ((0, 3), (3, 2)),
    ((2, 0), (0, 3)),
    ((1, 1), (1, 1)),
]


def einsum(equation: str, *shapes: tuple[int, ...]) -> Operation:
    return Operation("einsum", [equation, *[normal(*shape) for shape in shapes]], np.einsum)


def channel_sum(*shape: int) -> Operation:
    def sums(x):
        return x.sum((0, *range(2, x.ndim)))

    return Operation("channel_sum", [normal(*shape)], sums, torch=sums)


OPERATIONS = [
    *[Operation("matmul", [normal(*a), normal(*b)], np.matmul) for a, b in MATMUL_SHAPES],
    Operation("mm", [normal(2, 3), normal(3, 4)], np.matmul),
    Operation("bmm", [normal(2, 2, 3), normal(2, 3, 4)], np.matmul),
    Operation("addmm", [normal(2, 4), normal(2, 3), normal(3, 4)], lambda x, a, b: x + a @ b),
    Operation(
        "addmm",
        [normal(4), normal(2, 3), normal(3, 4)],
        lambda x, a, b: 0.5 * x - 3 * (a @ b),
        {"beta": 0.5, "alpha": -3},
    ),
    Operation("baddbmm", [normal(2, 2, 4), normal(2, 2, 3), normal(2, 3, 4)], lambda x, a, b: x + a @ b),
    Operation(
        "baddbmm",
        [normal(2, 1, 1), normal(2, 2, 3), normal(2, 3, 4)],
        lambda x, a, b: 2 * x + 0.3 * (a @ b),
        {"beta": 2, "alpha": 0.3},
    ),
    Operation("mv", [normal(2, 3), normal(3)], np.matmul),
    Operation("dot", [normal(3), normal(3)], np.dot),
    *[Operation("tensordot", [normal(2, 3, 4), normal(3, 4, 2), dims], np.tensordot) for dims in (2, ((1,), (0,)))],
    Operation("tensordot", [normal(2, 3, 4), normal(4, 3), ((2, 1), (0, 1))], np.tensordot),
    Operation("tensordot", [normal(2, 3), normal(4), 0], np.tensordot),
    Operation("tensordot", [normal(2, 1), normal(3, 2), 1], lambda a, b, dims: a @ b.sum(0, keepdims=True)),
    Operation("tensordot", [normal(2, 0), normal(0, 3), 1], np.tensordot),
    Operation("inner", [normal(2, 3), normal(4, 2, 3)], np.inner),
    Operation("inner", [normal(3), normal(3)], np.inner),
    Operation("inner", [normal(), normal(2, 3)], np.inner),
    Operation("kron", [normal(2, 3), normal(4, 2)], np.kron),
    Operation("kron", [normal(3), normal(2, 2)], np.kron),
    Operation("kron", [normal(), normal(2, 2)], np.kron),
    Operation("cross", [normal(2, 3), normal(2, 3)], np.cross),
    Operation("cross", [normal(3, 4), normal(3, 1)], lambda a, b: np.cross(a, b, axis=0)),
    Operation("cross", [normal(3, 3), normal(3, 3), -1], lambda a, b, dim: np.cross(a, b)),
    *[
        Operation(
            "bilinear",
            [normal(*batch, 3), normal(*batch, 2), normal(4, 3, 2), normal(4)],
            lambda x1, x2, w, b: np.einsum("...i,kij,...j->...k", x1, w, x2) + b,
        )
        for batch in ((5,), (2, 3), (), (0,))
    ],
    Operation(
        "bilinear", [normal(5, 3), normal(5, 2), normal(4, 3, 2)], lambda x, y, w: np.einsum("ni,kij,nj->nk", x, w, y)
    ),
    Operation("outer", [normal(3), normal(4)], np.outer),
    Operation("linear", [normal(4, 3), normal(2, 3), normal(2)], lambda x, w, b: x @ w.T + b),
    Operation("linear", [normal(2, 4, 3), normal(2, 3)], lambda x, w: x @ w.T),
    Operation("linear", [normal(3), normal(2, 3), normal(2)], lambda x, w, b: x @ w.T + b),
    Operation("linear", [normal(0, 3), normal(2, 3), normal(2)], lambda x, w, b: x @ w.T + b),
    channel_sum(2, 3, 2, 2),
    channel_sum(4, 3),
    channel_sum(0, 3, 2),
    einsum("ij,jk->ik", (2, 3), (3, 4)),
    einsum("ij,kj", (2, 3), (4, 3)),
    einsum("bhqd,bhkd->bhqk", (2, 2, 3, 2), (2, 2, 4, 2)),
    einsum("ij->ji", (2, 3)),
    einsum("ij->", (2, 3)),
    einsum("ij->j", (2, 3)),
    einsum("ii->i", (3, 3)),
    einsum("ii", (3, 3)),
    einsum("iij->ji", (3, 3, 2)),
    einsum("i,j->ij", (2,), (3,)),
    einsum("i,i", (3,), (3,)),
    einsum("ij,ij,ij->i", (2, 3), (2, 3), (2, 3)),
    einsum("ij,jk,kl->il", (2, 3), (3, 2), (2, 4)),
    einsum("bi,kij,bj->bk", (3, 2), (2, 2, 3), (3, 3)),
    einsum("zij,zjk,l->lki", (2, 3, 2), (2, 2, 3), (2,)),
    einsum("bij,kj->kb", (2, 3, 2), (3, 2)),
    einsum("ij,k->k", (2, 3), (4,)),
    einsum("...ij,...jk->...ik", (4, 2, 3), (3, 2)),
    einsum("...i->...", (2, 3, 4)),
    einsum("i...,i", (3, 2), (3,)),
    einsum("ij,jk->ik", (2, 0), (0, 3)),
    einsum("ij,jk->ik", (2, 1), (3, 4)),
]
