# The thread pool, for other extensions, which all call the one copy in pool.pyx.

ctypedef void (*chunk_body)(void* argument, long chunk) noexcept nogil

# Run body(argument, 0), ..., body(argument, count - 1), each once, on several threads; return when all have finished.
cdef void run(long count, chunk_body body, void* argument) noexcept nogil

# This thread's scratch buffer `slot` (0 to 5), of at least `nbytes`, aligned to 64 bytes; NULL if out of memory.
cdef void* scratch(int slot, size_t nbytes) noexcept nogil

# The buffer is not needed any more: it is freed if it is large, else kept for the next call.
cdef void scratch_done(int slot) noexcept nogil

# A number for a job whose threads have copies of their own; none is given twice. The caller holds the GIL.
cdef long new_job()

ctypedef void (*copy_body)(void* argument, long part, void* memory) noexcept nogil

# This thread's own copy of what many chunks of a job read, such as packed weights, or of one part of it:
# fill(argument, part, memory) makes it when the thread asks for it first; it stays until the thread asks for another.
# NULL if out of memory. That each thread makes its own takes less time than that they share one: this would have to
# cross from the cache of the core that wrote it to the others, and back when the next call writes it anew.
cdef void* own_copy(long job, long part, size_t nbytes, copy_body fill, void* argument) noexcept nogil

# How many threads take part in a job, the caller included.
cdef int num_threads() noexcept nogil
