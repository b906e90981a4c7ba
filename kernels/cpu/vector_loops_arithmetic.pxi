# The loops of kernels/arithmetic.


cdef void arithmetic_of_two(arithmetic f, size_t itemsize, long n, const void* x1, const void* x2,
                            void* y) noexcept nogil:
    if itemsize == sizeof(float):
        arithmetic_of(f, n, <const float*>x1, <const float*>x2, <float*>y)
    else:
        arithmetic_of(f, n, <const double*>x1, <const double*>x2, <double*>y)


cdef void arithmetic_of(arithmetic f, long n, const real* x1, const real* x2, real* y) noexcept nogil:
    cdef long i
    if f == ADD:
        for i in range(n):
            y[i] = x1[i] + x2[i]
    elif f == SUBTRACT:
        for i in range(n):
            y[i] = x1[i] - x2[i]
    elif f == MULTIPLY:
        for i in range(n):
            y[i] = x1[i] * x2[i]
    elif f == DIVIDE:
        for i in range(n):
            y[i] = x1[i] / x2[i]
