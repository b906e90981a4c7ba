"""Every operation of the table on a GPU's arrays: values and gradients are those of the CPU.

Without a GPU, tests/test_operations.py runs the table on arrays that refuse what CuPy refuses, and the tests beside
this one run the kernels in the emulator. What CuPy itself makes of an operation shows only here.
"""

from __future__ import annotations

import numpy as np
import pytest

from minidl.checks import Operation
from minidl.kernels import cuda
from tests.test_operations import assert_close, gradients, lines

if reason := cuda.gpu_status().reason:
    pytest.skip(reason, allow_module_level=True)  # one line instead of one for each operation

pytestmark = [pytest.mark.gpu, pytest.mark.filterwarnings("ignore::RuntimeWarning")]


@lines(lambda operation: operation.name != "move")
def test_as_on_the_cpu(operation: Operation):
    arrays = operation.arrays()
    expected = gradients(operation, operation.variables(arrays))
    to_gpu = cuda.array_library().asarray
    got = gradients(operation, operation.variables(arrays, wrap=to_gpu), wrap=to_gpu)
    for y, value in zip(got, expected, strict=True):
        assert y.dtype == value.dtype
        assert_close(y, value, 1e-9 if np.asarray(value).dtype == np.float64 else 1e-5)
