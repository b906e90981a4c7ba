"""The computation graph as a drawing: each operation with its value and its gradient, from the inputs to the loss."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from minidl.autograd import Node, Tensor, to_numpy, trace
from minidl.serialization import write_atomically

WIDTH, HEIGHT, ACROSS, DOWN = 150, 58, 60, 18  # pixels: a box, and the gaps between boxes
MOST = 300  # nodes; more can be computed, but not read


class Drawing:
    """An SVG picture: a notebook shows it, `save` writes it."""

    def __init__(self, svg: str):
        self.svg = svg

    def _repr_svg_(self) -> str:
        return self.svg

    def save(self, path: Path | str) -> None:
        """Write the picture to a file."""
        write_atomically(path, self.svg.encode())


def graph(output: Tensor, names: Mapping[str, Tensor] | None = None) -> Drawing:
    """Draw how a number was computed, and the gradients that flow back from it.

    Parameters
    ----------
    output : Tensor
        One number, computed inside ``with minidl.debug():``; see :func:`minidl.autograd.trace`.
    names : dict, optional
        Of leaves: ``{"x": x, "w": w}``, or ``dict(model.named_parameters())``.

    Examples
    --------
    >>> import minidl
    >>> from minidl import visualize
    >>> w, x = minidl.tensor(2.0, requires_grad=True), minidl.tensor(3.0, requires_grad=True)
    >>> with minidl.debug():
    ...     loss = (w * x - 5) ** 2
    >>> drawing = visualize.graph(loss, {"w": w, "x": x})
    >>> drawing.svg.count("<rect") - 1  # one box for each node; the background is one more
    5
    """
    nodes = trace(output)
    if len(nodes) > MOST:
        raise ValueError(f"the graph has {len(nodes)} nodes; more than {MOST} cannot be read in a drawing")
    called = {id(tensor): name for name, tensor in (names or {}).items()}
    columns = _columns(nodes)
    place = {
        number: (column * (WIDTH + ACROSS), row * (HEIGHT + DOWN))
        for column, members in enumerate(columns)
        for row, number in enumerate(members)
    }
    width = len(columns) * (WIDTH + ACROSS) - ACROSS
    height = max(map(len, columns)) * (HEIGHT + DOWN) - DOWN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width + 20}" height="{height + 20}" '
        f'viewBox="-10 -10 {width + 20} {height + 20}" font-family="sans-serif" font-size="11">',
        f'<rect x="-10" y="-10" width="{width + 20}" height="{height + 20}" fill="white"/>',
    ]
    for number, node in enumerate(nodes):
        parts += [_arrow(place[source], place[number]) for source in node.inputs]
    parts += [_box(node, called.get(id(node.tensor)), *place[number]) for number, node in enumerate(nodes)]
    return Drawing("\n".join([*parts, "</svg>\n"]))


def _columns(nodes: list[Node]) -> list[list[int]]:
    """The nodes by their longest way from a leaf; a leaf stands just before its first use."""
    depth = [0] * len(nodes)
    for number, node in enumerate(nodes):
        depth[number] = max((depth[source] + 1 for source in node.inputs), default=0)
    for number, node in enumerate(nodes):
        uses = [depth[user] for user, other in enumerate(nodes) if number in other.inputs]
        if not node.inputs and uses:
            depth[number] = min(uses) - 1
    columns: list[list[int]] = [[] for _ in range(max(depth) + 1)]
    for number, column in enumerate(depth):
        columns[column].append(number)
    return columns


def _arrow(start: tuple[int, int], end: tuple[int, int]) -> str:
    x1, y1, x2, y2 = start[0] + WIDTH, start[1] + HEIGHT / 2, end[0], end[1] + HEIGHT / 2
    middle = (x1 + x2) / 2
    curve = f"M{x1},{y1} C{middle},{y1} {middle},{y2} {x2 - 5},{y2}"
    head = f"M{x2 - 6},{y2 - 3} L{x2},{y2} L{x2 - 6},{y2 + 3} Z"
    return f'<path d="{curve}" fill="none" stroke="#8a9099"/><path d="{head}" fill="#8a9099"/>'


def _box(node: Node, name: str | None, x: int, y: int) -> str:
    fill, title = ("#e8f1fa", name or "tensor") if node.name == "leaf" else ("#f4f4f4", node.name)
    lines = [
        f'<text x="{x + 8}" y="{y + 16}" font-weight="bold">{escape(title)}</text>',
        f'<text x="{x + 8}" y="{y + 32}">{escape(_shown(node.value))}</text>',
        f'<text x="{x + 8}" y="{y + 48}" fill="#b03a00">grad {escape(_shown(node.gradient))}</text>',
    ]
    box = f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="5" fill="{fill}" stroke="#8a9099"/>'
    return "\n".join([box, *lines])


def _shown(value: Any) -> str:
    """A number; of an array its shape and how large its numbers are."""
    if value is None:
        return "none"
    if isinstance(value, tuple):
        return f"{len(value)} tensors"
    value = to_numpy(value)
    if value.size == 1:
        return f"{float(value.reshape(-1)[0]):.4g}"
    if not value.size:
        return f"{value.shape}"
    return f"{value.shape}  |.| {np.abs(value).mean():.3g}"
