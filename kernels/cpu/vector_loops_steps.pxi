# The loops of kernels/optimizers: one step of one parameter, or a part of it, of n numbers. What is read and written
# once need not stay in a cache. An option is the same for all numbers, so the compiler makes a loop of each case.

from libc.math cimport sqrt, sqrtf


cdef inline real root(real x) noexcept nogil:
    return sqrtf(x) if real is float else sqrt(x)


cdef inline real decayed(real dw, real w, real weight_decay) noexcept nogil:
    """dw + weight_decay * w; without decay nothing is added, which matters where w is infinite: 0 * inf is NaN."""
    return dw + weight_decay * w if weight_decay != 0 else dw


cdef void sgd_step(size_t itemsize, long n, const step_options* options, void* w, const void* dw,
                   void* v) noexcept nogil:
    if itemsize == sizeof(float):
        sgd_step_of(n, options, <float*>w, <const float*>dw, <float*>v)
    else:
        sgd_step_of(n, options, <double*>w, <const double*>dw, <double*>v)


cdef void sgd_step_of(long n, const step_options* o, real* w, const real* dw, real* v) noexcept nogil:
    cdef real lr = <real>o.lr, decay = <real>o.weight_decay, momentum = <real>o.momentum, d
    cdef real fresh = <real>(1 - o.dampening)
    cdef long j
    if v == NULL:
        for j in range(n):
            w[j] = w[j] - lr * decayed(dw[j], w[j], decay)
    elif o.nesterov:
        for j in range(n):
            d = decayed(dw[j], w[j], decay)
            v[j] = momentum * v[j] + fresh * d
            w[j] = w[j] - lr * (d + momentum * v[j])
    else:
        for j in range(n):
            v[j] = momentum * v[j] + fresh * decayed(dw[j], w[j], decay)
            w[j] = w[j] - lr * v[j]


cdef void adam_step(size_t itemsize, long n, const step_options* options, void* w, const void* dw, void* m,
                    void* v, void* h) noexcept nogil:
    if itemsize == sizeof(float):
        adam_step_of(n, options, <float*>w, <const float*>dw, <float*>m, <float*>v, <float*>h)
    else:
        adam_step_of(n, options, <double*>w, <const double*>dw, <double*>m, <double*>v, <double*>h)


cdef void adam_step_of(long n, const step_options* o, real* w, const real* dw, real* m, real* v,
                       real* h) noexcept nogil:
    """scale = lr / (1 - beta1^t), shrink = sqrt(1 - beta2^t)"""
    cdef real beta1 = <real>o.beta1, fresh1 = <real>(1 - o.beta1), beta2 = <real>o.beta2, fresh2 = <real>(1 - o.beta2)
    cdef real keep = <real>(1 - o.lr * o.weight_decay) if o.decoupled else 1
    cdef real decay = 0 if o.decoupled else <real>o.weight_decay
    cdef real eps = <real>o.eps, scale = <real>o.scale, shrink = <real>o.shrink, d, spread
    cdef long j
    for j in range(n):
        d = decayed(dw[j], w[j], decay)
        m[j] = beta1 * m[j] + fresh1 * d
        v[j] = beta2 * v[j] + fresh2 * d * d
        spread = v[j]
        if h != NULL:
            h[j] = h[j] if h[j] > spread else spread
            spread = h[j]
        w[j] = keep * w[j] - scale * m[j] / (root(spread) / shrink + eps)


cdef void rmsprop_step(size_t itemsize, long n, const step_options* options, void* w, const void* dw, void* v, void* g,
                       void* b) noexcept nogil:
    if itemsize == sizeof(float):
        rmsprop_step_of(n, options, <float*>w, <const float*>dw, <float*>v, <float*>g, <float*>b)
    else:
        rmsprop_step_of(n, options, <double*>w, <const double*>dw, <double*>v, <double*>g, <double*>b)


cdef void rmsprop_step_of(long n, const step_options* o, real* w, const real* dw, real* v, real* g,
                          real* b) noexcept nogil:
    cdef real lr = <real>o.lr, decay = <real>o.weight_decay, alpha = <real>o.beta2, fresh = <real>(1 - o.beta2)
    cdef real eps = <real>o.eps, momentum = <real>o.momentum, d, spread, u
    cdef long j
    for j in range(n):
        d = decayed(dw[j], w[j], decay)
        v[j] = alpha * v[j] + fresh * d * d
        spread = v[j]
        if g != NULL:
            g[j] = alpha * g[j] + fresh * d
            spread = spread - g[j] * g[j]
            spread = 0 if spread < 0 else spread  # a variance that only rounding makes negative
        u = d / (root(spread) + eps)
        if b != NULL:
            b[j] = momentum * b[j] + u
            u = b[j]
        w[j] = w[j] - lr * u


cdef void adagrad_step(size_t itemsize, long n, const step_options* options, void* w, const void* dw,
                       void* s) noexcept nogil:
    if itemsize == sizeof(float):
        adagrad_step_of(n, options, <float*>w, <const float*>dw, <float*>s)
    else:
        adagrad_step_of(n, options, <double*>w, <const double*>dw, <double*>s)


cdef void adagrad_step_of(long n, const step_options* o, real* w, const real* dw, real* s) noexcept nogil:
    """scale = lr / (1 + (t - 1) * lr_decay)"""
    cdef real decay = <real>o.weight_decay, eps = <real>o.eps, scale = <real>o.scale, d
    cdef long j
    for j in range(n):
        d = decayed(dw[j], w[j], decay)
        s[j] = s[j] + d * d
        w[j] = w[j] - scale * d / (root(s[j]) + eps)
