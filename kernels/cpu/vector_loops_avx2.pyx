# cython: language_level=3, boundscheck=False, cdivision=True
"""The vector loops for AVX2 with FMA. Imported only on processors that have it (see vector_loops.pyx)."""

cdef extern from *:
    """
    #if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
    #pragma GCC target("avx2,fma")
    #endif
    """

include "vector_loops.pxi"
