# Memory of large arrays that is reused: how and why stands in buffers.pyx.

# np.empty(shape, dtype), and np.empty_like(x): for all arrays that a kernel returns.
cpdef object empty(shape, dtype)
cpdef object empty_like(x)
