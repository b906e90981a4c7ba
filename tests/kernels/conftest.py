"""Fresh memory is poisoned: what an implementation forgets to write is NaN, not the right numbers of a former call."""

import numpy as np
import pytest


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
