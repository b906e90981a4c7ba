"""Activations and arithmetic of a million numbers, softmax of 1024 rows of 1000 scores: all of them wait for memory."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from minidl import kernels

from .case import Case, backends, exact, in_torch, tensors

NUMBERS = 1 << 20
ROWS = (1024, 1000)
ACTIVATIONS = ("relu", "tanh", "sigmoid", "gelu", "gelu_tanh")


def _in_pytorch(torch: Any, last: bool, function: str, arguments: list[np.ndarray]) -> Any:
    """The call of the same function in PyTorch."""
    values = tensors(*arguments)
    call, named = {
        "relu_forward": (torch.relu, {}),
        "tanh_forward": (torch.tanh, {}),
        "sigmoid_forward": (torch.sigmoid, {}),
        "gelu_forward": (torch.nn.functional.gelu, {}),
        "gelu_tanh_forward": (torch.nn.functional.gelu, {"approximate": "tanh"}),
        "relu_backward": (torch.ops.aten.threshold_backward, {"threshold": 0}),
        "tanh_backward": (torch.ops.aten.tanh_backward, {}),
        "sigmoid_backward": (torch.ops.aten.sigmoid_backward, {}),
        "gelu_backward": (torch.ops.aten.gelu_backward, {}),
        "gelu_tanh_backward": (torch.ops.aten.gelu_backward, {"approximate": "tanh"}),
        "add": (torch.add, {}),
        "multiply": (torch.mul, {}),
        "forward": (torch.softmax, {"dim": -1}),
        "log_forward": (torch.log_softmax, {"dim": -1}),
        "input_grad": (torch.ops.aten._softmax_backward_data, {"dim": -1, "input_dtype": torch.float32}),
        "log_input_grad": (torch.ops.aten._log_softmax_backward_data, {"dim": -1, "input_dtype": torch.float32}),
    }[function]
    return lambda: call(*values, **named)


def case(kernel: str, function: str, shape: tuple[int, ...]) -> Case:
    random = np.random.default_rng(0)
    x, dy = (random.standard_normal(shape, dtype=np.float32) for _ in range(2))
    module = getattr(kernels, kernel)
    forward = function.replace("input_grad", "forward").replace("backward", "forward")
    if kernel == "arithmetic":
        arguments = [x, dy]
    elif function == forward:
        arguments = [x]
    else:
        # Our backward passes take what they need: y, or x for GELU.
        arguments = [dy, x if function.startswith("gelu") else getattr(module, forward)(x)]

    def ours() -> Any:
        return lambda: getattr(module, function)(*arguments)

    return Case(
        operations=0.0,
        bytes=float(x.nbytes * (1 + len(arguments))),
        expected=lambda: exact(getattr(module, function), *arguments),
        ours=ours,
        peers=in_torch(partial(_in_pytorch, function=function, arguments=arguments)) | backends(kernel, ours),
    )


CASES = (
    {
        f"{name} {way}": partial(case, "activations", f"{name}_{way}", (NUMBERS,))
        for name in ACTIVATIONS
        for way in ("forward", "backward")
    }
    | {f"{name} of two arrays": partial(case, "arithmetic", name, (NUMBERS,)) for name in ("add", "multiply")}
    | {
        f"softmax {function}": partial(case, "softmax", function, ROWS)
        for function in ("forward", "input_grad", "log_forward", "log_input_grad")
    }
)
