# cython: language_level=3, boundscheck=False
"""The one thread pool that all CPU kernels share, and each thread's scratch memory. How it works: pool.h."""

from ..threads import get_num_threads

cdef extern from "pool.h":
    void pool_init(int threads)
    void pool_set_threads(int threads) nogil
    void pool_run(long count, chunk_body body, void* argument) noexcept nogil
    void* scratch_get(int slot, size_t nbytes) noexcept nogil
    void c_scratch_done "scratch_done"(int slot) noexcept nogil

cdef int _threads = get_num_threads()
pool_init(_threads)


cdef void run(long count, chunk_body body, void* argument) noexcept nogil:
    pool_run(count, body, argument)


cdef int num_threads() noexcept nogil:
    return _threads


cdef void* scratch(int slot, size_t nbytes) noexcept nogil:
    return scratch_get(slot, nbytes)


cdef void scratch_done(int slot) noexcept nogil:
    c_scratch_done(slot)


def set_num_threads(int n) -> None:
    global _threads
    with nogil:  # it waits for a job that another Python thread may be running
        pool_set_threads(n)
    _threads = n


cdef void _add_one(void* counts, long chunk) noexcept nogil:
    (<long*>counts)[chunk] += 1


def count_chunks(long[::1] counts) -> None:
    """Add 1 to every element, one chunk each: for tests of the pool."""
    with nogil:
        pool_run(counts.shape[0], _add_one, &counts[0] if counts.shape[0] else NULL)
