# cython: language_level=3
"""The vector loops for the instruction set that `tiles` has chosen.

A vector loop is a plain loop over numbers that the compiler vectorizes by itself. Each is written once, in Cython, in
vector_loops_*.pxi; vector_loops_baseline.pyx, _avx2.pyx and _avx512.pyx compile all of them for one instruction set
each. (What a pragma of Clang opens must be closed: `MINIDL_END_OF_FILE` is what setup.py puts after the translated C.)
"""

from importlib import import_module

from cpython.pycapsule cimport PyCapsule_GetPointer

from . import tiles as _tiles
from . cimport tiles

cdef const loop_table* _tables[3]

for _i, _name in enumerate(("baseline", "avx2", "avx512")):
    if _i < len(_tiles.SUPPORTED):  # a module for a missing instruction set must not even be imported
        _module = import_module(f"{__package__}.vector_loops_{_name}")
        _tables[_i] = <const loop_table*>PyCapsule_GetPointer(_module.TABLE, NULL)


cdef const loop_table* table() noexcept nogil:
    cdef int lanes = tiles.table(sizeof(float)).lanes  # numbers in a vector register
    return _tables[2 if lanes == 16 else 1 if lanes == 8 else 0]
