# cython: cdivision=True
# A NumPy array as the kernels see it: a pointer, a shape, strides counted in elements; and the types of its numbers.

from cpython.buffer cimport PyBUF_STRIDES, PyBuffer_Release, PyObject_GetBuffer

# Where no other argument has this type, a function takes a null pointer of it: `tag`.
ctypedef fused real:
    float
    double

cdef enum:
    MAX_NDIM = 64

ctypedef struct view:
    char* data
    int ndim
    size_t itemsize
    long[MAX_NDIM] shape
    long[MAX_NDIM] strides


# Fill `v` from the array `x`, and return the array to keep alive while `v` is in use: `x`, or an aligned copy of it in
# C order. Code that ignores the strides must therefore pass a C-contiguous array.
cdef inline object view_of(object x, view* v):
    cdef Py_buffer buffer
    cdef int axis
    cdef bint aligned
    PyObject_GetBuffer(x, &buffer, PyBUF_STRIDES)
    v.data = <char*>buffer.buf
    v.ndim = buffer.ndim
    v.itemsize = buffer.itemsize
    aligned = <size_t>buffer.buf % v.itemsize == 0
    for axis in range(v.ndim):
        v.shape[axis] = buffer.shape[axis]
        aligned &= buffer.strides[axis] % <long>v.itemsize == 0 or v.shape[axis] == 1
        v.strides[axis] = buffer.strides[axis] // <long>v.itemsize
    PyBuffer_Release(&buffer)
    if aligned:
        return x
    return view_of(x.copy(), v)


# Offset in bytes of matrix number `index` in a stack `v` of matrices (its last two axes).
cdef inline long matrix_offset(const view* v, long index) noexcept nogil:
    cdef long offset = 0
    cdef int axis
    for axis in range(v.ndim - 3, -1, -1):
        offset += index % v.shape[axis] * v.strides[axis]
        index //= v.shape[axis]
    return offset * <long>v.itemsize
