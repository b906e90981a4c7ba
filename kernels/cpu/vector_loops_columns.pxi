# The loops of kernels/channel_sums and kernels/normalization over the columns of a matrix.
#
# Sums are in double. A loop goes down the rows for a group of columns: few enough for the sums to stay in registers,
# and enough that additions do not wait for each other. The functions take any number of columns, and the compiler
# specializes them for the constants that they are called with.

cdef enum:
    WIDE = 64  # columns at a time
    NARROW = 16


cdef void column_sums(size_t itemsize, long rows, long columns, const void* x, const void* y,
                      double* sums) noexcept nogil:
    if itemsize == sizeof(float):
        column_sums_of(rows, columns, <const float*>x, <const float*>y, sums)
    else:
        column_sums_of(rows, columns, <const double*>x, <const double*>y, sums)


cdef void column_sums_of(long rows, long columns, const real* x, const real* y, double* sums) noexcept nogil:
    cdef long j = 0
    while j + WIDE <= columns:
        sums_down(WIDE, rows, columns, x + j, y + j if y != NULL else NULL, sums + j)
        j += WIDE
    while j + NARROW <= columns:
        sums_down(NARROW, rows, columns, x + j, y + j if y != NULL else NULL, sums + j)
        j += NARROW
    sums_down(<int>(columns - j), rows, columns, x + j, y + j if y != NULL else NULL, sums + j)


cdef inline void sums_down(int count, long rows, long columns, const real* x, const real* y,
                           double* sums) noexcept nogil:
    """sums[k] += sum over rows i of x[i, k] (* y[i, k]) of the first `count` columns."""
    cdef double[WIDE] sum
    cdef long i
    cdef int k
    for k in range(count):
        sum[k] = 0
    if y == NULL:
        for i in range(rows):
            for k in range(count):
                sum[k] += x[i * columns + k]
    else:
        for i in range(rows):
            for k in range(count):
                sum[k] += <double>x[i * columns + k] * <double>y[i * columns + k]
    for k in range(count):
        sums[k] += sum[k]


cdef void tap_sums(size_t itemsize, long rows, long columns, const uint8_t* taps, int none, const void* dy,
                   double* sums) noexcept nogil:
    if itemsize == sizeof(float):
        tap_sums_of(rows, columns, taps, none, <const float*>dy, sums)
    else:
        tap_sums_of(rows, columns, taps, none, <const double*>dy, sums)


cdef void tap_sums_of(long rows, long columns, const uint8_t* taps, int none, const real* dy,
                      double* sums) noexcept nogil:
    """Short rows are joined: a loop over few columns would take longer to begin than to run."""
    cdef double[WIDE] wide
    cdef long joined = max(1, WIDE // columns), done = 0, i, j
    if joined > 1:
        for j in range(joined * columns):
            wide[j] = 0
        done = rows // joined * joined
        tap_sums_down(done // joined, joined * columns, taps, none, dy, wide)
        for i in range(joined):
            for j in range(columns):
                sums[j] += wide[i * columns + j]
    tap_sums_down(rows - done, columns, taps + done * columns, none, dy + done * columns, sums)


cdef inline void tap_sums_down(long rows, long columns, const uint8_t* taps, int none, const real* dy,
                               double* sums) noexcept nogil:
    cdef long i, j
    for i in range(rows):
        for j in range(columns):
            sums[j] += <double>dy[i * columns + j] if taps[i * columns + j] < none else 0


cdef void centered_squares(size_t itemsize, long rows, long columns, const void* x, const double* center,
                           double* sums) noexcept nogil:
    if itemsize == sizeof(float):
        centered_squares_of(rows, columns, <const float*>x, center, sums)
    else:
        centered_squares_of(rows, columns, <const double*>x, center, sums)


cdef void centered_squares_of(long rows, long columns, const real* x, const double* center,
                              double* sums) noexcept nogil:
    cdef long j = 0
    while j + WIDE <= columns:
        squares_down(WIDE, rows, columns, x + j, center + j, sums + j)
        j += WIDE
    while j + NARROW <= columns:
        squares_down(NARROW, rows, columns, x + j, center + j, sums + j)
        j += NARROW
    squares_down(<int>(columns - j), rows, columns, x + j, center + j, sums + j)


cdef inline void squares_down(int count, long rows, long columns, const real* x, const double* center,
                              double* sums) noexcept nogil:
    """sums[k] += sum over rows i of (x[i, k] - center[k])^2 of the first `count` columns."""
    cdef double[WIDE] sum
    cdef double d
    cdef long i
    cdef int k
    for k in range(count):
        sum[k] = 0
    for i in range(rows):
        for k in range(count):
            d = x[i * columns + k] - center[k]
            sum[k] += d * d
    for k in range(count):
        sums[k] += sum[k]


cdef void centered_products(size_t itemsize, long rows, long columns, const void* dy, const void* x,
                            const double* center, double* sums, double* products) noexcept nogil:
    if itemsize == sizeof(float):
        centered_products_of(rows, columns, <const float*>dy, <const float*>x, center, sums, products)
    else:
        centered_products_of(rows, columns, <const double*>dy, <const double*>x, center, sums, products)


cdef void centered_products_of(long rows, long columns, const real* dy, const real* x, const double* center,
                               double* sums, double* products) noexcept nogil:
    cdef long j = 0
    while j + WIDE // 2 <= columns:
        products_down(WIDE // 2, rows, columns, dy + j, x + j, center + j, sums + j, products + j)
        j += WIDE // 2
    while j + NARROW <= columns:
        products_down(NARROW, rows, columns, dy + j, x + j, center + j, sums + j, products + j)
        j += NARROW
    products_down(<int>(columns - j), rows, columns, dy + j, x + j, center + j, sums + j, products + j)


cdef inline void products_down(int count, long rows, long columns, const real* dy, const real* x,
                               const double* center, double* sums, double* products) noexcept nogil:
    """sums[k] += sum over rows i of dy[i, k], products[k] += sum of dy[i, k] * (x[i, k] - center[k])."""
    cdef double[WIDE] sum
    cdef double[WIDE] product
    cdef double d
    cdef long i
    cdef int k
    for k in range(count):
        sum[k] = product[k] = 0
    for i in range(rows):
        for k in range(count):
            d = dy[i * columns + k]
            sum[k] += d
            product[k] += d * (x[i * columns + k] - center[k])
    for k in range(count):
        sums[k] += sum[k]
        products[k] += product[k]


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
            # y = (x - center) * scale + shift, in batch norm (x - m) * (r * w) + b
            y[i * columns + j] = (x[i * columns + j] - center[j]) * scale[j] + shift[j]


cdef void scaled_run(size_t itemsize, long n, const void* x, const void* center, const void* scale,
                     const void* shift, void* y) noexcept nogil:
    if itemsize == sizeof(float):
        scaled_run_of(n, <const float*>x, (<const float*>center)[0], (<const float*>scale)[0],
                      (<const float*>shift)[0], <float*>y)
    else:
        scaled_run_of(n, <const double*>x, (<const double*>center)[0], (<const double*>scale)[0],
                      (<const double*>shift)[0], <double*>y)


cdef void scaled_run_of(long n, const real* x, real center, real scale, real shift, real* y) noexcept nogil:
    cdef long j
    for j in range(n):
        # y = (x - center) * scale + shift
        y[j] = (x[j] - center) * scale + shift


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
            # dx = scale * dy - shift - (x - center) * slope, in a norm with g = dy * w and z = (x - m) * r
            #      r * w * dy - r * mean(g) - (x - m) * r^2 * mean(g * z)
            dx[k] = scale[j] * dy[k] - shift[j] - (x[k] - center[j]) * slope[j]
