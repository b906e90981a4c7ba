"""Automatic differentiation: tensors that record how they were computed, and the engine that applies the chain rule.

Read in this order: :mod:`function` (an operation and its gradient), :mod:`tensor`, :mod:`graph`, :mod:`engine`
(``backward``), :mod:`recorded_rule` (second derivatives) and :mod:`gradient_check` (gradients against finite
differences).
"""

from minidl.autograd import functional, in_place  # noqa: F401 - importing in_place adds methods to Tensor
from minidl.autograd.arrays import as_array, is_array, to_device, to_numpy
from minidl.autograd.debug import debug
from minidl.autograd.engine import backward_from as backward
from minidl.autograd.engine import grad, sum_to_shape
from minidl.autograd.function import Function, name_operands, not_promoted
from minidl.autograd.grad_mode import enable_grad, inference_mode, is_grad_enabled, no_grad, set_grad_enabled
from minidl.autograd.gradient_check import GradientCheckError, gradcheck, gradgradcheck
from minidl.autograd.hooks import HookHandle
from minidl.autograd.leaves import zero_gradients
from minidl.autograd.tensor import Tensor, is_tensor, tensor, tensor_method
from minidl.autograd.trace import Node, trace

__all__ = [
    "Function", "GradientCheckError", "HookHandle", "Node", "Tensor", "as_array", "backward", "debug", "enable_grad",
    "grad", "gradcheck", "gradgradcheck", "inference_mode", "is_array", "is_grad_enabled", "is_tensor",
    "name_operands", "no_grad", "not_promoted", "set_grad_enabled", "sum_to_shape", "tensor", "tensor_method",
    "to_device", "to_numpy", "trace", "zero_gradients",
]  # fmt: skip
