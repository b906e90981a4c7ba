# cython: language_level=3
"""The micro-kernels of every instruction set, and which set is in use.

By default it is the best that this processor has; MINIDL_ISA names another (sse2, avx2, avx512; neon on arm64).
"""

import os

cdef extern from "clones.h":
    ctypedef struct instruction_set:
        const char* name
        const tile_table* floats
        const tile_table* doubles
    const instruction_set* instruction_sets
    enum:
        INSTRUCTION_SETS
    int instruction_sets_here()

COMPILED = tuple(instruction_sets[i].name.decode() for i in range(INSTRUCTION_SETS))
SUPPORTED = COMPILED[:instruction_sets_here()]

cdef const tile_table* _floats
cdef const tile_table* _doubles
cdef const tile_table* _narrow_floats
cdef const tile_table* _narrow_doubles
_chosen = ""


def choose(str name) -> None:
    """Use the instruction set `name` from now on, in every kernel; for tests and for comparing speeds."""
    global _floats, _doubles, _narrow_floats, _narrow_doubles, _chosen
    if name not in SUPPORTED:
        raise ValueError(f"MINIDL_ISA: {name!r} is not one of the instruction sets here: {', '.join(SUPPORTED)}")
    _floats = instruction_sets[COMPILED.index(name)].floats
    _doubles = instruction_sets[COMPILED.index(name)].doubles
    narrow = COMPILED.index("avx2" if name == "avx512" else name)
    _narrow_floats, _narrow_doubles = instruction_sets[narrow].floats, instruction_sets[narrow].doubles
    _chosen = name


def chosen() -> str:
    """Return the name of the instruction set in use."""
    return _chosen


choose(os.environ.get("MINIDL_ISA") or SUPPORTED[-1])


cdef const tile_table* table(size_t itemsize) noexcept nogil:
    return _floats if itemsize == 4 else _doubles


cdef const tile_table* table_for(size_t itemsize, long columns) noexcept nogil:
    cdef const tile_table* narrow = _narrow_floats if itemsize == 4 else _narrow_doubles
    return narrow if columns <= narrow.lanes else table(itemsize)
