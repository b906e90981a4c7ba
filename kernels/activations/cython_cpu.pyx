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

from ..cpu cimport buffers, pool, vector_loops
from ..cpu.flat cimport flat, flat_like
from ..cpu.vector_loop_table cimport (
    ELU, ERF, GELU, GELU_TANH, HARDSIGMOID, HARDSWISH, LEAKY_RELU, RELU, SIGMOID, SILU, SOFTPLUS, TANH,
    activation,
)
from ..cpu.ceil_div cimport ceil_div
from ..cpu.views cimport view

DTYPES = ("float32", "float64")

cdef enum:
    CHUNK = 16384


ctypedef struct run:
    const vector_loops.loop_table* loops
    activation f
    double parameter
    size_t itemsize
    long n
    const char* dy
    const char* x  # x or y, of which the formula is
    char* out


def _forward(activation f, x, double parameter=0):
    cdef view vx, vy
    cdef run r
    x = flat(x, &vx)
    y = buffers.empty_like(x)
    flat(y, &vy)
    r.dy, r.x, r.out = NULL, vx.data, vy.data
    r.f, r.parameter, r.itemsize, r.n = f, parameter, vx.itemsize, x.size
    start(&r)
    return y


def _backward(activation f, dy, saved, double parameter=0):
    cdef view vdy, vsaved, vdx
    cdef run r
    saved = flat(saved, &vsaved)
    dy = flat_like(dy, &vdy, saved, &vsaved)
    dx = buffers.empty_like(saved)
    flat(dx, &vdx)
    r.dy, r.x, r.out = vdy.data, vsaved.data, vdx.data
    r.f, r.parameter, r.itemsize, r.n = f, parameter, vsaved.itemsize, saved.size
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
        r.loops.activation_forward(r.f, r.itemsize, n, r.x + at, r.out + at, r.parameter)
    else:
        r.loops.activation_backward(r.f, r.itemsize, n, r.dy + at, r.x + at, r.out + at, r.parameter)


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
erf_forward = partial(_forward, ERF)
softplus_forward = partial(_forward, SOFTPLUS)
