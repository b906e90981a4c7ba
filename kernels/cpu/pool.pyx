# cython: language_level=3, boundscheck=False
"""The thread pool that all CPU kernels share (pool.h says how it works), and scratch memory for each thread."""

from libc.stdlib cimport calloc, free

from ..threads import get_num_threads

cdef extern from "pool.h":
    void pool_init(int threads)
    void pool_set_threads(int threads) nogil
    void pool_run(long count, chunk_body body, void* argument) noexcept nogil

cdef extern from "<pthread.h>" nogil:
    ctypedef unsigned int pthread_key_t
    int pthread_key_create(pthread_key_t* key, void (*at_exit)(void* value) noexcept nogil)
    void* pthread_getspecific(pthread_key_t key)
    int pthread_setspecific(pthread_key_t key, const void* value)
cdef extern from "<stdlib.h>" nogil:
    int posix_memalign(void** memory, size_t alignment, size_t nbytes)

cdef int _threads = get_num_threads()
pool_init(_threads)


cdef void run(long count, chunk_body body, void* argument) noexcept nogil:
    pool_run(count, body, argument)


cdef int num_threads() noexcept nogil:
    return _threads


# Scratch memory: a few buffers for each thread, kept between calls, as fresh memory costs page faults.
cdef enum:
    SLOTS = 7
    OWN_COPY = 6  # the slot of `own_copy`
    KEPT_BYTES = 32 << 20
    CACHE_LINE = 64

ctypedef struct buffer:
    void* memory
    size_t nbytes
    long job, part  # what the memory holds a copy of; job 0 for nothing

cdef pthread_key_t _buffers
if pthread_key_create(&_buffers, free_buffers):
    raise MemoryError("no memory for a thread's scratch buffers")


cdef void free_buffers(void* buffers) noexcept nogil:
    """Called when a thread ends."""
    cdef int slot
    for slot in range(SLOTS):
        free((<buffer*>buffers)[slot].memory)
    free(buffers)


cdef void* scratch(int slot, size_t nbytes) noexcept nogil:
    cdef buffer* b = buffer_of(slot, nbytes)
    return b.memory if b != NULL else NULL


cdef buffer* buffer_of(int slot, size_t nbytes) noexcept nogil:
    """This thread's buffer, made at least as large as asked for; NULL if out of memory."""
    cdef buffer* buffers = <buffer*>pthread_getspecific(_buffers)
    if buffers == NULL:
        buffers = <buffer*>calloc(SLOTS, sizeof(buffer))
        if buffers == NULL or pthread_setspecific(_buffers, buffers):
            free(buffers)
            return NULL
    cdef buffer* b = &buffers[slot]
    nbytes = max(nbytes, <size_t>CACHE_LINE)  # never of size 0: NULL must mean out of memory
    if b.nbytes < nbytes:
        free(b.memory)
        b.memory, b.nbytes, b.job = NULL, 0, 0
        if posix_memalign(&b.memory, CACHE_LINE, nbytes):
            b.memory = NULL
            return NULL
        b.nbytes = nbytes
    return b


cdef void scratch_done(int slot) noexcept nogil:
    cdef buffer* buffers = <buffer*>pthread_getspecific(_buffers)
    if buffers != NULL and buffers[slot].nbytes > KEPT_BYTES:
        free(buffers[slot].memory)
        buffers[slot].memory, buffers[slot].nbytes, buffers[slot].job = NULL, 0, 0


cdef long _jobs = 0


cdef long new_job():
    global _jobs
    _jobs += 1
    return _jobs


cdef void* own_copy(long job, long part, size_t nbytes, copy_body fill, void* argument) noexcept nogil:
    if nbytes <= KEPT_BYTES:
        scratch_done(OWN_COPY)  # the copy of an earlier job, if it was large
    cdef buffer* b = buffer_of(OWN_COPY, nbytes)
    if b == NULL:
        return NULL
    if b.job != job or b.part != part:
        fill(argument, part, b.memory)
        b.job, b.part = job, part
    return b.memory


def set_num_threads(int n) -> None:
    global _threads
    with nogil:  # pool_set_threads waits for a job that another Python thread may be running
        pool_set_threads(n)
    _threads = n


cdef void _add_one(void* counts, long chunk) noexcept nogil:
    (<long*>counts)[chunk] += 1


def count_chunks(long[::1] counts) -> None:
    """Add 1 to every element, each in a chunk of its own: for tests of the pool."""
    with nogil:
        pool_run(counts.shape[0], _add_one, &counts[0] if counts.shape[0] else NULL)
