# cython: language_level=3, boundscheck=False, cdivision=True
"""Arithmetic on the CPU: one pass over memory in its own order, on all threads.

x1 is a contiguous run of n numbers, in its memory order; x2 is a run of n too, or of `period` numbers that repeat. From
the outside:

    chunk      CHUNK numbers: the unit of work of a thread
      piece    one period of x2
        number in vector registers    -> cpu/vector_loops_arithmetic.pxi

Why it is fast: adding two arrays is bound by memory, and several cores have more bandwidth (and L2 cache) than one.
Arrays with gaps, and pairs in different memory orders, are left to NumPy, which handles them without a copy.
"""

import numpy as np

from ..cpu cimport buffers, pool, vector_loops
from ..cpu.flat cimport is_flat, same_order
from ..cpu.vector_loop_table cimport ADD, DIVIDE, MULTIPLY, SUBTRACT, arithmetic
from ..cpu.ceil_div cimport ceil_div
from ..cpu.views cimport view, view_of
from . import reference

DTYPES = ("float32", "float64")

cdef enum:
    CHUNK = 16384
    SHORT = 1024  # if x2 has fewer numbers, it is repeated up to about so many, so that a piece is worth a call


def add(x1, x2, in_place):
    return _compute(ADD, reference.add, x1, x2, in_place)


def subtract(x1, x2, in_place):
    return _compute(SUBTRACT, reference.subtract, x1, x2, in_place)


def multiply(x1, x2, in_place):
    return _compute(MULTIPLY, reference.multiply, x1, x2, in_place)


def divide(x1, x2, in_place):
    return _compute(DIVIDE, reference.divide, x1, x2, in_place)


cdef _compute(arithmetic f, plain, x1, x2, bint in_place):
    cdef run r
    cdef view vy
    laid_out = begin(&r, f, x1, x2)
    if laid_out is None or (in_place and (not x1.flags.writeable or np.may_share_memory(x1, x2))):
        return plain(x1, x2, in_place)  # NumPy raises if x1 is read-only, and handles overlap
    y = x1 if in_place else buffers.empty_like(x1)
    view_of(y, &vy)
    r.y = vy.data
    with nogil:
        pool.run(ceil_div(r.n, CHUNK), run_chunk, &r)
    return y


ctypedef struct run:
    const vector_loops.loop_table* loops
    arithmetic f
    size_t itemsize
    long n, period
    const char* x1
    const char* x2
    char* y


cdef object begin(run* r, arithmetic f, x1, x2):
    """Fill `r`, except for y, and return the array to keep alive; None for gaps or different memory orders."""
    cdef view v1, v2
    cdef bint regular
    if type(x2) is float:
        laid_out = np.empty(SHORT, x1.dtype)
        laid_out[...] = x2
        view_of(x1, &v1)
        regular = x1.flags.aligned and is_flat(&v1)
    elif x1.ndim == x2.ndim:
        laid_out = x2
        view_of(x1, &v1)
        view_of(x2, &v2)
        regular = x1.flags.aligned and x2.flags.aligned and is_flat(&v1) and same_order(&v1, &v2)
    else:
        times = max(1, SHORT // max(1, x2.size))
        laid_out = np.require(np.broadcast_to(x2, (times, *x2.shape)) if times > 1 else x2, requirements="CA")
        view_of(x1, &v1)
        regular = x1.flags.aligned and x1.flags.c_contiguous
    if not regular:
        return None
    view_of(laid_out, &v2)
    r.loops, r.f, r.itemsize, r.n, r.period = vector_loops.table(), f, v1.itemsize, x1.size, laid_out.size
    r.x1, r.x2 = v1.data, v2.data
    return laid_out


cdef void run_chunk(void* argument, long chunk) noexcept nogil:
    cdef run* r = <run*>argument
    cdef long first = chunk * CHUNK, end = min(first + CHUNK, r.n), size = <long>r.itemsize, at, n
    while first < end:
        at = first % r.period
        n = min(end - first, r.period - at)
        r.loops.arithmetic(r.f, r.itemsize, n, r.x1 + first * size, r.x2 + at * size, r.y + first * size)
        first += n
