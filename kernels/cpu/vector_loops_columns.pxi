# The loops of kernels/normalization: tables of rows and columns, with numbers of their own for each column, and below
# for each row. Sums are in double; a column's sum stays in the L1 cache while the rows pass.

from libc.math cimport sqrt


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


cdef void normalize_rows(size_t itemsize, long rows, long columns, const void* x, const void* w, const void* b,
                         double eps, void* y, void* m, void* v) noexcept nogil:
    cdef long i
    for i in range(rows):
        if itemsize == sizeof(float):
            normalize_row(columns, <const float*>x + i * columns, <const float*>w, <const float*>b, eps,
                          <float*>y + i * columns, <float*>m + i, <float*>v + i)
        else:
            normalize_row(columns, <const double*>x + i * columns, <const double*>w, <const double*>b, eps,
                          <double*>y + i * columns, <double*>m + i, <double*>v + i)


cdef void normalize_row(long columns, const real* x, const real* w, const real* b, double eps, real* y, real* m,
                        real* v) noexcept nogil:
    cdef real mean = <real>(sum_of_products(x, <const real*>NULL, columns) / columns), r
    cdef long j
    for j in range(columns):
        y[j] = x[j] - mean
    # the variance around the rounded mean, less what the rounding adds to it
    cdef double rest = sum_of_products(y, <const real*>NULL, columns) / columns
    cdef double variance = sum_of_products(y, y, columns) / columns - rest * rest
    m[0], v[0] = mean, <real>variance
    r = <real>(1 / sqrt(variance + eps))
    # y = (x - m) * r * w + b
    if w != NULL and b != NULL:
        for j in range(columns):
            y[j] = y[j] * r * w[j] + b[j]
        return
    for j in range(columns):
        y[j] = y[j] * r
    if w != NULL:
        for j in range(columns):
            y[j] = y[j] * w[j]
    if b != NULL:
        for j in range(columns):
            y[j] = y[j] + b[j]


cdef void normalize_rows_backward(size_t itemsize, long rows, long columns, const void* dy, const void* x,
                                  const void* m, const void* v, const void* w, double eps, void* dx, double* dw,
                                  double* db) noexcept nogil:
    cdef long i, at
    for i in range(rows):
        at = i * columns
        if itemsize == sizeof(float):
            normalize_row_backward(columns, <const float*>dy + at, <const float*>x + at, (<const float*>m)[i],
                                   (<const float*>v)[i], <const float*>w, eps, <float*>dx + at, dw, db)
        else:
            normalize_row_backward(columns, <const double*>dy + at, <const double*>x + at, (<const double*>m)[i],
                                   (<const double*>v)[i], <const double*>w, eps, <double*>dx + at, dw, db)


cdef void normalize_row_backward(long columns, const real* dy, const real* x, real m, real v, const real* w, double eps,
                                 real* dx, double* dw, double* db) noexcept nogil:
    cdef real r = <real>(1 / sqrt(v + eps)), mean, slope
    cdef double products = 0
    cdef long j, first = 0, n
    cdef real[POWERS] z
    for j in range(columns):
        db[j] += dy[j]
    for j in range(columns):
        dw[j] += dy[j] * ((x[j] - m) * r)
    # g = dy * w,  z = (x - m) * r
    for j in range(columns):
        dx[j] = dy[j] * w[j] if w != NULL else dy[j]
    while first < columns:
        n = min(<long>POWERS, columns - first)
        for j in range(n):
            z[j] = (x[first + j] - m) * r
        products += sum_of_products(dx + first, <const real*>z, n)
        first += POWERS
    mean = <real>(sum_of_products(<const real*>dx, <const real*>NULL, columns) / columns)
    slope = <real>(products / columns)
    # dx = r * (g - mean(g) - z * mean(g * z))
    for j in range(columns):
        dx[j] = r * (dx[j] - mean - (x[j] - m) * r * slope)
