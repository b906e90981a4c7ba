# The loops of kernels/normalization over the rows of a matrix: layer norm.
#
# A mean over a row is a sum in LANES, as in vector_loops_rows.pxi.

from libc.math cimport sqrt


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
    # variance = mean((x - mean)^2) - mean(x - mean)^2: the second term corrects the rounding of the mean
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
    cdef double sum = 0, product = 0
    cdef long j, first = 0, n
    # g = dy * w,  z = (x - m) * r
    while first < columns:
        n = min(<long>POWERS, columns - first)
        add_gradients(n, dy + first, x + first, m, w + first if w != NULL else NULL, &sum, &product)
        first += POWERS
    # mean(g), and mean(g * z)
    mean, slope = <real>(sum / columns), <real>(product * r / columns)
    # dx = r * (g - mean(g) - z * mean(g * z))
    for j in range(columns):
        dx[j] = r * ((dy[j] * w[j] if w != NULL else dy[j]) - mean - (x[j] - m) * r * slope)
    # dw = sum(dy * z), db = sum(dy), over the rows
    for j in range(columns):
        dw[j] += dy[j] * ((x[j] - m) * r)
        db[j] += dy[j]


cdef inline void add_gradients(long n, const real* dy, const real* x, real m, const real* w, double* sum,
                               double* product) noexcept nogil:
    """sum += sum_k g[k], product += sum_k g[k] * (x[k] - m), with g = dy * w; w may be NULL.

    The lanes are not double: few numbers are added up in each, and to convert them would take longer than to add them.
    """
    cdef real[LANES] sums
    cdef real[LANES] products
    cdef double all = 0, all_products = 0
    cdef real g
    cdef long j = 0
    cdef int k
    if n >= LANES:
        for k in range(LANES):
            sums[k] = dy[k] * w[k] if w != NULL else dy[k]
            products[k] = sums[k] * (x[k] - m)
        j = LANES
        while j + LANES <= n:
            for k in range(LANES):
                g = dy[j + k] * w[j + k] if w != NULL else dy[j + k]
                sums[k] += g
                products[k] += g * (x[j + k] - m)
            j += LANES
        add_half(LANES // 2, sums)
        add_half(LANES // 2, products)
        add_half(8, sums)
        add_half(8, products)
        add_half(4, sums)
        add_half(4, products)
        for k in range(4):
            all += sums[k]
            all_products += products[k]
    for j in range(j, n):
        g = dy[j] * w[j] if w != NULL else dy[j]
        all += g
        all_products += g * (x[j] - m)
    sum[0] += all
    product[0] += all_products
