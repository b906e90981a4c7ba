# The thread pool, for other extensions, which all call the one copy in pool.pyx.

ctypedef void (*chunk_body)(void* argument, long chunk) noexcept nogil

# Run body(argument, 0), ..., body(argument, count - 1), each once, on several threads; return when all have finished.
cdef void run(long count, chunk_body body, void* argument) noexcept nogil

# This thread's scratch buffer `slot` (0 to 5), of at least `nbytes`, aligned to 64 bytes; NULL if out of memory.
cdef void* scratch(int slot, size_t nbytes) noexcept nogil

# The buffer is not needed any more: it is freed if it is large, else kept for the next call.
cdef void scratch_done(int slot) noexcept nogil

# How many threads take part in a job, the caller included.
cdef int num_threads() noexcept nogil
