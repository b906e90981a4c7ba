# The loops of kernels/normalization: tables of rows and columns, with numbers of their own for each column. Sums are in
# double; a column's sum stays in the L1 cache while the rows pass.


cdef void centered_squares(size_t itemsize, long rows, long columns, const void* x, const double* center,
                           double* sums) noexcept nogil:
    if itemsize == sizeof(float):
        centered_squares_of(rows, columns, <const float*>x, center, sums)
    else:
        centered_squares_of(rows, columns, <const double*>x, center, sums)


cdef void centered_squares_of(long rows, long columns, const real* x, const double* center,
                              double* sums) noexcept nogil:
    cdef double d
    cdef long i, j
    for i in range(rows):
        for j in range(columns):
            d = x[i * columns + j] - center[j]
            sums[j] += d * d


cdef void centered_products(size_t itemsize, long rows, long columns, const void* dy, const void* x,
                            const double* center, double* sums, double* products) noexcept nogil:
    if itemsize == sizeof(float):
        centered_products_of(rows, columns, <const float*>dy, <const float*>x, center, sums, products)
    else:
        centered_products_of(rows, columns, <const double*>dy, <const double*>x, center, sums, products)


cdef void centered_products_of(long rows, long columns, const real* dy, const real* x, const double* center,
                               double* sums, double* products) noexcept nogil:
    cdef double d
    cdef long i, j
    for i in range(rows):
        for j in range(columns):
            d = dy[i * columns + j]
            sums[j] += d
            products[j] += d * (x[i * columns + j] - center[j])


cdef void scaled_columns(size_t itemsize, long rows, long columns, const void* x, const void* center,
                         const void* scale, const void* shift, void* y) noexcept nogil:
    if itemsize == sizeof(float):
        scaled_columns_of(rows, columns, <const float*>x, <const float*>center, <const float*>scale,
                          <const float*>shift, <float*>y)
    else:
        scaled_columns_of(rows, columns, <const double*>x, <const double*>center, <const double*>scale,
                          <const double*>shift, <double*>y)


cdef void scaled_columns_of(long rows, long columns, const real* x, const real* center, const real* scale,
                            const real* shift, real* y) noexcept nogil:
    cdef long i, j
    for i in range(rows):
        for j in range(columns):
            # y = (x - m) * (r * w) + b
            y[i * columns + j] = (x[i * columns + j] - center[j]) * scale[j] + shift[j]


cdef void scaled_columns_backward(size_t itemsize, long rows, long columns, const void* dy, const void* x,
                                  const void* center, const void* scale, const void* shift, const void* slope,
                                  void* dx) noexcept nogil:
    if itemsize == sizeof(float):
        scaled_columns_backward_of(rows, columns, <const float*>dy, <const float*>x, <const float*>center,
                                   <const float*>scale, <const float*>shift, <const float*>slope, <float*>dx)
    else:
        scaled_columns_backward_of(rows, columns, <const double*>dy, <const double*>x, <const double*>center,
                                   <const double*>scale, <const double*>shift, <const double*>slope, <double*>dx)


cdef void scaled_columns_backward_of(long rows, long columns, const real* dy, const real* x, const real* center,
                                     const real* scale, const real* shift, const real* slope, real* dx) noexcept nogil:
    cdef long i, j, k
    for i in range(rows):
        for j in range(columns):
            k = i * columns + j
            # dx = r * w * (dy - mean(dy) - (x - m) * r^2 * mean(dy * (x - m)))
            dx[k] = scale[j] * (dy[k] - shift[j] - (x[k] - center[j]) * slope[j])
