"""Fresh memory is poisoned: what an implementation forgets to write is NaN, not the right numbers of a former call.

And kernels run on two threads at least, whatever the run of the tests allows to all else.
"""

import numpy as np
import pytest

from minidl import kernels


@pytest.fixture(autouse=True)
def two_threads():
    before = kernels.get_num_threads()
    kernels.set_num_threads(max(2, before))
    yield
    kernels.set_num_threads(before)


@pytest.fixture(autouse=True)
def poisoned_memory(monkeypatch):
    empty = np.empty

    def poisoned(shape, dtype=float, *args, **kwargs):
        fresh = empty(shape, dtype, *args, **kwargs)
        if fresh.dtype.kind == "f":
            fresh.fill(np.nan)
        elif fresh.dtype.kind in "iu":
            fresh.fill(113)
        return fresh

    monkeypatch.setattr(np, "empty", poisoned)
