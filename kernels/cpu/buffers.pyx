# cython: language_level=3
"""The memory of large arrays, kept for the next array of that size instead of being returned to the system.

A network allocates the same large arrays at every step. The system must clear every page of fresh memory at its first
touch: an activation of 202 MB costs 23 ms in fresh memory, and 14 ms in memory that has been used before.

`empty` and `empty_like` are NumPy's. A large array gets its memory from a list of free blocks, through NumPy's hook for
allocators (NEP 49). The hook is set for that one call, so other arrays are not affected. An array remembers its
allocator: when it is deleted, in any thread, its memory comes back here. It begins at a cache line (`aligned_empty`).

The list holds at most `limit` bytes. If one more block would not fit, the oldest are freed first.
"""

import numpy as np
from numpy._core._multiarray_umath import _ARRAY_API

from ..memory import kept_bytes

from cpython.pycapsule cimport PyCapsule_GetPointer, PyCapsule_New
from libc.stdint cimport uint8_t
from libc.stdlib cimport free
from libc.string cimport memcpy, memmove, memset, strcpy

cdef extern from *:
    """
    #include <pthread.h>
    #include <stdlib.h>
    #ifdef __linux__
    #include <sys/mman.h>
    #define HUGE_PAGES(memory, nbytes) madvise(memory, nbytes, MADV_HUGEPAGE)
    #else
    #define HUGE_PAGES(memory, nbytes) 0
    #endif
    #ifdef __GLIBC__
    #include <malloc.h>
    #define RETURN_FREE_MEMORY() malloc_trim(0)
    #else
    #define RETURN_FREE_MEMORY()
    #endif

    static pthread_mutex_t buffers_mutex = PTHREAD_MUTEX_INITIALIZER;
    static void buffers_lock(void) { pthread_mutex_lock(&buffers_mutex); }
    static void buffers_unlock(void) { pthread_mutex_unlock(&buffers_mutex); }
    /* Without this, a fork while another thread holds the lock would leave it locked in the child for ever. */
    static void buffers_survive_fork(void) { pthread_atfork(buffers_lock, buffers_unlock, buffers_unlock); }
    """
    int HUGE_PAGES(void* memory, size_t nbytes) nogil
    void RETURN_FREE_MEMORY()
    int posix_memalign(void** memory, size_t alignment, size_t nbytes) nogil
    void buffers_lock() nogil
    void buffers_unlock() nogil
    void buffers_survive_fork()

cdef enum:
    HEADER = 64  # bytes before an array's memory, which hold the size of the block
    SMALLEST = 1 << 20  # bytes: `empty` leaves smaller arrays to NumPy: the C library reuses their memory well enough
    HUGE = 1 << 22  # bytes from which to ask for pages of 2 MB, as NumPy does
    MAX_BLOCKS = 64
    SET_HANDLER = 304  # index of PyDataMem_SetHandler in NumPy's table of C functions

# PyDataMemAllocator and PyDataMem_Handler of numpy/ndarraytypes.h.
ctypedef struct allocator:
    void* context
    void* (*malloc)(void* context, size_t nbytes) noexcept nogil
    void* (*calloc)(void* context, size_t count, size_t nbytes) noexcept nogil
    void* (*realloc)(void* context, void* data, size_t nbytes) noexcept nogil
    void (*free)(void* context, void* data, size_t nbytes) noexcept nogil
ctypedef struct handler:
    char[127] name
    uint8_t version
    allocator functions

ctypedef object (*set_handler_function)(object handler)

ctypedef struct block_list:
    void* blocks[MAX_BLOCKS]  # free blocks, oldest first; each begins with its size
    int count
    size_t kept, limit, in_use, peak

cdef block_list _list
cdef handler _handler


cdef inline size_t size_of(void* block) noexcept nogil:
    return (<size_t*>block)[0]


cdef void* take(void* context, size_t nbytes) noexcept nogil:
    """The smallest free block of nbytes up to 5/4 of that, or else a new one."""
    cdef int i, best = -1
    cdef void* block = NULL
    buffers_lock()
    for i in range(_list.count):
        if nbytes + HEADER <= size_of(_list.blocks[i]) <= nbytes + nbytes // 4 + HEADER:
            if best < 0 or size_of(_list.blocks[i]) < size_of(_list.blocks[best]):
                best = i
    if best >= 0:
        block = remove(best)
    elif posix_memalign(&block, HEADER, nbytes + HEADER) == 0:
        (<size_t*>block)[0] = nbytes + HEADER
        if nbytes >= HUGE:
            HUGE_PAGES(<void*>((<size_t>block + 4095) // 4096 * 4096), nbytes + HEADER - 4096)
    else:
        block = NULL
    if block != NULL:
        _list.in_use += size_of(block)
        _list.peak = max(_list.peak, _list.in_use)
    buffers_unlock()
    return NULL if block == NULL else <char*>block + HEADER


cdef void* remove(int i) noexcept nogil:
    cdef void* block = _list.blocks[i]
    _list.count -= 1
    _list.kept -= size_of(block)
    memmove(&_list.blocks[i], &_list.blocks[i + 1], (_list.count - i) * sizeof(void*))
    return block


cdef void give_back(void* context, void* data, size_t nbytes) noexcept nogil:
    if data == NULL:
        return
    cdef void* block = <char*>data - HEADER
    buffers_lock()
    _list.in_use -= size_of(block)
    if SMALLEST <= size_of(block) <= _list.limit:
        shrink(_list.limit - size_of(block), MAX_BLOCKS - 1)
        _list.blocks[_list.count] = block
        _list.count += 1
        _list.kept += size_of(block)
    else:
        free(block)
    buffers_unlock()


cdef void shrink(size_t kept, int count) noexcept nogil:
    """Free the oldest blocks until at most `kept` bytes in `count` blocks are left."""
    while _list.count > 0 and (_list.kept > kept or _list.count > count):
        free(remove(0))


cdef void* take_zeros(void* context, size_t count, size_t nbytes) noexcept nogil:
    cdef void* data = take(context, count * nbytes)
    if data != NULL:
        memset(data, 0, count * nbytes)
    return data


cdef void* resize(void* context, void* data, size_t nbytes) noexcept nogil:
    cdef void* larger = take(context, nbytes)
    if data != NULL and larger != NULL:
        memcpy(larger, data, min(nbytes, size_of(<char*>data - HEADER) - HEADER))
        give_back(context, data, nbytes)
    return larger


strcpy(_handler.name, b"minidl_buffers")
_handler.version = 1
_handler.functions.context = NULL
_handler.functions.malloc, _handler.functions.calloc = take, take_zeros
_handler.functions.realloc, _handler.functions.free = resize, give_back
cdef object _capsule = PyCapsule_New(&_handler, b"mem_handler", NULL)
cdef void** _functions_of_numpy = <void**>PyCapsule_GetPointer(_ARRAY_API, NULL)
cdef set_handler_function _set_handler = <set_handler_function>_functions_of_numpy[SET_HANDLER]
buffers_survive_fork()


cpdef object empty(shape, dtype):
    """Return np.empty(shape, dtype), in reused memory if the array is large."""
    cdef size_t nbytes = np.dtype(dtype).itemsize
    for n in shape:
        nbytes *= <size_t>n
    return _made_by(np.empty, nbytes, (shape, dtype))


cpdef object empty_like(x):
    """Return np.empty_like(x), in reused memory if the array is large."""
    return _made_by(np.empty_like, x.nbytes, (x,))


cdef object _made_by(function, size_t nbytes, arguments):
    if nbytes < SMALLEST or _list.limit == 0:
        return function(*arguments)
    return _made_here(function, arguments)


def aligned_empty(shape, dtype):
    """Return np.empty(shape, dtype) in memory that begins at a cache line, also if the array is small."""
    return _made_here(np.empty, (shape, dtype))


cdef object _made_here(function, arguments):
    before = _set_handler(_capsule)
    try:
        return function(*arguments)
    finally:
        _set_handler(before)


def set_limit(size_t nbytes) -> None:
    """Keep at most `nbytes` of free memory from now on; 0 turns reuse off."""
    buffers_lock()
    _list.limit = nbytes
    shrink(nbytes, MAX_BLOCKS)
    buffers_unlock()


def release() -> None:
    """Return all free memory to the system, that of the C library too."""
    buffers_lock()
    shrink(0, 0)
    buffers_unlock()
    RETURN_FREE_MEMORY()


def usage() -> tuple[int, int, int, int]:
    """Bytes in use, their peak, bytes kept free, and the limit of the last."""
    return _list.in_use, _list.peak, _list.kept, _list.limit


def reset_peak() -> None:
    _list.peak = _list.in_use


set_limit(kept_bytes())
