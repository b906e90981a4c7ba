"""Comparing a layer with PyTorch's: the same weights, the same inputs, a random cotangent."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minidl
from minidl import nn

torch = pytest.importorskip("torch", reason="PyTorch, the oracle of these tests, is not installed")
torch.set_num_threads(1)  # more would wait for one another on a busy machine


def as_torch(x: Any) -> Any:
    """A fresh torch tensor of an array, asking for a gradient where that is possible."""
    tensor = torch.from_numpy(np.array(x))
    return tensor.requires_grad_() if tensor.is_floating_point() else tensor


def as_ours(x: Any) -> minidl.Tensor:
    return minidl.Tensor(np.array(x), requires_grad=np.asarray(x).dtype.kind == "f")


def copy_weights(theirs: Any, ours: nn.Module) -> nn.Module:
    """`ours` with the state of `theirs`; the names, their order, shapes and dtypes must agree."""
    state = theirs.state_dict()
    assert list(state) == list(ours.state_dict())
    for name, value in ours.state_dict().items():
        assert value.shape == tuple(state[name].shape), name
    ours.load_state_dict({name: value.numpy().copy() for name, value in state.items()})
    return ours


def flat(outputs: Any) -> list:
    """The tensors of nested tuples, in order; None is left out."""
    if isinstance(outputs, (tuple, list)):
        return [tensor for part in outputs for tensor in flat(part)]
    return [] if outputs is None else [outputs]


def assert_same_layer(theirs: Any, ours: nn.Module, *inputs: Any, tolerance: float = 1e-9, **options: Any) -> None:
    """Outputs, input gradients, weight gradients and buffers of two layers agree, in float64.

    `inputs` are arrays, None, or tuples of arrays; `options` go to both forwards.
    """
    theirs = theirs.double()
    ours = copy_weights(theirs, ours.double())
    given = [tuple(map(as_torch, x)) if isinstance(x, tuple) else None if x is None else as_torch(x) for x in inputs]
    got = [tuple(map(as_ours, x)) if isinstance(x, tuple) else None if x is None else as_ours(x) for x in inputs]
    expected = flat(theirs(*given, **_converted(options, as_torch)))
    found = flat(ours(*got, **_converted(options, as_ours)))
    assert len(expected) == len(found)
    random = np.random.default_rng(5)
    loss, our_loss = 0, 0
    for y, our_y in zip(expected, found):
        assert our_y.dtype == y.detach().numpy().dtype
        assert_close(our_y, y, tolerance, "output")
        if y.requires_grad:
            dy = random.normal(size=tuple(y.shape))
            loss = loss + (y * torch.from_numpy(dy)).sum()
            our_loss = our_loss + (our_y * dy).sum()
    loss.backward()
    our_loss.backward()
    for i, (x, our_x) in enumerate(zip(flat(given), flat(got))):
        if x.is_floating_point():
            assert_close(our_x.grad, x.grad, tolerance, f"gradient of input {i}")
    our_parameters = dict(ours.named_parameters())
    for name, parameter in theirs.named_parameters():
        assert_close(our_parameters[name].grad, parameter.grad, tolerance, f"gradient of {name}")
    our_buffers = dict(ours.named_buffers())
    for name, buffer in theirs.named_buffers():
        assert_close(our_buffers[name], buffer, tolerance, name)


def assert_close(ours: Any, theirs: Any, tolerance: float, name: str) -> None:
    if theirs is None or ours is None:
        assert ours is theirs, f"{name}: one is None"
        return
    np.testing.assert_allclose(ours.numpy(), theirs.detach().numpy(), rtol=tolerance, atol=tolerance, err_msg=name)


def _converted(options: dict[str, Any], convert: Any) -> dict[str, Any]:
    """Masks and other arrays among the options as tensors without gradient."""
    return {name: convert(x).detach() if isinstance(x, np.ndarray) else x for name, x in options.items()}
