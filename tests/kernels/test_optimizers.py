"""Optimizer steps of the fast implementations against the reference: several steps, many arrays, in any memory."""

import numpy as np
import pytest

from minidl import kernels

from .common import FLOATS, ORDERS, arrays_of, assert_threads_change_no_bit, cpu_backends, laid_out

BACKENDS = cpu_backends("optimizers")
SHAPES = [(3,), (), (0,), (20, 7, 3, 3), (1,), (70, 300), (16,), (2, 3, 4, 5)]

# name: (function, how many lists of memory, whether it counts steps, options)
STEPS = {
    "sgd": ("sgd_step", 0, False, {"lr": 0.1}),
    "sgd decay": ("sgd_step", 0, False, {"lr": 0.1, "weight_decay": 0.1}),
    "sgd momentum": ("sgd_step", 1, False, {"lr": 0.1, "momentum": 0.9, "dampening": 0.2, "weight_decay": 0.1}),
    "sgd nesterov": ("sgd_step", 1, False, {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    "adam": ("adam_step", 2, True, {"lr": 0.01}),
    "adam decay": ("adam_step", 2, True, {"lr": 0.01, "beta1": 0.8, "eps": 1e-3, "weight_decay": 0.1}),
    "adamw": ("adam_step", 2, True, {"lr": 0.01, "weight_decay": 0.1, "decoupled": True}),
    "adam amsgrad": ("adam_step", 3, True, {"lr": 0.01, "beta2": 0.5, "weight_decay": 0.1}),
    "rmsprop": ("rmsprop_step", 1, False, {"lr": 0.01, "weight_decay": 0.1}),
    "rmsprop centered": ("rmsprop_step", 3, False, {"lr": 0.01, "alpha": 0.9, "momentum": 0.5, "eps": 1e-2}),
    "adagrad": ("adagrad_step", 1, True, {"lr": 0.1, "lr_decay": 0.1, "weight_decay": 0.1}),
}


def after_steps(name, backend, dtype, order="C", gradient_order="C", first_step=1):
    """ws and all that is remembered, after three steps."""
    function, memories, counts, options = STEPS[name]

    def arrays(seed, kind=order):
        made = [np.array(arrays_of(shape, dtype, seed + i)) for i, shape in enumerate(SHAPES)]
        return [laid_out(x, kind) if x.ndim else x for x in made]

    ws = arrays(0)
    remembered = [[np.abs(x) * 0.1 + 1 for x in arrays(100 * (k + 1))] for k in range(memories)]
    if name == "rmsprop centered":
        remembered[1] = [x * 0.1 for x in remembered[1]]  # a variance must not be negative
    remembered = [[laid_out(x, order) if x.ndim else np.array(x) for x in xs] for xs in remembered]
    with kernels.use_backend(backend, strict=True):
        for t in range(first_step, first_step + 3):
            dws = arrays(1000 * t, gradient_order)
            steps = ([t + i for i in range(len(ws))],) if counts else ()
            getattr(kernels.optimizers, function)(ws, dws, *remembered[:2], *steps, *remembered[2:], **options)
    return [x for xs in (ws, *remembered) for x in xs]


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_as_the_reference(backend, dtype, name):
    eps = np.finfo(dtype).eps
    for actual, expected in zip(after_steps(name, backend, dtype), after_steps(name, "reference", dtype), strict=True):
        assert actual.dtype == dtype
        np.testing.assert_allclose(actual, expected, rtol=20 * eps, atol=20 * eps)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("gradient_order", ORDERS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_any_memory(backend, order, gradient_order):
    """What has gaps is changed where it lies, and so is what has none."""
    actual = after_steps("adam", backend, "float32", order, gradient_order)
    expected = after_steps("adam", "reference", "float32")
    for x, y in zip(actual, expected, strict=True):
        np.testing.assert_allclose(x, y, rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("name", STEPS)
def test_threads_change_no_bit(name):
    assert_threads_change_no_bit(lambda: after_steps(name, "auto", "float32"))


@pytest.mark.skipif("cython" not in BACKENDS, reason="not compiled here")
@pytest.mark.parametrize("size", [100, 100_000])  # in the calling thread alone, and in the pool
def test_denormal_memory_counts_as_zero(size):
    """It costs a hundred times the time; in the caller's own arithmetic it stays what it is."""
    denormal = np.float32(1e-40)
    w, v = np.ones(size, np.float32), np.full(size, denormal)
    with kernels.use_backend("cython", strict=True):
        kernels.optimizers.sgd_step([w], [np.zeros(size, np.float32)], [v], lr=0.1, momentum=0.9)
    assert not v.any() and (w == 1).all()
    assert denormal * np.float32(1) > 0


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize("backend", ["reference", *BACKENDS])
def test_infinite_weights_stay_what_they_are(backend, name):
    """A bias of -inf hides a class for good, and its gradient is 0. (A decay of it is infinite too.)"""
    function, memories, counts, options = STEPS[name]
    options = {key: value for key, value in options.items() if key != "weight_decay"}
    w, dw = np.array([-np.inf, 1.0, np.inf]), np.array([0.0, 1.0, 0.0])
    remembered = [[np.zeros(3)] for _ in range(memories)]
    steps = ([1],) if counts else ()
    with kernels.use_backend(backend, strict=True):
        getattr(kernels.optimizers, function)([w], [dw], *remembered[:2], *steps, *remembered[2:], **options)
    assert w[0] == -np.inf and w[1] < 1 and w[2] == np.inf


@pytest.mark.parametrize("backend", ["reference", *BACKENDS])
def test_a_variance_that_rounding_makes_negative(backend):
    """Of a gradient that does not change, v - g^2 is 0 but for rounding: no root may be taken of what is below."""
    w, dw, v, g = np.zeros(3, "f4"), np.ones(3, "f4"), np.ones(3, "f4"), np.full(3, 1 + 1e-5, "f4")
    with kernels.use_backend(backend, strict=True):
        kernels.optimizers.rmsprop_step([w], [dw], [v], [g], lr=0.5, eps=0.125)
    np.testing.assert_array_equal(w, -4)  # w - lr * dw / (sqrt(0) + eps)


DEFAULTS = {
    "sgd": dict(momentum=0.0, dampening=0.0, weight_decay=0.0, nesterov=False),
    "adam": dict(beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.0, decoupled=False),
    "rmsprop": dict(alpha=0.99, eps=1e-8, weight_decay=0.0, momentum=0.0),
    "adagrad": dict(lr_decay=0.0, eps=1e-10, weight_decay=0.0),
}


@pytest.mark.parametrize("name, left_out", [(name, option) for name in DEFAULTS for option in DEFAULTS[name]])
def test_settings_left_out(name, left_out):
    others = {option: True if option == "nesterov" else 0.5 for option in DEFAULTS[name] if option != left_out}
    states = {"sgd": 1, "adam": 2, "rmsprop": 3, "adagrad": 1}[name]
    results = []
    for options in (others, others | {left_out: DEFAULTS[name][left_out]}):
        w, dw, *kept = [[np.abs(x)] for x in arrays_of((2 + states, 5), "float64", 0)]
        getattr(kernels.optimizers, f"{name}_step")(
            w, dw, *kept, *([[3]] if name in ("adam", "adagrad") else []), lr=0.1, **options
        )
        results.append(w)
    np.testing.assert_array_equal(*results)


def test_bad_arguments():
    w = [np.ones((2, 3)), np.ones(4)]
    for arguments, options, error, words in (
        (([], []), {}, ValueError, "ws is empty"),
        ((w, w[:1]), {}, ValueError, "dws must have one array for each of the 2"),
        ((w, [w[0], np.ones(5)]), {}, ValueError, r"dws\[1\] must have the shape of ws\[1\], \(4,\), got \(5,\)"),
        ((w, [w[0].astype("f4"), w[1]]), {}, TypeError, r"ws\[0\] float64 and dws\[0\] float32"),
        (([w[0], w[1].astype("f4")], w), {}, TypeError, r"ws\[0\] float64 and ws\[1\] float32"),
        (([w[0], None], w), {}, TypeError, r"ws\[1\] must be a NumPy or CuPy array, got NoneType"),
        ((w, [w[0], None]), {}, TypeError, r"dws\[1\] must be a NumPy or CuPy array, got NoneType"),
        ((w, w), {"momentum": 0.9}, ValueError, "momentum 0.9 needs the velocities vs"),
    ):
        with pytest.raises(error, match=words):
            kernels.optimizers.sgd_step(*arguments, lr=0.1, **options)
    for steps in ([1, 0], [1], [1, 1, 1]):
        with pytest.raises(ValueError, match="steps must have a number from 1"):
            kernels.optimizers.adam_step(w, w, w, w, steps, lr=0.1)
        with pytest.raises(ValueError, match="steps must have a number from 1"):
            kernels.optimizers.adagrad_step(w, w, w, steps, lr=0.1)
    with pytest.raises(ValueError, match="momentum 0.9 needs the velocities bs"):
        kernels.optimizers.rmsprop_step(w, w, w, lr=0.1, momentum=0.9)
    short = [w[0], w[1][:3]]
    adam, rmsprop, adagrad = (getattr(kernels.optimizers, f"{name}_step") for name in ("adam", "rmsprop", "adagrad"))
    for name, call in (
        ("dws", lambda: adam(w, short, w, w, [1, 1], lr=0.1)),
        ("ms", lambda: adam(w, w, short, w, [1, 1], lr=0.1)),
        ("vs", lambda: adam(w, w, w, short, [1, 1], lr=0.1)),
        ("hs", lambda: adam(w, w, w, w, [1, 1], short, lr=0.1)),
        ("dws", lambda: rmsprop(w, short, w, lr=0.1)),
        ("vs", lambda: rmsprop(w, w, short, lr=0.1)),
        ("gs", lambda: rmsprop(w, w, w, short, lr=0.1)),
        ("bs", lambda: rmsprop(w, w, w, None, short, lr=0.1, momentum=0.9)),
        ("dws", lambda: adagrad(w, short, w, [1, 1], lr=0.1)),
        ("ss", lambda: adagrad(w, w, short, [1, 1], lr=0.1)),
        ("vs", lambda: kernels.optimizers.sgd_step(w, w, short, lr=0.1, momentum=0.9)),
    ):
        with pytest.raises(ValueError, match=rf"{name}\[1\] must have the shape of ws\[1\], \(4,\), got \(3,\)"):
            call()
