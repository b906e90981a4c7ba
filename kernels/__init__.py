"""The kernels: the few operations in which a network spends its time, as functions of NumPy or CuPy arrays.

Each folder here is one kernel. Read its `__init__.py` for the contract (formula, shapes, errors), `reference.py` for
the formula in NumPy, and then the fast versions beside it. `registry.py` says how an implementation is chosen.

>>> import numpy as np
>>> from minidl import kernels
>>> kernels.matmul.forward(np.eye(2), np.array([[1.0], [2.0]]))
array([[1.],
       [2.]])
"""

import importlib
import pkgutil
from typing import TYPE_CHECKING, Any

from .arrays import array_module, channels_last, device_of, extent, pair, single
from .fast_reduce import reduced
from .isa import CpuInfo, cpu_info
from .memory import MemoryUsage, aligned_empty, memory_usage, release_memory, reset_peak_memory
from .operators import minus, over, plus, times
from .registry import Implementation, current_backend, kernel, table, use_backend
from .threads import get_num_threads, set_num_threads

__all__ = [
    "CpuInfo", "Implementation", "MemoryUsage", "aligned_empty", "array_module", "channels_last", "cpu_info",
    "current_backend", "device_of", "extent", "get_num_threads", "kernel", "memory_usage", "minus", "over", "pair",
    "plus", "reduced", "release_memory", "reset_peak_memory", "set_num_threads", "single", "table", "times",
    "use_backend",
]  # fmt: skip

# Import every folder: a new kernel needs no line here.
for _module in pkgutil.iter_modules(__path__):
    if _module.ispkg:
        globals()[_module.name] = importlib.import_module(f"{__name__}.{_module.name}")
        __all__.append(_module.name)

if TYPE_CHECKING:  # type checkers do not see what the loop above imports

    def __getattr__(name: str) -> Any: ...
