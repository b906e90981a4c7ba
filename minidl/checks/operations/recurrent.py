"""Recurrent layers and their cells."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from minidl.checks import naive
from minidl.checks.operation import Operation
from minidl.checks.recipes import Recipe, normal


def weights(parts: int, inputs: int = 2, hidden: int = 3) -> list[Recipe]:
    rows = parts * hidden
    return [normal(rows, inputs), normal(rows, hidden), normal(rows), normal(rows)]


def layer(name: str, cell: Callable, parts: int, states: int, reverse: bool) -> Operation:
    """Over 4 steps of 2 sequences; the states (1, N, H) of a layer of several come as a tuple."""

    def call(f: Callable, x: Any, *rest: Any) -> Any:
        return f(x, rest[0] if states == 1 else rest[:states], *rest[states:], reverse=reverse)

    def one_by_one(x: Any, *rest: Any) -> tuple:
        y, *last = naive.recurrent(cell, x, *[state[0] for state in rest[:states]], *rest[states:], reverse=reverse)
        return y, *[state[None] for state in last]

    inputs = [normal(4, 2, 2), *[normal(1, 2, 3)] * states, *weights(parts)]
    return Operation(name, inputs, one_by_one, call=call, torch=None)


def of_each_row(cell: Callable) -> Callable:
    """The last state alone, or the last states as a tuple."""

    def states(x, *rest):
        _, *last = naive.recurrent(cell, x[None], *rest)
        return last if len(last) > 1 else last[0]

    return states


X, STATE = normal(2, 2), normal(2, 3)

OPERATIONS = [
    *[layer("rnn", naive.rnn_cell, 1, 1, reverse) for reverse in (False, True)],
    *[layer("lstm", naive.lstm_cell, 4, 2, reverse) for reverse in (False, True)],
    *[layer("gru", naive.gru_cell, 3, 1, reverse) for reverse in (False, True)],
    Operation("rnn_cell", [X, STATE, *weights(1)], of_each_row(naive.rnn_cell), torch="rnn_tanh_cell"),
    Operation("gru_cell", [X, STATE, *weights(3)], of_each_row(naive.gru_cell)),
    Operation(
        "lstm_cell",
        [X, STATE, STATE, *weights(4)],
        of_each_row(naive.lstm_cell),
        call=lambda f, x, h, c, *weights: f(x, (h, c), *weights),
    ),
]
