# Arrays whose memory is reused; buffers.pyx says how and why.

# np.empty(shape, dtype), and np.empty_like(x): for all arrays that a kernel returns.
cpdef object empty(shape, dtype)
cpdef object empty_like(x)
