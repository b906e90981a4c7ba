# cython: cdivision=True


# n / part, rounded up: how many parts hold n numbers, the last one perhaps not full.
cdef inline long rounded_up(long n, long part) noexcept nogil:
    return (n + part - 1) // part
