# cython: cdivision=True
# Arrays as contiguous runs of numbers, in memory order: for elementwise kernels.

from . cimport buffers
from .views cimport view, view_of


# Whether the numbers of `v` fill one run of memory without gaps, with the axes in any order.
cdef inline bint is_flat(const view* v) noexcept:
    cdef long filled = 1
    cdef int axis, found
    for _ in range(v.ndim):
        found = -1
        for axis in range(v.ndim):
            if v.shape[axis] == 0:
                return True
            if v.shape[axis] > 1 and v.strides[axis] == filled:
                found = axis
        if found >= 0:  # the next axis in memory order
            filled *= v.shape[found]
    for axis in range(v.ndim):
        filled //= v.shape[axis] if v.shape[axis] else 1
    return filled == 1


# Whether two flat arrays of one shape have the same memory order.
cdef inline bint same_order(const view* v, const view* w) noexcept:
    cdef int axis
    for axis in range(v.ndim):
        if v.shape[axis] > 1 and v.strides[axis] != w.strides[axis]:
            return False
    return True


# Fill `v` from `x`, and return the array to keep alive: `x`, or, where it has gaps, a flat copy of it.
cdef inline object flat(object x, view* v):
    x = view_of(x, v)
    if is_flat(v):
        return x
    return view_of(x.copy("K"), v)


# The same for `x` in the memory order of the flat array `model`.
cdef inline object flat_like(object x, view* v, object model, const view* v_model):
    x = view_of(x, v)
    if same_order(v, v_model):
        return x
    y = buffers.empty_like(model)
    y[...] = x
    return view_of(y, v)
