# cython: language_level=3, boundscheck=False, cdivision=True
"""Activations on the CPU: one pass over memory in its own order, for any shape.

An array whose numbers fill its memory without gaps is a run of n numbers, channels last or not; of two arrays in one
order the same places belong together. Only where there are gaps, or two orders, one is copied first. From the outside:

    chunk      CHUNK numbers: the unit of work of a thread; what it reads and writes stays in the L2 cache
      number   in vector registers    -> cpu/vector_loops_activations.pxi

Why it is fast: nothing is computed that is not stored (no mask, no e^x as an array of its own), and the result keeps
the memory order, so that the next kernel need not bring it back.
"""

from functools import partial

import numpy as np

from ..cpu cimport buffers, pool, vector_loops
from ..cpu.flat cimport flat, flat_like
from ..cpu.vector_loop_table cimport (
    CLIP, ELU, ERF, EXP, EXPM1, GELU, GELU_TANH, HARDSIGMOID, HARDSWISH, HUBER, LEAKY_RELU, RELU, SIGMOID, SILU,
    SOFTPLUS, TANH, activation,
)
from ..cpu.ceil_div cimport ceil_div
from ..cpu.views cimport view, view_of
from . import reference

DTYPES = ("float32", "float64")

cdef enum:
    CHUNK = 16384


ctypedef struct run:
    const vector_loops.loop_table* loops
    activation f
    double parameter, second_parameter
    size_t itemsize
    long n, dy_step  # bytes from one dy to the next
    const char* dy
    const char* x  # x or y, of which the formula is
    char* out


def _forward(activation f, x, double parameter=0, double second_parameter=0):
    cdef view vx, vy
    cdef run r
    x = flat(x, &vx)
    y = buffers.empty_like(x)
    flat(y, &vy)
    r.dy, r.x, r.out = NULL, vx.data, vy.data
    r.f, r.itemsize, r.n = f, vx.itemsize, x.size
    r.parameter, r.second_parameter = parameter, second_parameter
    start(&r)
    return y


def _backward(activation f, dy, saved, double parameter=0, double second_parameter=0):
    cdef view vdy, vsaved, vdx
    cdef run r
    saved = flat(saved, &vsaved)
    r.dy_step = vsaved.itemsize
    if dy.size > CHUNK and not any(dy.strides):  # one number, as mean and sum give it: every chunk reads the same
        dy, r.dy_step = view_of(np.full(CHUNK, dy[(0,) * dy.ndim], dy.dtype), &vdy), 0
    else:
        dy = flat_like(dy, &vdy, saved, &vsaved)
    dx = buffers.empty_like(saved)
    flat(dx, &vdx)
    r.dy, r.x, r.out = vdy.data, vsaved.data, vdx.data
    r.f, r.itemsize, r.n = f, vsaved.itemsize, saved.size
    r.parameter, r.second_parameter = parameter, second_parameter
    start(&r)
    return dx


cdef void start(run* r):
    r.loops = vector_loops.table()
    with nogil:
        pool.run(ceil_div(r.n, CHUNK), run_chunk, r)


cdef void run_chunk(void* argument, long chunk) noexcept nogil:
    cdef run* r = <run*>argument
    cdef long first = chunk * CHUNK, n = min(<long>CHUNK, r.n - first), at = first * <long>r.itemsize
    if r.dy == NULL:
        r.loops.activation_forward(r.f, r.itemsize, n, r.x + at, r.out + at, r.parameter, r.second_parameter)
    else:
        r.loops.activation_backward(r.f, r.itemsize, n, r.dy + first * r.dy_step, r.x + at, r.out + at, r.parameter,
                                    r.second_parameter)


relu_forward = partial(_forward, RELU)
relu_backward = partial(_backward, RELU)
leaky_relu_forward = partial(_forward, LEAKY_RELU)
leaky_relu_backward = partial(_backward, LEAKY_RELU)
elu_forward = partial(_forward, ELU)
elu_backward = partial(_backward, ELU)
tanh_forward = partial(_forward, TANH)
tanh_backward = partial(_backward, TANH)
sigmoid_forward = partial(_forward, SIGMOID)
sigmoid_backward = partial(_backward, SIGMOID)
silu_forward = partial(_forward, SILU)
silu_backward = partial(_backward, SILU)
gelu_forward = partial(_forward, GELU)
gelu_backward = partial(_backward, GELU)
gelu_tanh_forward = partial(_forward, GELU_TANH)
gelu_tanh_backward = partial(_backward, GELU_TANH)
hardsigmoid_forward = partial(_forward, HARDSIGMOID)
hardsigmoid_backward = partial(_backward, HARDSIGMOID)
hardswish_forward = partial(_forward, HARDSWISH)
hardswish_backward = partial(_backward, HARDSWISH)
clip_backward = partial(_backward, CLIP)
huber_forward = partial(_forward, HUBER)
huber_backward = partial(_backward, HUBER)
erf_forward = partial(_forward, ERF)
softplus_forward = partial(_forward, SOFTPLUS)
exp_forward = partial(_forward, EXP)
expm1_forward = partial(_forward, EXPM1)


def clip_forward(x, low, high):
    if low != low or high != high:  # a comparison with NaN chooses x
        return reference.clip_forward(x, low, high)
    return _forward(CLIP, x, low, high)


def hardtanh_backward(dy, x, low, high):
    number = x.dtype.type
    # low < x < high: from the number next to low to the one before high
    first, last = np.nextafter(number(low), number(np.inf)), np.nextafter(number(high), number(-np.inf))
    return _backward(CLIP, dy, x, first, last)
