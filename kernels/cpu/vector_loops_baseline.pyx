# cython: language_level=3, boundscheck=False, cdivision=True
"""The vector loops for the instruction set that every processor of the family has: SSE2 on x86-64, NEON on arm64."""

include "vector_loops.pxi"
