"""Check gradients against finite differences: change one number at a time, and see how the result changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minidl.autograd.engine import grad
from minidl.autograd.grad_mode import enable_grad, is_grad_enabled, no_grad
from minidl.autograd.tensor import Tensor, tensor


class GradientCheckError(AssertionError):
    """A gradient disagrees with the finite difference."""


def gradcheck(
    func: Callable[..., Any],
    inputs: Tensor | Sequence[Any],
    *,
    eps: float = 1e-6,
    atol: float = 1e-7,
    rtol: float = 1e-5,
    seed: int = 0,
    raise_exception: bool = True,
) -> bool:
    """Check the gradients of ``func(*inputs)`` against central differences.

    The outputs are projected onto a random cotangent v, L = sum(v * y). (A plain sum would hide errors in softmax,
    whose outputs always add up to 1.) For each number x[i] of each input that requires grad

        difference = (L(x[i] + eps) - L(x[i] - eps)) / (2 eps)
        passes if |dx[i] - difference| <= atol + rtol * |difference|

    Parameters
    ----------
    func : callable
        Takes the inputs and returns a Tensor or a tuple of them; those that are not floating point are ignored.
    inputs : Tensor or sequence
        Tensors with ``requires_grad`` are checked. They must be float64, as float32 has too few digits for a
        difference, and not at a kink (0 for relu, ties for max). Anything else is passed on unchanged.
    eps : float
        How far each number is changed. The error of a central difference is about eps^2 times the third derivative,
        plus 1e-16 / eps from rounding: 1e-6 leaves 9 to 10 digits.
    atol, rtol : float
        The tolerances in the formula above.
    seed : int
        Seed of the random cotangent.
    raise_exception : bool
        Whether to raise on a failure; else False is returned.

    Raises
    ------
    GradientCheckError
        Names the input, the index, both values and the relative error.

    Examples
    --------
    >>> import minidl
    >>> x = minidl.tensor([[0.5, -1.0]], dtype="float64", requires_grad=True)
    >>> minidl.gradcheck(lambda x: (x * x).tanh(), [x])
    True
    """
    options = {"eps": eps, "atol": atol, "rtol": rtol, "seed": seed}
    return _passes(worst_gradient_error, func, inputs, options, raise_exception)


def gradgradcheck(
    func: Callable[..., Any],
    inputs: Tensor | Sequence[Any],
    *,
    eps: float = 1e-6,
    atol: float = 1e-7,
    rtol: float = 1e-5,
    seed: int = 0,
    raise_exception: bool = True,
) -> bool:
    """Check second derivatives: :func:`gradcheck` of the gradients, as a function of the inputs and the cotangents.

    The gradients themselves must be those that are computed where nothing is recorded, up to the same tolerances: a
    rule may go another way for Tensors, and be wrong there with a derivative that is right.

    Examples
    --------
    >>> import minidl
    >>> x = minidl.tensor([0.5, -1.0], dtype="float64", requires_grad=True)
    >>> minidl.gradgradcheck(lambda x: x.exp(), [x])
    True
    """
    options = {"eps": eps, "atol": atol, "rtol": rtol, "seed": seed}
    return _passes(worst_second_order_error, func, inputs, options, raise_exception)


def _passes(measure: Callable, function: Callable, inputs: Any, options: dict[str, Any], raise_exception: bool) -> bool:
    try:
        measure(function, inputs, **options)
    except GradientCheckError:
        if raise_exception:
            raise
        return False
    return True


def gradient_function(
    function: Callable[..., Any], inputs: Any, *, seed: int = 0
) -> tuple[Callable[..., Any], list[Any]]:
    """The function (inputs, cotangents) -> gradients of `function`, and its arguments: `inputs`, random cotangents."""
    inputs = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    random = np.random.default_rng(seed)
    with no_grad():
        outputs = _floating(function(*inputs))
    cotangents = [tensor(random.standard_normal(y.shape), y.dtype, y.device, requires_grad=True) for y in outputs]

    def first_order(*arguments: Any) -> tuple[Tensor, ...]:
        create_graph = is_grad_enabled()  # finite differences call it under no_grad, and need values alone
        arguments, dy = arguments[: len(inputs)], arguments[len(inputs) :]
        checked = [x for x in arguments if isinstance(x, Tensor) and x.requires_grad]
        with enable_grad():
            gradients = _gradients(_floating(function(*arguments)), checked, dy, create_graph)
        return tuple(dx for dx in gradients if dx is not None)

    return first_order, inputs + cotangents


def worst_gradient_error(
    function: Callable[..., Any],
    inputs: Tensor | Sequence[Any],
    *,
    eps: float = 1e-6,
    atol: float = 1e-7,
    rtol: float = 1e-5,
    seed: int = 0,
) -> float:
    """The largest |gradient - difference| / max(1, |difference|) over all inputs; raises as :func:`gradcheck` does."""
    inputs = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    checked = [(i, x) for i, x in enumerate(inputs) if isinstance(x, Tensor) and x.requires_grad]
    if not checked:
        raise ValueError("gradcheck needs at least one input with requires_grad=True")
    for i, x in checked:
        if x.dtype != np.float64:
            raise TypeError(f"gradcheck needs float64 inputs, inputs[{i}] is {x.dtype}; use x.double()")

    outputs = _floating(function(*inputs))
    if not any(y.requires_grad for y in outputs):
        raise GradientCheckError("no output depends on an input that requires grad: the gradient is lost on the way")
    random = np.random.default_rng(seed)
    cotangents = [tensor(random.standard_normal(y.shape), y.dtype, y.device) for y in outputs]
    gradients = _gradients(outputs, [x for _, x in checked], cotangents)

    def projected() -> float:
        # L = sum over outputs of sum(v * y)
        with no_grad():
            return sum(float((v.data * y.data).sum()) for y, v in zip(_floating(function(*inputs)), cotangents))

    worst = 0.0
    for (i, x), dx in zip(checked, gradients):
        differences = finite_differences(projected, x, eps)
        values = np.zeros(x.shape) if dx is None else dx.numpy()
        errors = abs(values - differences)
        index = _first_wrong(values, differences, atol, rtol)
        if index is not None:
            value, difference, error = values[index], differences[index], errors[index]
            raise GradientCheckError(
                f"gradient of inputs[{i}] at index {index}: the rule gives {value:.10g}, the finite difference is "
                f"{difference:.10g} (relative error {error / max(abs(difference), 1e-300):.1e})"
            )
        worst = max(worst, float((errors / np.maximum(1, abs(differences))).max(initial=0)))
    return worst


def worst_second_order_error(
    function: Callable[..., Any],
    inputs: Tensor | Sequence[Any],
    *,
    eps: float = 1e-6,
    atol: float = 1e-7,
    rtol: float = 1e-5,
    seed: int = 0,
) -> float:
    """:func:`worst_gradient_error` of the gradients; raises as :func:`gradgradcheck` does."""
    gradients, arguments = gradient_function(function, inputs, seed=seed)
    recorded = gradients(*arguments)
    with no_grad():
        plain = gradients(*arguments)
    for i, (dx, expected) in enumerate(zip(recorded, plain, strict=True)):
        index = _first_wrong(dx.numpy(), expected.numpy(), atol, rtol)
        if index is not None:
            raise GradientCheckError(
                f"gradient {i} at index {index}: with create_graph=True the rule gives {dx.numpy()[index]:.10g}, "
                f"without it {expected.numpy()[index]:.10g}"
            )
    return worst_gradient_error(gradients, arguments, eps=eps, atol=atol, rtol=rtol, seed=seed + 1)


def finite_differences(function: Callable[[], float], x: Tensor, eps: float) -> np.ndarray:
    """difference[i] = (L(x[i] + eps) - L(x[i] - eps)) / (2 eps) for each number of x, where `function` computes L."""
    differences = np.empty(x.shape)
    original, x.data = x.data, x.data.copy()
    try:
        for index in np.ndindex(x.shape):
            before = float(original[index])
            x.data[index] = before + eps
            above = function()
            x.data[index] = before - eps
            below = function()
            x.data[index] = before
            differences[index] = (above - below) / (2 * eps)
    finally:
        x.data = original
    return differences


def _gradients(outputs: list[Tensor], inputs: list[Tensor], dy: Sequence[Tensor], create_graph: bool = False) -> Any:
    """dx of each input, None for one that is not used; outputs that no input leads to are left out."""
    used = [(y, v) for y, v in zip(outputs, dy) if y.requires_grad]
    return grad([y for y, _ in used], inputs, [v for _, v in used], create_graph=create_graph, allow_unused=True)


def _first_wrong(values: np.ndarray, expected: np.ndarray, atol: float, rtol: float) -> tuple[int, ...] | None:
    """The index of the first value that is further from the expected one than the tolerances."""
    wrong = np.argwhere(~(abs(values - expected) <= atol + rtol * abs(expected)))  # written so that NaN fails
    return tuple(wrong[0].tolist()) if len(wrong) else None


def _floating(outputs: Any) -> list[Tensor]:
    outputs = outputs if isinstance(outputs, (tuple, list)) else [outputs]
    return [y for y in outputs if isinstance(y, Tensor) and y.is_floating_point()]
