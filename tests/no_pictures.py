"""Runs that draw nothing: pictures take half of a short one, and those that a test looks at are drawn elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from minidl.recipes import training_run


@contextmanager
def no_pictures() -> Iterator[None]:
    """For ``with``, or over a test; fixtures that the test takes draw as ever."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training_run, "_draw", lambda *_: [])
        yield
