"""What a network is made of: each layer's output shape and parameters."""

from __future__ import annotations

from typing import Any

from minidl.autograd import Tensor
from minidl.nn.module import Module
from minidl.nn.utils import evaluation_mode


def summary(model: Module, *inputs: Any) -> str:
    """A table of the layers that a forward of `inputs` goes through: name, output shape, number of parameters.

    Parameters
    ----------
    model : Module
    *inputs : Tensors or arrays
        What ``model(*inputs)`` takes; the model is run once, in evaluation mode, unrecorded.

    Raises
    ------
    TypeError
        For a tuple, as other libraries take a shape.

    Examples
    --------
    >>> import numpy as np
    >>> from minidl import nn
    >>> print(nn.summary(nn.Sequential(nn.Linear(4, 8), nn.ReLU()), np.zeros((1, 4), "float32")))
    layer        output shape   parameters
    --------------------------------------
    0 (Linear)   (1, 8)                 40
    1 (ReLU)     (1, 8)                  0
    --------------------------------------
    all                                 40
    trainable                           40
    """
    for x in inputs:
        if isinstance(x, tuple):
            raise TypeError(f"inputs must be Tensors or arrays, got {x}; of a shape write minidl.zeros{x}")
    rows: list[tuple[str, str, str]] = []
    handles = []
    for name, module in model.named_modules():
        own = sum(parameter.numel() for parameter in module.parameters(recurse=False))
        if module._modules and not own:
            continue  # a container: its layers have rows of their own

        def record(module: Module, _: Any, output: Any, name: str = name, own: int = own) -> None:
            rows.append((f"{name} ({type(module).__name__})".strip(), ", ".join(_shapes(output)), f"{own:,}"))

        handles.append(module.register_forward_hook(record))
    try:
        with evaluation_mode(model):
            model(*(x if isinstance(x, Tensor) else Tensor(x) for x in inputs))
    finally:
        for handle in handles:
            handle.remove()
    counts = [parameter.numel() for parameter in model.parameters()]
    trainable = [parameter.numel() for parameter in model.parameters() if parameter.requires_grad]
    totals = [("all", "", f"{sum(counts):,}"), ("trainable", "", f"{sum(trainable):,}")]
    header = ("layer", "output shape", "parameters")
    widths = [max(len(row[i]) for row in [header, *rows, *totals]) for i in range(3)]

    def line(row: tuple[str, str, str]) -> str:
        return f"{row[0]:<{widths[0]}}   {row[1]:<{widths[1]}}   {row[2]:>{widths[2]}}"

    rule = "-" * len(line(header))
    return "\n".join([line(header), rule, *map(line, rows), rule, *map(line, totals)])


def _shapes(output: Any) -> list[str]:
    """The shapes of the tensors of nested tuples."""
    if isinstance(output, (tuple, list)):
        return [shape for part in output for shape in _shapes(part)]
    return [str(tuple(output.shape))] if hasattr(output, "shape") else []
