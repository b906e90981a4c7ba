"""Dropout, with Philox in the integer arithmetic of the array module."""

from ..arrays import array_module

LOW = 0xFFFFFFFF


def forward(x, p, key):
    xp = array_module(x)
    words = philox(xp, xp.arange((x.size + 3) // 4, dtype=xp.uint64), key)
    number = xp.stack(words, 1).reshape(-1)[: x.size].reshape(x.shape)  # u * 2^32
    # y = x / (1 - p) where u >= p, else 0
    return xp.where(number >= int(p * 2**32), x * (1 / (1 - p)), x.dtype.type(0))


def philox(xp, counter, key):
    """The four 32-bit words of Philox4x32-10 for each counter, in uint64."""
    x0, x1 = counter & LOW, counter >> 32
    x2 = x3 = xp.zeros_like(counter)
    k0, k1 = key & LOW, key >> 32
    for _ in range(10):
        a, b = x0 * 0xD2511F53, x2 * 0xCD9E8D57
        x0, x1, x2, x3 = (b >> 32) ^ x1 ^ k0, b & LOW, (a >> 32) ^ x3 ^ k1, a & LOW
        k0, k1 = (k0 + 0x9E3779B9) & LOW, (k1 + 0xBB67AE85) & LOW
    return x0, x1, x2, x3
