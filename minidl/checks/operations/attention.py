"""Attention, with masks and without."""

from __future__ import annotations

import numpy as np

from minidl.checks import naive
from minidl.checks.operation import Operation
from minidl.checks.recipes import normal

QKV = [normal(2, 3, 4), normal(2, 5, 4), normal(2, 5, 2)]

OPERATIONS = [
    Operation("scaled_dot_product_attention", QKV, naive.attention),
    Operation("scaled_dot_product_attention", [*QKV, normal(3, 5)], naive.attention),
    Operation(
        "scaled_dot_product_attention",
        QKV,
        lambda q, k, v: naive.attention(q, k, v, np.tri(3, 5, dtype=bool)),
        {"is_causal": True},
    ),
    Operation("attention_weights", QKV[:2], lambda q, k: naive.softmax(q @ k.swapaxes(1, 2) / 2), torch=None),
]
