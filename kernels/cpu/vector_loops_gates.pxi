# The loops of kernels/recurrent: the gates of one sequence at one time step, and their gradients. `n` is the size of
# the state; the parts of `gates`, `da` and `dq` (i, f, g, o of an lstm; r, z, n and q_n of a gru) follow one another.

from libc.string cimport memcpy


cdef inline void sigmoid_row(long n, const real* a, real* y) noexcept nogil:
    cdef long j
    for j in range(n):
        y[j] = sigmoid_of(a[j])


cdef inline void tanh_row(long n, const real* a, real* y) noexcept nogil:
    cdef long j
    for j in range(n):
        y[j] = tanh_of(a[j])


cdef void rnn_forward(size_t itemsize, long n, bint relu, const void* a, void* h) noexcept nogil:
    if itemsize == sizeof(float):
        rnn_forward_of(n, relu, <const float*>a, <float*>h)
    else:
        rnn_forward_of(n, relu, <const double*>a, <double*>h)


cdef void rnn_forward_of(long n, bint relu, const real* a, real* h) noexcept nogil:
    cdef long j
    if relu:
        for j in range(n):
            h[j] = 0 if a[j] < 0 else a[j]
    else:
        tanh_row(n, a, h)


cdef void rnn_backward(size_t itemsize, long n, bint relu, const void* y, const void* dy, const void* dh,
                       void* da) noexcept nogil:
    if itemsize == sizeof(float):
        rnn_backward_of(n, relu, <const float*>y, <const float*>dy, <const float*>dh, <float*>da)
    else:
        rnn_backward_of(n, relu, <const double*>y, <const double*>dy, <const double*>dh, <double*>da)


cdef void rnn_backward_of(long n, bint relu, const real* y, const real* dy, const real* dh, real* da) noexcept nogil:
    cdef long j
    if relu:
        # da = dh + dy where y > 0, else 0
        for j in range(n):
            da[j] = dh[j] + dy[j] if y[j] > 0 else 0
    else:
        # da = (dh + dy) * (1 - y^2)
        for j in range(n):
            da[j] = (dh[j] + dy[j]) * (<real>1 - y[j] * y[j])


cdef void lstm_forward(size_t itemsize, long n, const void* a, void* gates, void* c, void* h) noexcept nogil:
    if itemsize == sizeof(float):
        lstm_forward_of(n, <const float*>a, <float*>gates, <float*>c, <float*>h)
    else:
        lstm_forward_of(n, <const double*>a, <double*>gates, <double*>c, <double*>h)


cdef void lstm_forward_of(long n, const real* a, real* i, real* c, real* h) noexcept nogil:
    cdef real* f = i + n
    cdef real* g = f + n
    cdef real* o = g + n
    cdef long j
    sigmoid_row(2 * n, a, i)  # and f
    tanh_row(n, a + 2 * n, g)
    sigmoid_row(n, a + 3 * n, o)
    # c = f * c + i * g
    for j in range(n):
        c[j] = f[j] * c[j] + i[j] * g[j]
    # h = o * tanh(c)
    for j in range(n):
        h[j] = o[j] * tanh_of(c[j])


cdef void lstm_backward(size_t itemsize, long n, const void* gates, const void* c_before, const void* c,
                        const void* dy, const void* dh, void* dc, void* da) noexcept nogil:
    if itemsize == sizeof(float):
        lstm_backward_of(n, <const float*>gates, <const float*>c_before, <const float*>c, <const float*>dy,
                         <const float*>dh, <float*>dc, <float*>da)
    else:
        lstm_backward_of(n, <const double*>gates, <const double*>c_before, <const double*>c, <const double*>dy,
                         <const double*>dh, <double*>dc, <double*>da)


cdef void lstm_backward_of(long n, const real* i, const real* c_before, const real* c, const real* dy, const real* dh,
                           real* dc, real* da_i) noexcept nogil:
    cdef const real* f = i + n
    cdef const real* g = f + n
    cdef const real* o = g + n
    cdef real* da_f = da_i + n
    cdef real* da_g = da_f + n
    cdef real* da_o = da_g + n
    cdef real tanh_c, d
    cdef long j
    # do = d * tanh(c),  dc = dc + d * o * (1 - tanh(c)^2),  with d = dy + dh
    for j in range(n):
        d = dy[j] + dh[j]
        tanh_c = tanh_of(c[j])
        da_o[j] = d * tanh_c * (o[j] * (<real>1 - o[j]))
        dc[j] = dc[j] + d * o[j] * (<real>1 - tanh_c * tanh_c)
    # di = dc * g,  df = dc * c[t-1],  dg = dc * i,  each times its gate's derivative;  dc[t-1] = dc * f
    for j in range(n):
        da_i[j] = dc[j] * g[j] * (i[j] * (<real>1 - i[j]))
    for j in range(n):
        da_f[j] = dc[j] * c_before[j] * (f[j] * (<real>1 - f[j]))
    for j in range(n):
        da_g[j] = dc[j] * i[j] * (<real>1 - g[j] * g[j])
    for j in range(n):
        dc[j] = dc[j] * f[j]


cdef void gru_forward(size_t itemsize, long n, const void* a, void* gates, void* h) noexcept nogil:
    if itemsize == sizeof(float):
        gru_forward_of(n, <const float*>a, <float*>gates, <float*>h)
    else:
        gru_forward_of(n, <const double*>a, <double*>gates, <double*>h)


cdef void gru_forward_of(long n, const real* a, real* r, real* h) noexcept nogil:
    """`a` holds the sums a_r + q_r, a_z + q_z, a_n and q_n; `r`, z, n and q_n follow one another."""
    cdef const real* a_n = a + 2 * n
    cdef real* z = r + n
    cdef real* new = z + n
    cdef real* q_n = new + n
    cdef long j
    sigmoid_row(2 * n, a, r)  # and z
    memcpy(q_n, a_n + n, n * sizeof(real))
    # n = tanh(a_n + r * q_n)
    for j in range(n):
        new[j] = tanh_of(a_n[j] + r[j] * q_n[j])
    # h = (1 - z) * n + z * h
    for j in range(n):
        h[j] = (<real>1 - z[j]) * new[j] + z[j] * h[j]


cdef void gru_backward(size_t itemsize, long n, const void* gates, const void* h, const void* dy, void* dh, void* da,
                       void* dq) noexcept nogil:
    if itemsize == sizeof(float):
        gru_backward_of(n, <const float*>gates, <const float*>h, <const float*>dy, <float*>dh, <float*>da, <float*>dq)
    else:
        gru_backward_of(n, <const double*>gates, <const double*>h, <const double*>dy, <double*>dh, <double*>da,
                        <double*>dq)


cdef void gru_backward_of(long n, const real* r, const real* h, const real* dy, real* dh, real* da_r,
                          real* dq_r) noexcept nogil:
    """Leaves in dh the gradient of h through z * h."""
    cdef const real* z = r + n
    cdef const real* new = z + n
    cdef const real* q_n = new + n
    cdef real* da_z = da_r + n
    cdef real* da_n = da_z + n
    cdef real* dq_n = dq_r + 2 * n
    cdef long j
    for j in range(n):
        dh[j] = dh[j] + dy[j]
    # dz = dh * (h - n),  dn = dh * (1 - z),  each times its gate's derivative
    for j in range(n):
        da_z[j] = dh[j] * (h[j] - new[j]) * (z[j] * (<real>1 - z[j]))
    for j in range(n):
        da_n[j] = dh[j] * (<real>1 - z[j]) * (<real>1 - new[j] * new[j])
    # dr = da_n * q_n,  dq_n = da_n * r;  elsewhere dq = da
    for j in range(n):
        da_r[j] = da_n[j] * q_n[j] * (r[j] * (<real>1 - r[j]))
    for j in range(n):
        dq_n[j] = da_n[j] * r[j]
    memcpy(dq_r, da_r, 2 * n * sizeof(real))
    for j in range(n):
        dh[j] = dh[j] * z[j]
