"""Every operation of the table, in every way that an operation can be wrong.

Each test here runs over all lines of minidl/checks/operations: values against NumPy; first and second derivatives
against finite differences; values and derivatives against PyTorch; dtypes; memory orders; arrays that are not NumPy's;
every kernel backend against the reference.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
import warnings
from typing import Any

import numpy as np
import pytest

import minidl
import minidl.functional as F
from minidl import Tensor, kernels
from minidl.checks import TABLE, Operation
from tests.strict_array import StrictArray

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # log(0), 1 / 0 ... at the edge values


def lines(choose: Any = lambda line: True) -> Any:
    """Make of a test of one line of the table a test for each operation, of all its lines: there are 1,300 lines."""

    def of_each_operation(test: Any) -> Any:
        @pytest.mark.parametrize("operation", dict.fromkeys(line.name for line in TABLE if choose(line)))
        @functools.wraps(test)
        def every_line(operation: str) -> None:
            for number, line in enumerate((line for line in TABLE if line.name == operation), start=1):
                try:
                    if choose(line):
                        test(line)
                except Exception as error:
                    error.add_note(f"in line {number} of {operation} in the table, with the options {line.options}")
                    raise

        return every_line

    return of_each_operation


def outputs(result: Any) -> list[Any]:
    return list(result) if isinstance(result, (tuple, list)) else [result]


def numpy_of(x: Any) -> np.ndarray:
    x = x.data if isinstance(x, Tensor) else x
    return x._array if isinstance(x, StrictArray) else x.get() if hasattr(x, "get") else np.asarray(x)


def cotangents_of(results: list[Any], seed: int = 0) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    return [np.asarray(random.standard_normal(y.shape), y.dtype) for y in results]


def gradients(operation: Operation, inputs: list[Any], wrap: Any = lambda x: x) -> list[np.ndarray]:
    """The values, and the gradient of each variable for a random cotangent."""
    results = [y for y in outputs(operation.run(operation.function, inputs)) if isinstance(y, Tensor)]
    checked = [x for x in inputs if isinstance(x, Tensor) and x.requires_grad]
    recorded = [y for y in results if y.requires_grad]
    if not recorded:
        return [numpy_of(y) for y in results]
    v = [wrap(dy) for dy in cotangents_of([numpy_of(y) for y in recorded])]
    dx = minidl.grad(recorded, checked, v, allow_unused=True)
    return [numpy_of(y) for y in results] + [numpy_of(d) for d in dx if d is not None]


def assert_close(got: Any, expected: Any, tolerance: float, what: str = "") -> None:
    got, expected = numpy_of(got), np.asarray(expected)
    assert got.shape == expected.shape, f"{what}: shape {got.shape} instead of {expected.shape}"
    np.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance * 1e-1, err_msg=what)


def test_every_public_operation_has_a_line():
    public = set()
    for module in pkgutil.iter_modules(F.__path__):
        if module.name not in ("creation", "random_tensors"):  # which makes tensors out of nothing
            public |= set(getattr(importlib.import_module(f"minidl.functional.{module.name}"), "__all__", ()))
    assert public - {operation.name for operation in TABLE} == set()


@lines()
def test_value(operation: Operation):
    """Of arrays as of Tensors, the value that NumPy says; arrays give arrays, Tensors give Tensors.

    A Tensor that shares memory with an input shares its version: a change in place of one is seen as one of the other.
    """
    arrays = operation.arrays()
    expected = outputs(operation.expected(*arrays))
    for inputs, kind in ((arrays, (np.ndarray, np.generic)), (operation.variables(arrays), Tensor)):
        results = outputs(operation.run(operation.function, inputs))
        assert len(results) == len(expected)
        for y, value in zip(results, expected):
            assert isinstance(y, kind)
            assert_close(y, value, 1e-10)
    for y in results:
        assert type(y.data) is np.ndarray
        for x in (x for x in inputs if isinstance(x, Tensor)):
            assert y.version is x.version or not np.shares_memory(x.data, y.data)


@lines(lambda operation: operation.gradient)
def test_gradient(operation: Operation):
    minidl.gradcheck(lambda *x: operation.run(operation.function, list(x)), operation.variables(operation.arrays()))


@lines(lambda operation: operation.gradient)
def test_gradient_of_gradient(operation: Operation):
    minidl.gradgradcheck(
        lambda *x: operation.run(operation.function, list(x)), operation.variables(operation.arrays()), atol=1e-6
    )


@lines(lambda operation: operation.torch is not None)
def test_as_pytorch(operation: Operation):
    torch = pytest.importorskip("torch")
    function = operation.torch or operation.name
    if isinstance(function, str):
        function = getattr(torch.nn.functional, function, None) or getattr(torch, function)
    arrays = operation.arrays()
    ours = gradients(operation, operation.variables(arrays))
    last = len(arrays) - operation.constants
    inputs = [torch.from_numpy(x.copy()) if isinstance(x, np.ndarray) else x for x in arrays]
    checked = [x for i, x in enumerate(inputs) if operation.gradient and i < last and is_float_tensor(torch, x)]
    for x in checked:
        x.requires_grad_()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = outputs(operation.run(function, inputs))
    theirs = [y.detach().numpy() for y in results]
    recorded = [y for y in results if y.requires_grad]
    if recorded:
        v = [torch.from_numpy(dy) for dy in cotangents_of([y.detach().numpy() for y in recorded])]
        dx = torch.autograd.grad(recorded, checked, v, allow_unused=True)
        theirs += [d.numpy() for d in dx if d is not None]
    assert len(ours) == len(theirs)
    for number, (got, expected) in enumerate(zip(ours, theirs)):
        assert got.dtype == expected.dtype
        assert_close(got, expected, 1e-9, f"value or gradient {number}")


def is_float_tensor(torch: Any, x: Any) -> bool:
    return isinstance(x, torch.Tensor) and x.is_floating_point()


@lines(lambda operation: operation.same_dtype)
def test_float32_stays_float32(operation: Operation):
    """Values and gradients of float32 are float32 and as exact as that; Python numbers promote nothing."""
    precise = gradients(operation, operation.variables(operation.arrays()))
    single = gradients(operation, operation.variables(operation.arrays(np.float32)))
    assert len(single) == len(precise)
    for got, expected in zip(single, precise):
        assert got.dtype == (np.float32 if expected.dtype == np.float64 else expected.dtype)
        assert_close(got, expected, 2e-4)


def columns_first(x: np.ndarray) -> np.ndarray:
    """Channels-last memory of images, Fortran's order of all else."""
    if x.ndim == 4:
        return np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    return np.asfortranarray(x)


def with_gaps(x: np.ndarray) -> np.ndarray:
    wide = np.full((*x.shape, 2), 77, x.dtype)
    wide[..., 0] = x
    return wide[..., 0]


def backwards(x: np.ndarray) -> np.ndarray:
    """Negative strides along every axis."""
    reverse = (slice(None, None, -1),) * x.ndim
    return x[reverse].copy()[reverse]


@lines()
def test_memory_order(operation: Operation):
    """Values and gradients do not depend on strides, and inputs are left as they were."""
    arrays = operation.arrays()
    expected = gradients(operation, operation.variables(arrays))
    for order in (columns_first, with_gaps, backwards):
        ordered = [order(x) if isinstance(x, np.ndarray) and x.ndim else x for x in arrays]
        for x in ordered:
            if isinstance(x, np.ndarray):
                x.flags.writeable = False
        got = gradients(operation, operation.variables(ordered), lambda dy, order=order: order(dy) if dy.ndim else dy)
        for y, value in zip(got, expected, strict=True):
            assert_close(y, value, 1e-11, order.__name__)


@lines(lambda operation: operation.name != "move")
def test_arrays_that_are_not_numpys(operation: Operation):
    arrays = operation.arrays()
    expected = gradients(operation, operation.variables(arrays))
    got = gradients(operation, operation.variables(arrays, wrap=StrictArray), wrap=StrictArray)
    for y, value in zip(got, expected, strict=True):
        assert_close(y, value, 1e-11)


BACKENDS = sorted({row.backend for row in kernels.table() if row.available} - {"reference"})


@lines()
def test_backends_as_the_reference(operation: Operation):
    for dtype, tolerance in (("float64", 1e-11), ("float32", 2e-4)):
        with kernels.use_backend("reference"):
            expected = gradients(operation, operation.variables(operation.arrays(dtype)))
        for backend in BACKENDS:
            with kernels.use_backend(backend):
                got = gradients(operation, operation.variables(operation.arrays(dtype)))
            for y, value in zip(got, expected, strict=True):
                assert_close(y, value, tolerance, f"{backend}, {dtype}")
