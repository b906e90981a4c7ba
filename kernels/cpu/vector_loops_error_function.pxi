# erf(x) = 2/sqrt(pi) * integral of e^(-t^2) from 0 to x, and P(x), the distribution function of the standard normal
# distribution. Both are computed from the tail beyond |x|, which has one formula from 0 to infinity, without branches.


cdef inline real scaled_beyond(real a) noexcept nogil:
    """e^(a^2) * (1 - erf(a)) for a >= 0: between 1 and 1 / (sqrt(pi) * a).

    Multiplied by a + 3 it is nearly constant: a polynomial in q = (a - 3) / (a + 3), which lies in [-1, 1). Its
    coefficients come from Chebyshev interpolation in 60 digits; the errors are 7e-9 (float) and 2e-17 (double).
    """
    cdef real s = <real>1 / (a + <real>3), q = <real>1 - <real>6 * s, sum
    if real is float:
        sum = <float>-0.000333150355
        sum = sum * q - <float>0.000497142238
        sum = sum * q + <float>0.00307963215
        sum = sum * q - <float>0.00121720932
        sum = sum * q - <float>0.0268374257
        sum = sum * q + <float>0.119527078
        sum = sum * q - <float>0.310466518
        sum = sum * q + <float>0.590228447
        sum = sum * q - <float>0.883394464
        sum = sum * q + <float>1.07400691
    else:
        sum = -1.61318490003255973e-9
        sum = sum * q - 6.38430446823443802e-9
        sum = sum * q + 2.48295622653057457e-9
        sum = sum * q + 4.88130179326096554e-8
        sum = sum * q + 4.00925941030505273e-8
        sum = sum * q - 2.33187193384094971e-7
        sum = sum * q - 4.02479420217360044e-7
        sum = sum * q + 9.99501208863118506e-7
        sum = sum * q + 2.7623356535497897e-6
        sum = sum * q - 4.74978324582527004e-6
        sum = sum * q - 1.74694935319034115e-5
        sum = sum * q + 3.03983910010056675e-5
        sum = sum * q + 0.000107561249111467575
        sum = sum * q - 0.000276777898347123935
        sum = sum * q - 0.000548309659577884969
        sum = sum * q + 0.00303406200797332915
        sum = sum * q - 0.00121241662970476244
        sum = sum * q - 0.026827234624950196
        sum = sum * q + 0.119527761287387944
        sum = sum * q - 0.310467261900552675
        sum = sum * q + 0.590228357104100364
        sum = sum * q - 0.883394453169883764
        sum = sum * q + 1.07400690708833971
    return s * sum


cdef inline real erf_of(real x) noexcept nogil:
    """2/sqrt(pi) * (x - x^3/3 + x^5/(2! * 5) - x^7/(3! * 7) + ...) near 0, else 1 - (1 - erf(|x|)), with x's sign."""
    cdef real limit = 4 if real is float else 6  # erf(limit) is 1
    cdef real a = magnitude(x), square, sum, near, far
    a = limit if a > limit else a
    square = a * a
    far = <real>1 - exp_of(-square) * scaled_beyond(a)
    if real is float:
        sum = <float>(1.0 / (720 * 13))
    else:
        sum = 1.0 / (479001600.0 * 25)
        sum = 1.0 / (39916800.0 * 23) - square * sum
        sum = 1.0 / (3628800.0 * 21) - square * sum
        sum = 1.0 / (362880.0 * 19) - square * sum
        sum = 1.0 / (40320.0 * 17) - square * sum
        sum = 1.0 / (5040.0 * 15) - square * sum
        sum = 1.0 / (720.0 * 13) - square * sum
    sum = <real>(1.0 / (120 * 11)) - square * sum
    sum = <real>(1.0 / (24 * 9)) - square * sum
    sum = <real>(1.0 / (6 * 7)) - square * sum
    sum = <real>(1.0 / (2 * 5)) - square * sum
    sum = <real>(1.0 / 3) - square * sum
    near = <real>1.1283791670955126 * x * (<real>1 - square * sum)  # 2/sqrt(pi)
    far = -far if x < 0 else far
    return near if a < <real>0.5 else far


cdef inline real normal_density(real x) noexcept nogil:
    """The density of the standard normal distribution, P'(x) = e^(-x^2/2) / sqrt(2 * pi)."""
    return exp_of(x * x * <real>-0.5) * <real>0.3989422804014327


cdef inline real normal_below(real x) noexcept nogil:
    """P(x) = 1 - beyond for x >= 0 and beyond below, where beyond = (1 - erf(|x| / sqrt(2))) / 2."""
    cdef real a = magnitude(x) * <real>0.7071067811865476
    cdef real beyond = <real>0.5 * exp_of(x * x * <real>-0.5) * scaled_beyond(a)
    return <real>1 - beyond if x >= 0 else beyond
