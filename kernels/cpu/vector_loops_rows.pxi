# The loops of kernels/softmax and kernels/cross_entropy, where each sample is a contiguous row x of `columns` numbers.
#
#     m = max_k x[k],  s = sum_k e^(x[k] - m)             p[c] = e^(x[c] - m) / s,  log p[c] = x[c] - m - log(s)
#
# A maximum or a sum over a row is a chain of dependent operations. To vectorize it, long rows have LANES partial
# results, each of every LANES-th number, which are combined at the end. Sums are in double.

from libc.math cimport INFINITY, log
from libc.string cimport memset

cdef enum:
    LANES = 32
    POWERS = 512  # powers computed at a time where there is no row to store them


cdef inline void keep_larger(int half, real* lanes) noexcept nogil:
    """Of two halves the larger number each; `half` is a constant, so that the lanes stay in registers."""
    cdef int k
    for k in range(half):
        lanes[k] = lanes[k + half] if lanes[k + half] > lanes[k] else lanes[k]


cdef inline void add_half(int half, real* lanes) noexcept nogil:
    cdef int k
    for k in range(half):
        lanes[k] += lanes[k + half]


cdef inline real largest(const real* x, long columns) noexcept nogil:
    cdef real[LANES] lanes
    cdef real best = <real>-INFINITY
    cdef long j = 0
    cdef int k
    if columns >= LANES:
        for k in range(LANES):
            lanes[k] = x[k]
        j = LANES
        while j + LANES <= columns:
            for k in range(LANES):
                lanes[k] = x[j + k] if x[j + k] > lanes[k] else lanes[k]
            j += LANES
        keep_larger(LANES // 2, lanes)
        keep_larger(8, lanes)
        keep_larger(4, lanes)
        keep_larger(2, lanes)
        keep_larger(1, lanes)
        best = lanes[0]
    for j in range(j, columns):
        best = x[j] if x[j] > best else best
    return best


cdef inline double sum_of_products(const real* x, const real* y, long columns) noexcept nogil:
    """sum_k x[k] * y[k], or sum_k x[k] where y is NULL."""
    cdef double[LANES] lanes
    cdef double sum = 0
    cdef long j = 0
    cdef int k
    if columns >= LANES:
        for k in range(LANES):
            lanes[k] = <double>x[k] * <double>y[k] if y != NULL else <double>x[k]
        j = LANES
        while j + LANES <= columns:
            if y != NULL:
                for k in range(LANES):
                    lanes[k] += <double>x[j + k] * <double>y[j + k]
            else:
                for k in range(LANES):
                    lanes[k] += x[j + k]
            j += LANES
        add_half(LANES // 2, lanes)
        add_half(8, lanes)
        add_half(4, lanes)
        add_half(2, lanes)
        add_half(1, lanes)
        sum = lanes[0]
    for j in range(j, columns):
        sum += <double>x[j] * <double>y[j] if y != NULL else <double>x[j]
    return sum


cdef inline double sum_of_powers(const real* x, long columns, real m, real* powers) noexcept nogil:
    """s = sum_k e^(x[k] - m); the terms go to `powers`, unless that is NULL."""
    cdef real[POWERS] some
    cdef real* terms = powers
    cdef double s = 0
    cdef long first = 0, n, j
    while first < columns:
        n = min(<long>POWERS, columns - first)
        terms = powers + first if powers != NULL else some
        for j in range(n):
            terms[j] = exp_of(x[first + j] - m)
        s += sum_of_products(terms, <const real*>NULL, n)
        first += POWERS
    return s


cdef void softmax_forward(size_t itemsize, long rows, long columns, const void* x, void* y,
                          bint logarithm) noexcept nogil:
    cdef long i
    for i in range(rows):
        if itemsize == sizeof(float):
            softmax_row(columns, <const float*>x + i * columns, <float*>y + i * columns, logarithm)
        else:
            softmax_row(columns, <const double*>x + i * columns, <double*>y + i * columns, logarithm)


cdef void softmax_row(long columns, const real* x, real* y, bint logarithm) noexcept nogil:
    cdef real m = largest(x, columns), s
    cdef long j
    if logarithm:
        # y = x - m - log(s)
        s = <real>log(sum_of_powers(x, columns, m, NULL))
        for j in range(columns):
            y[j] = x[j] - m - s
    else:
        # y = e^(x - m) / s
        s = <real>sum_of_powers(x, columns, m, y)
        for j in range(columns):
            y[j] = y[j] / s


cdef void softmax_backward(size_t itemsize, long rows, long columns, const void* dy, const void* y, void* dx,
                           bint logarithm) noexcept nogil:
    cdef long i, at
    for i in range(rows):
        at = i * columns
        if itemsize == sizeof(float):
            softmax_backward_row(columns, <const float*>dy + at, <const float*>y + at, <float*>dx + at, logarithm)
        else:
            softmax_backward_row(columns, <const double*>dy + at, <const double*>y + at, <double*>dx + at, logarithm)


cdef void softmax_backward_row(long columns, const real* dy, const real* y, real* dx, bint logarithm) noexcept nogil:
    cdef real t
    cdef long j
    if logarithm:
        # dx[c] = dy[c] - e^y[c] * sum_k dy[k]
        t = <real>sum_of_products(dy, NULL, columns)
        for j in range(columns):
            dx[j] = dy[j] - exp_of(y[j]) * t
    else:
        # dx[c] = y[c] * (dy[c] - sum_k dy[k] * y[k])
        t = <real>sum_of_products(dy, y, columns)
        for j in range(columns):
            dx[j] = y[j] * (dy[j] - t)


cdef void cross_entropy_forward(size_t itemsize, long rows, long columns, const void* x, const int64_t* target,
                                const void* weight, int64_t ignore_index, void* losses) noexcept nogil:
    cdef long i
    for i in range(rows):
        if itemsize == sizeof(float):
            (<float*>losses)[i] = loss_of_row(columns, <const float*>x + i * columns, target[i],
                                              <const float*>weight, ignore_index)
        else:
            (<double*>losses)[i] = loss_of_row(columns, <const double*>x + i * columns, target[i],
                                               <const double*>weight, ignore_index)


cdef real loss_of_row(long columns, const real* x, int64_t label, const real* weight,
                      int64_t ignore_index) noexcept nogil:
    cdef real m
    cdef double loss
    if label == ignore_index:
        return 0
    m = largest(x, columns)
    # loss = -weight[label] * log p[label] = weight[label] * (log(s) - (x[label] - m))
    loss = log(sum_of_powers(x, columns, m, NULL)) - (x[label] - m)
    return <real>(loss * weight[label] if weight != NULL else loss)


cdef void cross_entropy_backward(size_t itemsize, long rows, long columns, const void* dlosses, const void* x,
                                 const int64_t* target, const void* weight, int64_t ignore_index,
                                 void* dx) noexcept nogil:
    cdef long i, at
    for i in range(rows):
        at = i * columns
        if itemsize == sizeof(float):
            gradient_of_row(columns, (<const float*>dlosses)[i], <const float*>x + at, target[i],
                            <const float*>weight, ignore_index, <float*>dx + at)
        else:
            gradient_of_row(columns, (<const double*>dlosses)[i], <const double*>x + at, target[i],
                            <const double*>weight, ignore_index, <double*>dx + at)


cdef void gradient_of_row(long columns, real dloss, const real* x, int64_t label, const real* weight,
                          int64_t ignore_index, real* dx) noexcept nogil:
    cdef real s
    cdef long j
    if label == ignore_index:
        memset(dx, 0, columns * sizeof(real))
        return
    if weight != NULL:
        dloss = dloss * weight[label]
    # dx[c] = dloss * weight[label] * (p[c] - (1 where c = label, else 0))
    s = <real>sum_of_powers(x, columns, largest(x, columns), dx)
    for j in range(columns):
        dx[j] = dloss * (dx[j] / s)
    dx[label] -= dloss
