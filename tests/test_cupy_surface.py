"""StrictArray refuses what CuPy refuses, and its record of CuPy is that of the CuPy that is installed."""

from __future__ import annotations

import importlib.util
import inspect

import numpy as np
import pytest

from minidl.kernels import cuda
from tests import cupy_surface
from tests.strict_array import StrictArray, namespace

needs_cupy = pytest.mark.skipif(importlib.util.find_spec("cupy") is None, reason="CuPy is not installed")


@needs_cupy
def test_the_record_is_up_to_date():
    installed = cupy_surface.read_installed()
    if installed["cupy"] == cupy_surface.stored()["cupy"]:
        assert installed == cupy_surface.stored()
    else:
        for kind in ("names", "ufuncs"):
            missing = set(cupy_surface.stored()[kind]) - set(installed[kind])
            assert not missing, f"CuPy {installed['cupy']} lacks {missing}; python -m tests.cupy_surface"


@needs_cupy
def test_ufuncs_have_the_methods_that_are_recorded():
    import cupy

    scattering = {name for name in cupy_surface.stored()["ufuncs"] if getattr(getattr(cupy, name), "_scatter_op", None)}
    assert scattering == cupy_surface.UFUNC_METHODS["at"]


@needs_cupy
def test_the_runtime_hands_cupy_what_it_takes():
    """A RawModule is compiled at its first launch, so one can be made here."""
    import cupy

    module = cuda.CupyRuntime().compile('extern "C" __global__ void f(float* y) { *y = 1; }', ("--std=c++17",))
    assert isinstance(module, cupy.RawModule) and callable(module.get_function)
    assert inspect.isdatadescriptor(cupy.RawKernel.max_dynamic_shared_size_bytes)
    assert inspect.isdatadescriptor(cupy.cuda.MemoryPointer.device_id)
    used = ["getDeviceCount", "getDevice", "getDeviceProperties"]
    assert all(callable(getattr(cupy.cuda.runtime, name)) for name in used) and callable(cupy.cuda.nvrtc.getVersion)
    assert isinstance(cupy.cuda.Device.attributes, property) or inspect.isdatadescriptor(cupy.cuda.Device.attributes)


x = StrictArray(np.arange(6.0).reshape(2, 3))


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda: x.max(0, initial=0), TypeError, r"cupy.ndarray.max\(.*\) would refuse this call: .*'initial'"),
        (lambda: x.item(0), TypeError, "cupy.ndarray.item"),
        (lambda: x.argpartition(1, order=None), TypeError, "argpartition"),
        (lambda: x.tobytes("C", 1), TypeError, "tobytes"),
        (lambda: x.resize(3), AttributeError, "CuPy's arrays have no 'resize'"),
        (lambda: namespace.add(x, x, where=True), TypeError, "CuPy's add takes no where"),
        (lambda: np.add(x, x, where=True), TypeError, "CuPy's add takes no where"),
        (lambda: namespace.maximum.reduce(x), NotImplementedError, "CuPy has no maximum.reduce"),
        (lambda: namespace.multiply.at(x, 0, 2.0), NotImplementedError, "CuPy has no multiply.at"),
        (lambda: np.spacing(x), AttributeError, "CuPy has no ufunc 'spacing'"),
        (lambda: namespace.clip(x, min=0), TypeError, r"cupy.clip\(a, a_min, a_max, out=None\) would refuse"),
        (lambda: namespace.trim_zeros(x, axis=0), TypeError, "cupy.trim_zeros"),
        (lambda: np.linalg.norm(x), AttributeError, "numpy.linalg.norm is not in CuPy's own namespace"),
        (lambda: namespace.nested_iters(x), AttributeError, "CuPy has no 'nested_iters'"),
    ],
)
def test_what_cupy_has_not_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_what_cupy_has_is_not():
    assert (x.max(0, keepdims=True)._array == [[3, 4, 5]]).all() and x.sum().shape == ()
    assert np.concatenate([x, x], axis=0).shape == namespace.concatenate([x, x], 0).shape == (4, 3)
    y = namespace.zeros((2, 3))
    namespace.add.at(y, (0,), x[1])
    assert (y._array[0] == [3, 4, 5]).all() and namespace.add.reduce(y).shape == (3,)


def test_results_of_arithmetic_are_contiguous():
    """CuPy does not keep the order of the operands' axes; what a kernel gets may therefore have another one."""
    turned = x.transpose()
    assert not turned.flags.c_contiguous and (turned + turned).flags.c_contiguous
    assert namespace.exp(turned).flags.c_contiguous
