"""What ``python -m benchmarks kernels`` measures: every kernel on the shapes of the networks, beside its peers."""

from __future__ import annotations

from collections.abc import Callable

from . import attention, channels, conv2d, elementwise, matmul, optimizers, pool2d, recurrent
from .case import Case

# name: what makes the case; its arrays exist only while it is measured
CASES: dict[str, Callable[[], Case]] = {
    **matmul.CASES,
    **conv2d.CASES,
    **pool2d.CASES,
    **elementwise.CASES,
    **channels.CASES,
    **recurrent.CASES,
    **attention.CASES,
    **optimizers.CASES,
}
