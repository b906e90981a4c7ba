"""The formulas, array by array and in place."""

from math import sqrt

from ..arrays import array_module


def sgd_step(ws, dws, vs, lr, momentum, dampening, weight_decay, nesterov):
    for i, (w, dw) in enumerate(zip(ws, dws)):
        dw = _decayed(w, dw, weight_decay)
        if momentum:
            # v = momentum * v + (1 - dampening) * dw
            v = vs[i]
            v *= momentum
            v += (1 - dampening) * dw
            # the step is along v, or with nesterov along dw + momentum * v
            dw = dw + momentum * v if nesterov else v
        # w = w - lr * dw
        w -= lr * dw


def adam_step(ws, dws, ms, vs, steps, hs, lr, beta1, beta2, eps, weight_decay, decoupled):
    for i, (w, dw, m, v, t) in enumerate(zip(ws, dws, ms, vs, steps)):
        if decoupled:
            # w = w - lr * weight_decay * w
            w *= 1 - lr * weight_decay
        else:
            dw = _decayed(w, dw, weight_decay)
        # m = beta1 * m + (1 - beta1) * dw
        m *= beta1
        m += (1 - beta1) * dw
        # v = beta2 * v + (1 - beta2) * dw^2
        v *= beta2
        v += (1 - beta2) * (dw * dw)
        if hs is not None:
            # h = max(h, v)
            h = hs[i]
            v = array_module(v).maximum(h, v, out=h)
        # w = w - lr * (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)
        w -= lr / (1 - beta1**t) * m / (array_module(v).sqrt(v) / sqrt(1 - beta2**t) + eps)


def rmsprop_step(ws, dws, vs, gs, bs, lr, alpha, eps, weight_decay, momentum):
    for i, (w, dw, v) in enumerate(zip(ws, dws, vs)):
        dw = _decayed(w, dw, weight_decay)
        # v = alpha * v + (1 - alpha) * dw^2
        v *= alpha
        v += (1 - alpha) * (dw * dw)
        if gs is not None:
            # g = alpha * g + (1 - alpha) * dw
            g = gs[i]
            g *= alpha
            g += (1 - alpha) * dw
            # v = max(v - g^2, 0): a variance, negative only by rounding
            v = array_module(v).maximum(v - g * g, 0)
        # u = dw / (sqrt(v) + eps)
        u = dw / (array_module(v).sqrt(v) + eps)
        if momentum:
            # b = momentum * b + u
            b = bs[i]
            b *= momentum
            b += u
            u = b
        # w = w - lr * u
        w -= lr * u


def adagrad_step(ws, dws, ss, steps, lr, lr_decay, eps, weight_decay):
    for w, dw, s, t in zip(ws, dws, ss, steps):
        dw = _decayed(w, dw, weight_decay)
        # s = s + dw^2
        s += dw * dw
        # w = w - lr / (1 + (t - 1) * lr_decay) * dw / (sqrt(s) + eps)
        w -= lr / (1 + (t - 1) * lr_decay) * dw / (array_module(s).sqrt(s) + eps)


def _decayed(w, dw, weight_decay):
    # dw = dw + weight_decay * w
    return dw + weight_decay * w if weight_decay else dw
