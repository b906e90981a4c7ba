"""What the tests of the CUDA kernels share."""

from __future__ import annotations

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from tests.cuda_emulator import EmulatedRuntime

# The runtime fixture holds nothing from one example to the next.
few_examples = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

# Around the sizes of tiles (8, 32, 64, 128): the exact multiples show what odd sizes hide.
sizes = st.sampled_from([1, 2, 3, 5, 8, 17, 31, 32, 33, 63, 64, 65, 100, 127, 128, 129])
dtypes = st.sampled_from(["float32", "float64"])

TOLERANCE = {"float32": 3e-6, "float64": 1e-14}


def assert_close(got, expected, scale=None):
    """|got - expected| within rounding, element by element, of `scale`: the sum of the magnitudes that were added."""
    scale = np.abs(expected).max() if scale is None else scale
    assert got.shape == expected.shape
    assert np.all(np.isfinite(got)), "an element was not written"
    tolerance = TOLERANCE[got.dtype.name]
    worst = np.max(np.abs(got - expected) / (scale + 1e-300), initial=0)
    assert worst <= tolerance, f"relative error {worst:.1e}, allowed {tolerance:.0e}"


def set_multiprocessors(runtime, count):
    """On the emulator: pretend to be a GPU of another size, which changes the tiles and the splits."""
    if isinstance(runtime, EmulatedRuntime):
        runtime.multiprocessors = count


def unaligned(array, xp):
    """The same values in an array of `xp` that starts one element after an aligned address."""
    padded = xp.empty(array.size + 1, array.dtype)
    padded[1:] = xp.asarray(array.ravel())
    return padded[1:].reshape(array.shape)
