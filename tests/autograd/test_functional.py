"""Jacobians and Hessians beside PyTorch's."""

import numpy as np
import pytest

import minidl
from minidl.autograd.functional import hessian, jacobian

torch = pytest.importorskip("torch")

RANDOM = np.random.default_rng(0)
X, Y = RANDOM.normal(size=(2, 3)), RANDOM.normal(size=3)
FUNCTIONS = {
    "elementwise": (lambda lib, x: x.exp() * x, (X,)),
    "a number": (lambda lib, x: (x * x).sum(), (X,)),
    "several inputs": (lambda lib, x, y: x.matmul(y) * y.sum(), (X, Y)),
    "an unused input": (lambda lib, x, y: x * 2, (X, Y)),
    "several outputs": (lambda lib, x, y: (x.matmul(y), y * y), (X, Y)),
    "a constant": (lambda lib, x: lib.ones(2, dtype=lib.float64), (X,)),
}


def arrays(value):
    return [value] if hasattr(value, "numpy") else [array for part in value for array in arrays(part)]


def structure(value):
    return tuple(value.shape) if hasattr(value, "numpy") else tuple(structure(part) for part in value)


def compare(got, expected):
    assert structure(got) == structure(expected)
    for a, b in zip(arrays(got), arrays(expected)):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-12, atol=1e-12)


def given(lib, inputs):
    tensors = tuple(lib.tensor(x) for x in inputs)
    return tensors[0] if len(tensors) == 1 else tensors


@pytest.mark.parametrize("name", FUNCTIONS)
def test_jacobian(name):
    function, inputs = FUNCTIONS[name]
    theirs = torch.autograd.functional.jacobian(lambda *xs: function(torch, *xs), given(torch, inputs))
    compare(jacobian(lambda *xs: function(minidl, *xs), given(minidl, inputs)), theirs)


@pytest.mark.parametrize(
    "function, inputs",
    [
        (lambda x: (x * x * x).sum() + x[0, 0] * x[1, 2], (X,)),
        (lambda x, y: (x.matmul(y) ** 2).sum() * y[0], (X, Y)),
        (lambda x, y: (y * y * y).sum(), (X, Y)),
        (lambda x: x.sum(), (X,)),
    ],
)
def test_hessian(function, inputs):
    theirs = torch.autograd.functional.hessian(function, given(torch, inputs))
    compare(hessian(function, given(minidl, inputs)), theirs)


def test_the_inputs_stay_as_they_are_and_no_grad_does_not_matter():
    x = minidl.tensor(X, requires_grad=True)
    with minidl.no_grad():
        result = jacobian(lambda x: x * 3, x)
    assert x.grad is None and not result.requires_grad
    np.testing.assert_array_equal(result.numpy().reshape(6, 6), 3 * np.eye(6))


def test_a_hessian_is_of_one_number():
    with pytest.raises(ValueError, match="must give a Tensor of one number, got tensor"):
        hessian(lambda x: x * x, minidl.tensor(X))


def test_what_is_no_tensor_is_refused():
    with pytest.raises(TypeError, match="must give a Tensor or a tuple of Tensors, got 3.0"):
        jacobian(lambda x: 3.0, minidl.tensor(X))
    with pytest.raises(TypeError, match="inputs must be a Tensor or Tensors, got array"):
        jacobian(lambda x: x, X)
    with pytest.raises(ValueError, match="must give a Tensor of one number, got 3.0"):
        hessian(lambda x: 3.0, minidl.tensor(X))
