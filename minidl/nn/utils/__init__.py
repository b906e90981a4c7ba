"""Clipping of gradients, evaluation mode, parameters as one vector; in `rnn`, sequences of different lengths."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from minidl.autograd import Tensor, no_grad
from minidl.functional import cat, stack
from minidl.nn.module import Module
from minidl.nn.utils import rnn

__all__ = [
    "clip_grad_norm_", "clip_grad_value_", "evaluation_mode", "parameters_to_vector", "rnn", "vector_to_parameters",
]  # fmt: skip


def _gradients(parameters: Tensor | Iterable[Tensor]) -> list[Tensor]:
    parameters = [parameters] if isinstance(parameters, Tensor) else parameters
    if isinstance(parameters, Module) or not isinstance(parameters, Iterable):
        raise TypeError(
            f"parameters must be an iterable of Tensors, got one {type(parameters).__name__}; "
            "of a module write model.parameters()"
        )
    parameters = list(parameters)
    for parameter in parameters:
        if not isinstance(parameter, Tensor):
            raise TypeError(f"parameters must hold Tensors, got {type(parameter).__name__}")
    return [parameter.grad for parameter in parameters if parameter.grad is not None]


@no_grad
def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor], max_norm: float, norm_type: float = 2.0, error_if_nonfinite: bool = False
) -> Tensor:
    """Scale all gradients together so that their common norm is at most `max_norm`; returns the norm before.

    norm = (sum over all numbers of |dw|^p)^(1/p);  dw *= min(1, max_norm / (norm + 1e-6))

    It is computed as the norm of the gradients' own norms; for p = 0 it counts the gradients that are not all 0.

    Source: Pascanu et al., On the difficulty of training recurrent neural networks, 2013.

    Raises
    ------
    ValueError
        `max_norm` is negative: the steps would lead uphill.
    RuntimeError
        With `error_if_nonfinite`: the norm is inf or NaN. Without, the gradients become 0 or NaN.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> w = minidl.tensor([3.0, 4.0], requires_grad=True)
    >>> (w * w).sum().backward()
    >>> nn.utils.clip_grad_norm_(w, max_norm=5.0), w.grad
    (tensor(10.), tensor([3., 4.]))
    """
    if not max_norm >= 0:
        raise ValueError(f"max_norm must not be negative, got {max_norm}")
    gradients = _gradients(parameters)
    if not gradients:
        return Tensor(0.0)
    total = stack([grad.norm(norm_type) for grad in gradients]).norm(norm_type)
    if error_if_nonfinite and not total.isfinite():
        raise RuntimeError(f"the norm of the gradients is {total.item()}, so they can't be clipped")
    # the factor stays on the gradients' device: nothing waits for its value
    factor = (max_norm / (total + 1e-6)).clip(max=1.0)
    for grad in gradients:
        grad.mul_(factor)
    return total


@no_grad
def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float) -> None:
    """Clip every number of every gradient to +-clip_value.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> w = minidl.tensor([1.0, 2.0], requires_grad=True)
    >>> (w**3).sum().backward()  # 3, 12
    >>> nn.utils.clip_grad_value_([w], 5.0)
    >>> w.grad
    tensor([3., 5.])
    """
    for grad in _gradients(parameters):
        grad.check_writable()
        grad.data.clip(-clip_value, clip_value, out=grad.data)
        grad.changed()


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """All numbers of all parameters in one vector; gradients flow back to them.

    Raises
    ------
    ValueError
        There are no parameters (a generator can be used only once).

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> nn.utils.parameters_to_vector([minidl.tensor([[1.0, 2.0]]), minidl.tensor([3.0])])
    tensor([1., 2., 3.])
    """
    vectors = [parameter.reshape(-1) for parameter in parameters]
    if not vectors:
        raise ValueError("parameters is empty, so there is no vector of them (a generator can be used only once)")
    return cat(vectors)


@no_grad
def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Write the numbers of a vector into the parameters, the inverse of :func:`parameters_to_vector`.

    Raises
    ------
    ValueError
        The vector has not as many numbers as the parameters together.

    Examples
    --------
    >>> import minidl
    >>> from minidl import nn
    >>> layer = nn.Linear(2, 1)
    >>> nn.utils.vector_to_parameters(minidl.tensor([1.0, 2.0, 3.0]), layer.parameters())
    >>> layer.weight, layer.bias
    (Parameter containing:
    tensor([[1., 2.]], requires_grad=True), Parameter containing:
    tensor([3.], requires_grad=True))
    """
    parameters = list(parameters)
    counts = [parameter.numel() for parameter in parameters]
    if vec.shape != (sum(counts),):
        raise ValueError(f"vec must have the {sum(counts)} numbers of the parameters, got shape {vec.shape}")
    for parameter, numbers in zip(parameters, vec.split(counts)):
        parameter.assign_(numbers.reshape(parameter.shape))


@contextmanager
def evaluation_mode(model: Module) -> Iterator[None]:
    """A block in which layers work as in evaluation and nothing is recorded; after it each module has its mode back.

    Examples
    --------
    >>> from minidl import nn
    >>> model = nn.Dropout()
    >>> with nn.utils.evaluation_mode(model):
    ...     model.training
    False
    >>> model.training
    True
    """
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with no_grad():
            yield
    finally:
        for module, mode in modes:
            module.training = mode
