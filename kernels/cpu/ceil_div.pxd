# cython: cdivision=True


# n / part, rounded up: the number of parts of that size that hold n numbers.
cdef inline long ceil_div(long n, long part) noexcept nogil:
    return (n + part - 1) // part
