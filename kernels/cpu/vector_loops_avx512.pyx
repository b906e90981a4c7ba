# cython: language_level=3, boundscheck=False, cdivision=True
"""The vector loops for AVX-512. Imported on processors that have it only (see vector_loops.pyx)."""

cdef extern from *:
    """
    #if defined(__x86_64__) && defined(__clang__)
    #pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq"))), apply_to = function)
    #define MINIDL_END_OF_FILE _Pragma("clang attribute pop")
    #elif defined(__x86_64__) && defined(__GNUC__)
    #pragma GCC target("avx512f,avx512bw,avx512vl,avx512dq,avx2,fma,prefer-vector-width=512")
    #endif
    """

include "vector_loops.pxi"
