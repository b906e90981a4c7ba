"""One entry of the table of operations."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FunctionType
from typing import Any

import numpy as np

import minidl.functional as F
from minidl.autograd import Tensor


@dataclass
class Operation:
    """One way to call an operation.

    name       in minidl.functional
    inputs     recipes for arrays, or anything else, passed as it is
    expected   the value by NumPy, a function of the inputs
    options    keyword arguments of the call
    call       call(operation, *inputs), if the call is not operation(*inputs, **options)
    torch      the same in PyTorch: None, a function, a name; by default `name`, in torch.nn.functional or torch
    constants  how many of the last inputs are constants that get no gradient, such as class weights
    gradient   whether gradients are checked (False: there are none, or the inputs stand on a kink)
    same_dtype whether float32 inputs give a float32 result (False: it has its own dtype, such as bool)
    """

    name: str
    inputs: list[Any]
    expected: Callable[..., Any]
    options: dict[str, Any] = field(default_factory=dict)
    call: Callable[..., Any] | None = None
    torch: Callable[..., Any] | str | None = ""
    constants: int = 0
    gradient: bool = True
    same_dtype: bool = True

    @property
    def function(self) -> Callable[..., Any]:
        return getattr(F, self.name)

    def arrays(self, dtype: Any = np.float64) -> list[Any]:
        """The inputs, floating-point arrays in `dtype`; the same at every call."""
        random = np.random.default_rng(zlib.crc32(self.name.encode()))
        made = [np.asarray(x(random)) if isinstance(x, FunctionType) else x for x in self.inputs]
        return [x.astype(dtype) if _is_float(x) else x for x in made]

    def variables(self, arrays: list[Any], wrap: Callable[[np.ndarray], Any] = lambda x: x) -> list[Any]:
        """The arrays, wrapped, as Tensors; those of floating point that are no constants require grad."""
        last = len(arrays) - self.constants
        return [
            Tensor(wrap(x), requires_grad=self.gradient and i < last and _is_float(x))
            if isinstance(x, np.ndarray)
            else x
            for i, x in enumerate(arrays)
        ]

    def run(self, function: Callable[..., Any], inputs: list[Any]) -> Any:
        """The result of `function`, which is the operation of minidl or its like in PyTorch."""
        return self.call(function, *inputs) if self.call else function(*inputs, **self.options)


def _is_float(x: Any) -> bool:
    return isinstance(x, np.ndarray) and x.dtype.kind == "f"
