"""Activations in CUDA: the host side of `cuda_gpu.cu`."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from ..cuda import DTYPES, current_runtime, load, unavailable
from ..cuda.memory_order import from_memory_order, in_memory_order

__all__ = [
    "DTYPES", "clip_backward", "clip_forward", "elu_backward", "elu_forward", "erf_forward", "exp_forward",
    "expm1_forward", "gelu_backward", "gelu_forward", "gelu_tanh_backward", "gelu_tanh_forward",
    "hardsigmoid_backward", "hardsigmoid_forward", "hardswish_backward", "hardswish_forward", "hardtanh_backward",
    "huber_backward", "huber_forward", "leaky_relu_backward", "leaky_relu_forward", "relu_backward", "relu_forward",
    "sigmoid_backward", "sigmoid_forward", "silu_backward", "silu_forward", "softplus_forward", "tanh_backward",
    "tanh_forward", "unavailable",
]  # fmt: skip

SOURCE = Path(__file__).with_suffix(".cu")
BLOCK, BYTES_A_THREAD = 256, 16


def _map(name, x, *options):
    runtime = current_runtime()
    x, axes = in_memory_order(x, runtime.xp)
    y = runtime.empty(x.shape, x.dtype)
    _launch(name, (x, y), options)
    return from_memory_order(y, axes)


def _map_gradient(name, dy, saved, *options):
    """The gradient, in the memory order of what was saved."""
    runtime = current_runtime()
    saved, axes = in_memory_order(saved, runtime.xp)
    dy = runtime.xp.ascontiguousarray(dy if type(axes) is range else dy.transpose(axes))
    dx = runtime.empty(saved.shape, saved.dtype)
    _launch(name, (dy, saved, dx), options)
    return from_memory_order(dx, axes)


def _launch(name, arrays, options):
    x = arrays[0]
    vectors = -(-x.size * x.itemsize // BYTES_A_THREAD)
    load(SOURCE, x.dtype).get_function(name)((-(-vectors // BLOCK),), (BLOCK,), (*arrays, x.size, *options))


relu_forward = partial(_map, "relu_forward")
relu_backward = partial(_map_gradient, "relu_backward")
leaky_relu_forward = partial(_map, "leaky_relu_forward")
leaky_relu_backward = partial(_map_gradient, "leaky_relu_backward")
elu_forward = partial(_map, "elu_forward")
elu_backward = partial(_map_gradient, "elu_backward")
tanh_forward = partial(_map, "tanh_forward")
tanh_backward = partial(_map_gradient, "tanh_backward")
sigmoid_forward = partial(_map, "sigmoid_forward")
sigmoid_backward = partial(_map_gradient, "sigmoid_backward")
silu_forward = partial(_map, "silu_forward")
silu_backward = partial(_map_gradient, "silu_backward")
gelu_forward = partial(_map, "gelu_forward")
gelu_backward = partial(_map_gradient, "gelu_backward")
gelu_tanh_forward = partial(_map, "gelu_tanh_forward")
gelu_tanh_backward = partial(_map_gradient, "gelu_tanh_backward")
hardsigmoid_forward = partial(_map, "hardsigmoid_forward")
hardsigmoid_backward = partial(_map_gradient, "hardsigmoid_backward")
hardswish_forward = partial(_map, "hardswish_forward")
hardswish_backward = partial(_map_gradient, "hardswish_backward")
clip_forward = partial(_map, "clip_forward")
clip_backward = partial(_map_gradient, "clip_backward")
hardtanh_backward = partial(_map_gradient, "hardtanh_backward")
huber_forward = partial(_map, "huber_forward")
huber_backward = partial(_map_gradient, "huber_backward")
erf_forward = partial(_map, "erf_forward")
softplus_forward = partial(_map, "softplus_forward")
exp_forward = partial(_map, "exp_forward")
expm1_forward = partial(_map, "expm1_forward")
