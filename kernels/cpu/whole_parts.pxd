# cython: cdivision=True


# n / part, rounded up: the number of parts that n numbers fill, the last one perhaps not fully.
cdef inline long rounded_up(long n, long part) noexcept nogil:
    return (n + part - 1) // part
