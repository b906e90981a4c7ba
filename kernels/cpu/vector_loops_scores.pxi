# The loops of kernels/softmax and kernels/cross_entropy for strided scores, as along the channels of an image: those of
# sample k are x[0, k], x[1, k], ..., each `step` numbers after the one before.
#
#     m[k] = max_c x[c, k],  s[k] = sum_c e^(x[c, k] - m[k])      p[c, k] = e^(x[c, k] - m[k]) / s[k]
#
# They go down the classes for a group of samples, as the loops of vector_loops_columns.pxi do. Sums are in double.


cdef inline void powers_down(int count, long classes, long step, const real* x, real* m, double* s,
                             real* powers) noexcept nogil:
    """m and s of the first `count` samples; unless NULL, `powers`, in the layout of x, gets e^(x - m)."""
    cdef real power
    cdef long c
    cdef int k
    for k in range(count):
        m[k], s[k] = x[k], 0
    for c in range(1, classes):
        for k in range(count):
            m[k] = x[c * step + k] if x[c * step + k] > m[k] else m[k]
    if powers != NULL:
        for c in range(classes):
            for k in range(count):
                power = exp_of(x[c * step + k] - m[k])
                powers[c * step + k] = power
                s[k] += power
    else:
        for c in range(classes):
            for k in range(count):
                s[k] += exp_of(x[c * step + k] - m[k])


cdef void softmax_across(size_t itemsize, long classes, long step, long samples, const void* x, void* y,
                         bint logarithm) noexcept nogil:
    if itemsize == sizeof(float):
        softmax_across_of(classes, step, samples, <const float*>x, <float*>y, logarithm)
    else:
        softmax_across_of(classes, step, samples, <const double*>x, <double*>y, logarithm)


cdef void softmax_across_of(long classes, long step, long samples, const real* x, real* y,
                            bint logarithm) noexcept nogil:
    cdef long j = 0
    while j + WIDE <= samples:
        softmax_down(WIDE, classes, step, x + j, y + j, logarithm)
        j += WIDE
    while j + NARROW <= samples:
        softmax_down(NARROW, classes, step, x + j, y + j, logarithm)
        j += NARROW
    softmax_down(<int>(samples - j), classes, step, x + j, y + j, logarithm)


cdef inline void softmax_down(int count, long classes, long step, const real* x, real* y,
                              bint logarithm) noexcept nogil:
    cdef real[WIDE] m
    cdef double[WIDE] s
    cdef real[WIDE] t
    cdef long c
    cdef int k
    if logarithm:
        # y = x - m - log(s)
        powers_down(count, classes, step, x, m, s, NULL)
        for k in range(count):
            t[k] = <real>log(s[k])
        for c in range(classes):
            for k in range(count):
                y[c * step + k] = x[c * step + k] - m[k] - t[k]
    else:
        # y = e^(x - m) / s
        powers_down(count, classes, step, x, m, s, y)
        for k in range(count):
            t[k] = <real>s[k]
        for c in range(classes):
            for k in range(count):
                y[c * step + k] = y[c * step + k] / t[k]


cdef void softmax_backward_across(size_t itemsize, long classes, long step, long samples, const void* dy, const void* y,
                                  void* dx, bint logarithm) noexcept nogil:
    if itemsize == sizeof(float):
        softmax_backward_across_of(classes, step, samples, <const float*>dy, <const float*>y, <float*>dx, logarithm)
    else:
        softmax_backward_across_of(classes, step, samples, <const double*>dy, <const double*>y, <double*>dx, logarithm)


cdef void softmax_backward_across_of(long classes, long step, long samples, const real* dy, const real* y, real* dx,
                                     bint logarithm) noexcept nogil:
    cdef long j = 0
    while j + WIDE <= samples:
        softmax_backward_down(WIDE, classes, step, dy + j, y + j, dx + j, logarithm)
        j += WIDE
    while j + NARROW <= samples:
        softmax_backward_down(NARROW, classes, step, dy + j, y + j, dx + j, logarithm)
        j += NARROW
    softmax_backward_down(<int>(samples - j), classes, step, dy + j, y + j, dx + j, logarithm)


cdef inline void softmax_backward_down(int count, long classes, long step, const real* dy, const real* y, real* dx,
                                       bint logarithm) noexcept nogil:
    cdef double[WIDE] sum
    cdef real[WIDE] t
    cdef long c, i
    cdef int k
    for k in range(count):
        sum[k] = 0
    for c in range(classes):
        for k in range(count):
            i = c * step + k
            sum[k] += dy[i] if logarithm else <double>dy[i] * <double>y[i]
    for k in range(count):
        t[k] = <real>sum[k]
    for c in range(classes):
        for k in range(count):
            i = c * step + k
            # dx[c] = dy[c] - e^y[c] * sum_k dy[k]        or        y[c] * (dy[c] - sum_k dy[k] * y[k])
            dx[i] = dy[i] - exp_of(y[i]) * t[k] if logarithm else y[i] * (dy[i] - t[k])


cdef void cross_entropy_across(size_t itemsize, long classes, long step, long samples, const void* x,
                               const int64_t* target, const void* weight, int64_t ignore_index,
                               void* losses) noexcept nogil:
    cdef long j
    for j from 0 <= j < samples by WIDE:
        if itemsize == sizeof(float):
            losses_down(<int>min(<long>WIDE, samples - j), classes, step, <const float*>x + j, target + j,
                        <const float*>weight, ignore_index, <float*>losses + j)
        else:
            losses_down(<int>min(<long>WIDE, samples - j), classes, step, <const double*>x + j, target + j,
                        <const double*>weight, ignore_index, <double*>losses + j)


cdef void losses_down(int count, long classes, long step, const real* x, const int64_t* target, const real* weight,
                      int64_t ignore_index, real* losses) noexcept nogil:
    cdef real[WIDE] m
    cdef double[WIDE] s
    cdef double loss
    cdef int k
    if count == WIDE:  # a constant, see vector_loops_columns.pxi
        powers_down(WIDE, classes, step, x, m, s, NULL)
    else:
        powers_down(count, classes, step, x, m, s, NULL)
    for k in range(count):
        losses[k] = 0
        if target[k] != ignore_index:
            # loss = -weight[target] * log p[target] = weight[target] * (log(s) - (x[target] - m))
            loss = log(s[k]) - (x[target[k] * step + k] - m[k])
            losses[k] = <real>(loss * weight[target[k]] if weight != NULL else loss)


cdef void cross_entropy_backward_across(size_t itemsize, long classes, long step, long samples, const void* dlosses,
                                        const void* x, const int64_t* target, const void* weight, int64_t ignore_index,
                                        void* dx) noexcept nogil:
    cdef long j
    for j from 0 <= j < samples by WIDE:
        if itemsize == sizeof(float):
            gradients_down(<int>min(<long>WIDE, samples - j), classes, step, <const float*>dlosses + j,
                           <const float*>x + j, target + j, <const float*>weight, ignore_index, <float*>dx + j)
        else:
            gradients_down(<int>min(<long>WIDE, samples - j), classes, step, <const double*>dlosses + j,
                           <const double*>x + j, target + j, <const double*>weight, ignore_index, <double*>dx + j)


cdef void gradients_down(int count, long classes, long step, const real* dlosses, const real* x, const int64_t* target,
                         const real* weight, int64_t ignore_index, real* dx) noexcept nogil:
    cdef real[WIDE] m
    cdef double[WIDE] s
    cdef real[WIDE] t
    cdef real[WIDE] scale
    cdef long c
    cdef int k
    if count == WIDE:
        powers_down(WIDE, classes, step, x, m, s, dx)
    else:
        powers_down(count, classes, step, x, m, s, dx)
    for k in range(count):
        t[k], scale[k] = <real>s[k], dlosses[k]
        if weight != NULL and target[k] != ignore_index:
            scale[k] = scale[k] * weight[target[k]]
    # dx[c] = dloss * weight[target] * (p[c] - (1 where c = target, else 0))
    for c in range(classes):
        for k in range(count):
            dx[c * step + k] = scale[k] * (dx[c * step + k] / t[k])
    for k in range(count):
        if target[k] != ignore_index:
            dx[target[k] * step + k] -= scale[k]
            continue
        for c in range(classes):
            dx[c * step + k] = 0
