"""Softmax and its gradients by the array module's own exp and sum."""

from ..arrays import array_module


def forward(x):
    xp = array_module(x)
    # y[c] = exp(x[c] - max) / sum_k exp(x[k] - max)
    power = xp.exp(x - x.max(axis=-1, keepdims=True))
    return power / power.sum(axis=-1, keepdims=True)


def log_forward(x):
    xp = array_module(x)
    # y[c] = x[c] - max - log(sum_k exp(x[k] - max))
    shifted = x - x.max(axis=-1, keepdims=True)
    return shifted - xp.log(xp.exp(shifted).sum(axis=-1, keepdims=True))


def input_grad(dy, y):
    # dx[c] = y[c] * (dy[c] - sum_k dy[k] * y[k])
    return y * (dy - (dy * y).sum(axis=-1, keepdims=True))


def log_input_grad(dy, y):
    # dx[c] = dy[c] - exp(y[c]) * sum_k dy[k]
    return dy - array_module(y).exp(y) * dy.sum(axis=-1, keepdims=True)
