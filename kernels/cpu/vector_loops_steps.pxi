# The loops of kernels/optimizers: one step for n numbers of one parameter. The options are the same for all numbers, so
# the compiler moves the conditions out of the loops.

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
    cdef real undamped = <real>(1 - o.dampening)
    cdef long j
    # d = dw + weight_decay * w
    if v == NULL:
        # w = w - lr * d
        for j in range(n):
            w[j] = w[j] - lr * decayed(dw[j], w[j], decay)
    elif o.nesterov:
        # v = momentum * v + (1 - dampening) * d,  w = w - lr * (d + momentum * v)
        for j in range(n):
            d = decayed(dw[j], w[j], decay)
            v[j] = momentum * v[j] + undamped * d
            w[j] = w[j] - lr * (d + momentum * v[j])
    else:
        # v = momentum * v + (1 - dampening) * d,  w = w - lr * v
        for j in range(n):
            v[j] = momentum * v[j] + undamped * decayed(dw[j], w[j], decay)
            w[j] = w[j] - lr * v[j]


cdef void adam_step(size_t itemsize, long n, const step_options* options, void* w, const void* dw, void* m,
                    void* v, void* h) noexcept nogil:
    if itemsize == sizeof(float):
        adam_step_of(n, options, <float*>w, <const float*>dw, <float*>m, <float*>v, <float*>h)
    else:
        adam_step_of(n, options, <double*>w, <const double*>dw, <double*>m, <double*>v, <double*>h)


cdef void adam_step_of(long n, const step_options* o, real* w, const real* dw, real* m, real* v,
                       real* h) noexcept nogil:
    """scale = lr / (1 - beta1^t), root_scale = sqrt(1 - beta2^t)"""
    cdef real beta1 = <real>o.beta1, rest1 = <real>(1 - o.beta1), beta2 = <real>o.beta2, rest2 = <real>(1 - o.beta2)
    cdef real kept = <real>(1 - o.lr * o.weight_decay) if o.decoupled else 1
    cdef real decay = 0 if o.decoupled else <real>o.weight_decay
    cdef real eps = <real>o.eps, scale = <real>o.scale, root_scale = <real>o.root_scale, d, v_or_h
    cdef long j
    for j in range(n):
        # d = dw + weight_decay * w, unless decoupled
        d = decayed(dw[j], w[j], decay)
        # m = beta1 * m + (1 - beta1) * d,  v = beta2 * v + (1 - beta2) * d^2
        m[j] = beta1 * m[j] + rest1 * d
        v[j] = beta2 * v[j] + rest2 * d * d
        v_or_h = v[j]
        if h != NULL:
            # h = max(h, v), which replaces v
            h[j] = h[j] if h[j] > v_or_h else v_or_h
            v_or_h = h[j]
        # w = w - lr * weight_decay * w if decoupled,  w = w - lr * (m / (1-beta1^t)) / (sqrt(v / (1-beta2^t)) + eps)
        w[j] = kept * w[j] - scale * m[j] / (root(v_or_h) / root_scale + eps)


cdef void rmsprop_step(size_t itemsize, long n, const step_options* options, void* w, const void* dw, void* v, void* g,
                       void* b) noexcept nogil:
    if itemsize == sizeof(float):
        rmsprop_step_of(n, options, <float*>w, <const float*>dw, <float*>v, <float*>g, <float*>b)
    else:
        rmsprop_step_of(n, options, <double*>w, <const double*>dw, <double*>v, <double*>g, <double*>b)


cdef void rmsprop_step_of(long n, const step_options* o, real* w, const real* dw, real* v, real* g,
                          real* b) noexcept nogil:
    cdef real lr = <real>o.lr, decay = <real>o.weight_decay, alpha = <real>o.alpha, rest = <real>(1 - o.alpha)
    cdef real eps = <real>o.eps, momentum = <real>o.momentum, d, variance, u
    cdef long j
    for j in range(n):
        # d = dw + weight_decay * w,  v = alpha * v + (1 - alpha) * d^2
        d = decayed(dw[j], w[j], decay)
        v[j] = alpha * v[j] + rest * d * d
        variance = v[j]
        if g != NULL:
            # g = alpha * g + (1 - alpha) * d, and max(v - g^2, 0) replaces v
            g[j] = alpha * g[j] + rest * d
            variance = variance - g[j] * g[j]
            variance = 0 if variance < 0 else variance  # negative only by rounding
        # u = d / (sqrt(v) + eps)
        u = d / (root(variance) + eps)
        if b != NULL:
            # b = momentum * b + u, which replaces u
            b[j] = momentum * b[j] + u
            u = b[j]
        # w = w - lr * u
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
        # d = dw + weight_decay * w,  s = s + d^2,  w = w - scale * d / (sqrt(s) + eps)
        d = decayed(dw[j], w[j], decay)
        s[j] = s[j] + d * d
        w[j] = w[j] - scale * d / (root(s[j]) + eps)
