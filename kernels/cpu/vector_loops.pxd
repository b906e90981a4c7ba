# The vector loops, for other extensions: the table for the instruction set in use (vector_loop_table.pxd).

from .vector_loop_table cimport loop_table

cdef const loop_table* table() noexcept nogil
