# cython: language_level=3, boundscheck=False, cdivision=True
"""The vector loops for AVX2 with FMA. Imported only on processors that have it (see vector_loops.pyx)."""

cdef extern from *:
    """
    #if defined(__x86_64__) && defined(__clang__)
    #pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
    #define MINIDL_END_OF_FILE _Pragma("clang attribute pop")
    #elif defined(__x86_64__) && defined(__GNUC__)
    #pragma GCC target("avx2,fma")
    #endif
    """

include "vector_loops.pxi"
