# The thread pool, for other extensions: they call the one copy in pool.pyx.

ctypedef void (*chunk_body)(void* argument, long chunk) noexcept nogil

# Run body(argument, 0), ..., body(argument, count - 1), each once, on several threads; return when all have finished.
cdef void run(long count, chunk_body body, void* argument) noexcept nogil

# At least `nbytes` of this thread's scratch buffer `slot` (0 to 5), aligned to 64 bytes; NULL where memory is short.
cdef void* scratch(int slot, size_t nbytes) noexcept nogil

# The buffer may go back to the system if it is large.
cdef void scratch_done(int slot) noexcept nogil

# How many threads take part in a job, the caller included.
cdef int num_threads() noexcept nogil
