# The loops of kernels/activations; each formula once for float and once for double.


cdef void activation_forward(activation f, size_t itemsize, long n, const void* x, void* y, double parameter,
                             double second_parameter) noexcept nogil:
    if itemsize == sizeof(float):
        activation_forward_of(f, n, <const float*>x, <float*>y, <float>parameter, <float>second_parameter)
    else:
        activation_forward_of(f, n, <const double*>x, <double*>y, parameter, second_parameter)


cdef void activation_forward_of(activation f, long n, const real* x, real* y, real parameter,
                                real second_parameter) noexcept nogil:
    cdef real low = parameter, high = second_parameter, delta = parameter, c
    cdef long i
    if f == RELU:
        # y = max(x, 0), NaN for NaN
        for i in range(n):
            y[i] = 0 if x[i] <= 0 else x[i]
    elif f == LEAKY_RELU:
        # y = x where x > 0, slope * x elsewhere
        for i in range(n):
            y[i] = x[i] if x[i] > 0 else parameter * x[i]
    elif f == ELU:
        # y = x where x >= 0 (-0 too), alpha * (e^x - 1) elsewhere
        for i in range(n):
            y[i] = x[i] if x[i] >= 0 else parameter * expm1_of(x[i])
    elif f == TANH:
        for i in range(n):
            y[i] = tanh_of(x[i])
    elif f == SIGMOID:
        for i in range(n):
            y[i] = sigmoid_of(x[i])
    elif f == SILU:
        # y = x * sigmoid(x)
        for i in range(n):
            y[i] = x[i] * sigmoid_of(x[i])
    elif f == GELU:
        # y = x * P(x),  P(x) = (1 + erf(x / sqrt(2))) / 2
        for i in range(n):
            y[i] = x[i] * normal_below(x[i])
    elif f == GELU_TANH:
        # y = x/2 * (1 + tanh(u)) = x * sigmoid(2u),  u = sqrt(2/pi) * (x + 0.044715 * x^3)
        for i in range(n):
            y[i] = x[i] * sigmoid_of(gelu_argument(x[i]))
    elif f == HARDSIGMOID:
        for i in range(n):
            y[i] = hardsigmoid_of(x[i])
    elif f == HARDSWISH:
        # y = x * hardsigmoid(x)
        for i in range(n):
            y[i] = x[i] * hardsigmoid_of(x[i])
    elif f == CLIP:
        for i in range(n):
            y[i] = clip_of(x[i], low, high)
    elif f == HUBER:
        # y = c * (x - c/2),  c = min(max(x, -delta), delta)
        for i in range(n):
            c = clip_of(x[i], -delta, delta)
            y[i] = c * (x[i] - <real>0.5 * c)
    elif f == ERF:
        for i in range(n):
            y[i] = erf_of(x[i])
    elif f == SOFTPLUS:
        # y = log(1 + e^x) = max(x, 0) + log(1 + e^-|x|)
        for i in range(n):
            y[i] = (x[i] if x[i] > 0 else <real>0) + log1p_of(exp_of(-magnitude(x[i])))
    elif f == EXP:
        for i in range(n):
            y[i] = exp_of_any(x[i])
    elif f == EXPM1:
        for i in range(n):
            y[i] = expm1_of_any(x[i])


cdef inline real gelu_argument(real x) noexcept nogil:
    """2u = 2 * sqrt(2/pi) * (x + 0.044715 * x^3)."""
    return <real>1.5957691216057308 * (x + <real>0.044715 * x * x * x)


cdef inline real hardsigmoid_of(real x) noexcept nogil:
    """min(max(x + 3, 0), 6) / 6, and NaN for NaN."""
    return <real>0 if x <= -3 else <real>1 if x >= 3 else (x + <real>3) / <real>6


cdef inline real clip_of(real x, real low, real high) noexcept nogil:
    """min(max(x, low), high), and NaN for NaN."""
    cdef real y = low if x < low else x
    return high if y > high else y


cdef void activation_backward(activation f, size_t itemsize, long n, const void* dy, const void* saved, void* dx,
                              double parameter, double second_parameter) noexcept nogil:
    if itemsize == sizeof(float):
        activation_backward_of(f, n, <const float*>dy, <const float*>saved, <float*>dx, <float>parameter,
                               <float>second_parameter)
    else:
        activation_backward_of(f, n, <const double*>dy, <const double*>saved, <double*>dx, parameter, second_parameter)


cdef void activation_backward_of(activation f, long n, const real* dy, const real* saved, real* dx, real parameter,
                                 real second_parameter) noexcept nogil:
    cdef const real* x = saved
    cdef const real* y = saved
    cdef real low = parameter, high = second_parameter, delta = parameter
    cdef long i
    cdef real s, u
    if f == RELU:
        # dy/dx = 0 where y <= 0, else 1
        for i in range(n):
            dx[i] = 0 if y[i] <= 0 else dy[i]
    elif f == LEAKY_RELU:
        # dy/dx = 1 where x > 0, else slope
        for i in range(n):
            dx[i] = dy[i] if x[i] > 0 else parameter * dy[i]
    elif f == ELU:
        # dy/dx = 1 where x > 0, else alpha * e^x
        for i in range(n):
            dx[i] = dy[i] if x[i] > 0 else dy[i] * parameter * exp_of(x[i])
    elif f == TANH:
        # dy/dx = 1 - y^2
        for i in range(n):
            dx[i] = dy[i] * (<real>1 - y[i] * y[i])
    elif f == SIGMOID:
        # dy/dx = y * (1 - y)
        for i in range(n):
            dx[i] = dy[i] * (y[i] * (<real>1 - y[i]))
    elif f == SILU:
        # dy/dx = s * (1 + x * (1 - s)),  s = sigmoid(x)
        for i in range(n):
            s = sigmoid_of(x[i])
            dx[i] = dy[i] * (s * (<real>1 + x[i] * (<real>1 - s)))
    elif f == GELU:
        # dy/dx = P(x) + x * P'(x)
        for i in range(n):
            dx[i] = dy[i] * (normal_below(x[i]) + x[i] * normal_density(x[i]))
    elif f == GELU_TANH:
        # dy/dx = s * (1 + x * (1 - s) * 2u'),  s = sigmoid(2u),  2u' = 2 * sqrt(2/pi) * (1 + 3 * 0.044715 * x^2)
        for i in range(n):
            s = sigmoid_of(gelu_argument(x[i]))
            u = <real>1.5957691216057308 * (<real>1 + <real>0.134145 * x[i] * x[i])
            dx[i] = dy[i] * (s * (<real>1 + x[i] * (<real>1 - s) * u))
    elif f == HARDSIGMOID:
        # dy/dx = 1/6 where -3 < x < 3, else 0
        for i in range(n):
            dx[i] = dy[i] / 6 if -3 < x[i] < 3 else 0
    elif f == HARDSWISH:
        # dy/dx = x/3 + 1/2 where -3 < x < 3, 0 below, 1 above
        for i in range(n):
            dx[i] = 0 if x[i] <= -3 else dy[i] if x[i] >= 3 else dy[i] * (x[i] / <real>3 + <real>0.5)
    elif f == CLIP:
        # dy/dx = 1 where low <= x <= high, else 0
        for i in range(n):
            dx[i] = dy[i] if low <= x[i] <= high else 0
    elif f == HUBER:
        # dy/dx = c
        for i in range(n):
            dx[i] = dy[i] * clip_of(x[i], -delta, delta)
