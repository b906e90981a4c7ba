# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The measured peak of this machine: the roofline that the kernels are compared with.

    peak_gflops        multiply-adds in registers, in the instruction set in use (peak.h)
    memory_bandwidth   y = a + 3 * b over arrays that fit into no cache (the triad of McCalpin's STREAM, 1995)

A kernel with q operations per byte of memory traffic can reach min(peak, q * bandwidth) operations per second:
Williams, Waterman and Patterson, Roofline, 2009.
"""

from time import perf_counter

import numpy as np

from minidl.kernels.cpu cimport pool, tiles

cdef enum:
    TURNS = 1 << 18  # about a millisecond

ctypedef struct Triad:
    const double* a
    const double* b
    double* y
    long size


cdef void _compute(void* results, long chunk) noexcept nogil:
    (<double*>results)[8 * chunk] = tiles.table(4).peak(TURNS, chunk)  # each in its own cache line


cdef void _triad(void* argument, long chunk) noexcept nogil:
    cdef Triad* t = <Triad*>argument
    cdef long i
    for i in range(chunk * t.size, (chunk + 1) * t.size):
        t.y[i] = t.a[i] + 3 * t.b[i]


def sum_after(long turns) -> float:
    """Return the result of the loop of `peak_gflops`: the sum of 12 vectors that start at 0, 1, ... and converge to 1.

    >>> from minidl.kernels.cpu.peak import sum_after
    >>> sum_after(1_000_000) > 0
    True
    """
    return tiles.table(4).peak(turns, 0)


def multiply_adds() -> float:
    """Run float32 multiply-adds on all threads for about a millisecond; return the number of operations.

    A multiply-add counts as two operations.

    >>> from minidl.kernels.cpu.peak import multiply_adds
    >>> multiply_adds() > 1e6
    True
    """
    cdef long chunks = pool.num_threads()
    cdef double[::1] results = np.empty(8 * chunks)
    with nogil:
        pool.run(chunks, _compute, &results[0])
    return <double>chunks * TURNS * tiles.table(4).peak_operations


def peak_gflops(double seconds=0.2) -> float:
    """Return the float32 GFLOP/s of all threads together: the best of the runs within `seconds`.

    >>> from minidl.kernels.cpu.peak import peak_gflops
    >>> peak_gflops(seconds=0.01) > 0.1
    True
    """
    end = perf_counter() + seconds
    tries, best = 0, float("inf")
    while tries < 3 or perf_counter() < end:
        begin = perf_counter()
        operations = multiply_adds()
        best = min(best, perf_counter() - begin)
        tries += 1
    return 1e-9 * operations / best


def memory_bandwidth(long megabytes=512, double seconds=0.5) -> float:
    """Return the GB/s of all threads together, on three arrays of `megabytes` in all: the best run within `seconds`.

    Two arrays are read and one is written; that the processor also reads what it will overwrite is not counted.

    >>> from minidl.kernels.cpu.peak import memory_bandwidth
    >>> memory_bandwidth(megabytes=3, seconds=0.01) > 0.1
    True
    """
    cdef long chunks = 8 * pool.num_threads(), tries = 0
    cdef long size = max(1, megabytes * 1000000 // (3 * 8 * chunks))
    cdef double[::1] a = np.ones(chunks * size), b = np.ones(chunks * size), y = np.ones(chunks * size)
    cdef Triad triad = Triad(&a[0], &b[0], &y[0], size)
    end = perf_counter() + seconds
    best = float("inf")
    while tries < 3 or perf_counter() < end:
        begin = perf_counter()
        with nogil:
            pool.run(chunks, _triad, &triad)
        best = min(best, perf_counter() - begin)
        tries += 1
    return 1e-9 * 3 * 8 * chunks * size / best
