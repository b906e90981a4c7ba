# e^x and functions computed from it, for one number: without branches and calls, so that the compiler vectorizes a loop
# over them. Constants are cast, as in <real>1, so that float expressions are not computed in double.

from libc.math cimport copysign, copysignf, fabs, fabsf
from libc.stdint cimport uint32_t, uint64_t

ctypedef fused real:
    float
    double

cdef union float_bits:
    float number
    uint32_t bits

cdef union double_bits:
    double number
    uint64_t bits


cdef inline real shifted(real x) noexcept nogil:
    """n + 1.5 * 2^23 (double: 2^52), where n is the integer nearest to x: up there floats are 1 apart."""
    return x + (<real>12582912 if real is float else <real>6755399441055744)


cdef inline real unshifted(real s) noexcept nogil:
    """n of s = shifted(x)."""
    return s - (<real>12582912 if real is float else <real>6755399441055744)


cdef inline real power_of_two(real s, int up) noexcept nogil:
    """2^(n + up) for s = shifted(x), if that is a normal number: the last bits of s are n, moved to the exponent's."""
    cdef float_bits f
    cdef double_bits d
    if real is float:
        f.number = s
        f.bits = (f.bits << 23) + (<uint32_t>(127 + up) << 23)
        return f.number
    else:
        d.number = s
        d.bits = (d.bits << 52) + (<uint64_t>(1023 + up) << 52)
        return d.number


cdef inline real reduced(real x, real n) noexcept nogil:
    """r = x - n * log(2), where log(2) is split in two parts, so that n times the first is exact."""
    if real is float:
        return (x - n * <float>0.693359375) - n * <float>-2.12194440054690583e-4
    else:
        return (x - n * 6.93147180369123816490e-1) - n * 1.90821492927058770002e-10


cdef inline real expm1_of_small(real r) noexcept nogil:
    """e^r - 1 = r + r^2/2! + ... for |r| <= log(2)/2: the rest of the series is below a tenth of a rounding error."""
    cdef real sum
    if real is float:
        sum = <float>(1.0 / 40320)
    else:
        sum = 1.0 / 87178291200.0
        sum = sum * r + 1.0 / 6227020800.0
        sum = sum * r + 1.0 / 479001600
        sum = sum * r + 1.0 / 39916800
        sum = sum * r + 1.0 / 3628800
        sum = sum * r + 1.0 / 362880
        sum = sum * r + 1.0 / 40320
    sum = sum * r + <real>(1.0 / 5040)
    sum = sum * r + <real>(1.0 / 720)
    sum = sum * r + <real>(1.0 / 120)
    sum = sum * r + <real>(1.0 / 24)
    sum = sum * r + <real>(1.0 / 6)
    sum = sum * r + <real>0.5
    return r + r * r * sum


cdef inline real exp_of(real x) noexcept nogil:
    """e^x = e^r * 2^n for x <= 0, with n = x / log(2), rounded; down to the smallest numbers, NaN for NaN."""
    cdef real lowest = -104 if real is float else -746  # e^lowest is 0
    cdef real y = lowest if x < lowest else x
    cdef real s = shifted(y * <real>1.4426950408889634)
    cdef real power = <real>1 + expm1_of_small(reduced(y, unshifted(s)))  # e^r
    # 2^n may be denormal, so it is applied as 2^(n + 64) * 2^-64 (double: 512).
    if real is float:
        return power * power_of_two(s, 64) * <float>5.421010862427522e-20
    else:
        return power * power_of_two(s, 512) * 7.458340731200207e-155


cdef inline real expm1_of(real x) noexcept nogil:
    """e^x - 1 = 2^n * (e^r - 1) + (2^n - 1) for x <= 0."""
    cdef real lowest = -18 if real is float else -40  # 1 - e^lowest is 1
    cdef real y = lowest if x < lowest else x
    cdef real s = shifted(y * <real>1.4426950408889634), scale = power_of_two(s, 0)
    return scale * expm1_of_small(reduced(y, unshifted(s))) + (scale - <real>1)


cdef inline real exp_of_any(real x) noexcept nogil:
    """e^x = e^r * 2^n as in exp_of, for any x: 2^n in two factors, as it may be too small or too large for one."""
    cdef real lowest = -104 if real is float else -746, highest = 89 if real is float else 710  # e^highest is inf
    cdef real y = lowest if x < lowest else highest if x > highest else x
    cdef real n = unshifted(shifted(y * <real>1.4426950408889634)), half = unshifted(shifted(<real>0.5 * n))
    cdef real power = <real>1 + expm1_of_small(reduced(y, n))  # e^r
    return power * power_of_two(shifted(half), 0) * power_of_two(shifted(n - half), 0)


cdef inline real expm1_of_any(real x) noexcept nogil:
    """e^x - 1 as in expm1_of, for any x and with its sign; from 1 on as twice its half, as 2^n may be too large."""
    cdef real lowest = -18 if real is float else -40, highest = 89 if real is float else 710
    cdef real y = lowest if x < lowest else highest if x > highest else x
    cdef real s = shifted(y * <real>1.4426950408889634), unit = <real>0.5 if y > 1 else <real>1
    cdef real scale = power_of_two(s, 0 if y <= 1 else -1)
    cdef real size = (scale * expm1_of_small(reduced(y, unshifted(s))) + (scale - unit)) / unit
    return copysignf(size, x) if real is float else copysign(size, x)


cdef inline real log1p_of(real e) noexcept nogil:
    """log(1 + e) = 2 * (s + s^3/3 + s^5/5 + ...) with s = e / (2 + e), for 0 <= e <= 1, where s is at most 1/3."""
    cdef real s = e / (e + <real>2), t = s * s, sum
    if real is float:
        sum = <float>(1.0 / 15)
    else:
        sum = 1.0 / 33
        sum = sum * t + 1.0 / 31
        sum = sum * t + 1.0 / 29
        sum = sum * t + 1.0 / 27
        sum = sum * t + 1.0 / 25
        sum = sum * t + 1.0 / 23
        sum = sum * t + 1.0 / 21
        sum = sum * t + 1.0 / 19
        sum = sum * t + 1.0 / 17
        sum = sum * t + 1.0 / 15
    sum = sum * t + <real>(1.0 / 13)
    sum = sum * t + <real>(1.0 / 11)
    sum = sum * t + <real>(1.0 / 9)
    sum = sum * t + <real>(1.0 / 7)
    sum = sum * t + <real>(1.0 / 5)
    sum = sum * t + <real>(1.0 / 3)
    return <real>2 * (s + s * t * sum)


cdef inline real magnitude(real x) noexcept nogil:
    if real is float:
        return fabsf(x)
    else:
        return fabs(x)


cdef inline real tanh_of(real x) noexcept nogil:
    """tanh(x) = -m / (m + 2) with m = e^(-2|x|) - 1 and the sign of x, accurate for small x too; NaN for NaN."""
    cdef real m = expm1_of(<real>-2 * magnitude(x)), size = m / (m + <real>2)
    return copysignf(size, x) if real is float else copysign(size, x)


cdef inline real sigmoid_of(real x) noexcept nogil:
    """1 / (1 + e^-x) for x >= 0, e^x / (1 + e^x) below."""
    cdef real e = exp_of(-magnitude(x))
    return (<real>1 if x >= 0 else e) / (<real>1 + e)
