# cython: language_level=3, boundscheck=False, cdivision=True
"""Activations on the CPU: one pass over memory in its own order, for any shape.

An array whose numbers fill its memory without gaps is a run of n numbers, channels last or not; of two arrays in one
order the same places belong together. Only where there are gaps, or two orders, one is copied first. From the outside:

    chunk      CHUNK numbers: the unit of work of a thread; what it reads and writes stays in the L2 cache
      number   in vector registers    -> cpu/vector_loops_activations.pxi

Why it is fast: nothing is computed that is not stored (no mask, no e^x as an array of its own), and the result keeps
the memory order, so that the next kernel need not bring it back.
"""

from ..cpu cimport buffers, pool, vector_loops
from ..cpu.flat cimport flat, flat_like
from ..cpu.vector_loop_table cimport ELU, ERF, GELU, GELU_TANH, LEAKY_RELU, RELU, SIGMOID, SILU, TANH, activation
from ..cpu.ceil_div cimport ceil_div
from ..cpu.views cimport view

DTYPES = ("float32", "float64")

cdef enum:
    CHUNK = 16384


def relu_forward(x):
    return _forward(RELU, x, 0)


def relu_backward(dy, y):
    return _backward(RELU, dy, y, 0)


def leaky_relu_forward(x, slope):
    return _forward(LEAKY_RELU, x, slope)


def leaky_relu_backward(dy, x, slope):
    return _backward(LEAKY_RELU, dy, x, slope)


def elu_forward(x, alpha):
    return _forward(ELU, x, alpha)


def elu_backward(dy, x, alpha):
    return _backward(ELU, dy, x, alpha)


def tanh_forward(x):
    return _forward(TANH, x, 0)


def tanh_backward(dy, y):
    return _backward(TANH, dy, y, 0)


def sigmoid_forward(x):
    return _forward(SIGMOID, x, 0)


def sigmoid_backward(dy, y):
    return _backward(SIGMOID, dy, y, 0)


def silu_forward(x):
    return _forward(SILU, x, 0)


def silu_backward(dy, x):
    return _backward(SILU, dy, x, 0)


def gelu_forward(x):
    return _forward(GELU, x, 0)


def gelu_backward(dy, x):
    return _backward(GELU, dy, x, 0)


def gelu_tanh_forward(x):
    return _forward(GELU_TANH, x, 0)


def gelu_tanh_backward(dy, x):
    return _backward(GELU_TANH, dy, x, 0)


def erf_forward(x):
    return _forward(ERF, x, 0)


ctypedef struct run:
    const vector_loops.loop_table* loops
    activation f
    double parameter
    size_t itemsize
    long n
    const char* dy
    const char* x  # x or y, of which the formula is
    char* out


cdef _forward(activation f, x, double parameter):
    cdef view vx, vy
    cdef run r
    x = flat(x, &vx)
    y = buffers.empty_like(x)
    flat(y, &vy)
    r.dy, r.x, r.out = NULL, vx.data, vy.data
    r.f, r.parameter, r.itemsize, r.n = f, parameter, vx.itemsize, x.size
    start(&r)
    return y


cdef _backward(activation f, dy, saved, double parameter):
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
