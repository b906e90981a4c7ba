"""gradcheck and gradgradcheck: they find what is wrong, say where, and accept what is right."""

import numpy as np
import pytest

import minidl
from minidl import Tensor, tensor


def test_gradcheck_names_what_is_wrong():
    class Wrong(minidl.autograd.Function):
        def forward(self, x):
            return x * x

        def backward(self, dy, inputs, output):
            return dy * inputs[0]  # 2 is missing

    x = tensor(np.array([[1.0, -2.0]]), requires_grad=True)
    with pytest.raises(
        minidl.autograd.GradientCheckError,
        match=r"inputs\[0\] at index \(0, 0\): the rule gives .*finite difference is .*relative error",
    ):
        minidl.gradcheck(lambda x: Wrong()(x), [x])
    assert minidl.gradcheck(lambda x: Wrong()(x), [x], raise_exception=False) is False
    assert minidl.gradcheck(lambda x: x * x, x) is True
    with pytest.raises(TypeError, match=r"float64 inputs, inputs\[0\] is float32"):
        minidl.gradcheck(lambda x: x * x, tensor([1.0], requires_grad=True))
    with pytest.raises(ValueError, match="at least one input"):
        minidl.gradcheck(lambda x: x * x, tensor(np.ones(1)))
    with pytest.raises(minidl.autograd.GradientCheckError, match="lost on the way"):
        minidl.gradcheck(lambda x: x.detach(), x)


def test_gradgradcheck_follows_the_cotangent_too():
    class Cut(minidl.autograd.Function):
        def forward(self, x):
            return x * x

        def backward(self, dy, inputs, output):
            return 2 * inputs[0] * (dy.detach() if isinstance(dy, Tensor) else dy)

    x = tensor(np.array([1.0, -2.0]), requires_grad=True)
    assert minidl.gradcheck(lambda x: Cut()(x), [x])
    with pytest.raises(minidl.autograd.GradientCheckError):
        minidl.gradgradcheck(lambda x: Cut()(x), [x])


def test_gradcheck_sees_a_scaled_softmax():
    """A sum of all outputs would not: the outputs of softmax always add up to 1."""

    class Scaled(minidl.autograd.Function):
        saves_output = True

        def forward(self, x):
            e = np.exp(x)
            return e / e.sum()

        def backward(self, dy, inputs, output):
            return 3.7 * output * (dy - (dy * output).sum())

    x = tensor(np.array([0.1, -0.4, 0.9]), requires_grad=True)
    assert minidl.gradcheck(lambda x: Scaled()(x).sum(), [x], raise_exception=False)
    assert not minidl.gradcheck(lambda x: Scaled()(x), [x], raise_exception=False)


def test_gradgradcheck_compares_what_is_recorded_with_what_is_not():
    """A wrong gradient of Tensors, with the derivative that belongs to it."""

    class Doubled(minidl.autograd.Function):
        def forward(self, x):
            return x * x

        def backward(self, dy, inputs, output):
            return (4 if isinstance(dy, Tensor) else 2) * inputs[0] * dy

    x = tensor(np.array([1.0, -2.0]), requires_grad=True)
    assert minidl.gradcheck(lambda x: Doubled()(x), [x])
    with pytest.raises(
        minidl.autograd.GradientCheckError, match=r"gradient 0 at index \(0,\): with create_graph=True .*, without it"
    ):
        minidl.gradgradcheck(lambda x: Doubled()(x), [x])
    assert minidl.gradgradcheck(lambda x: Doubled()(x), [x], raise_exception=False) is False
    assert minidl.gradgradcheck(lambda x: x * x, [x]) is True
