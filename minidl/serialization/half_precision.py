"""float16 and bfloat16 in files become float32, in which networks compute here."""

from __future__ import annotations

import numpy as np

BFLOAT16 = "bfloat16"  # NumPy has no such type


def to_float32(memory: bytearray, dtype: str, byteorder: str = "<") -> np.ndarray:
    """The numbers in `memory`, in this machine's byte order; float16 and bfloat16 as float32."""
    if dtype == BFLOAT16:
        # a bfloat16 is the upper half of a float32
        upper = np.frombuffer(memory, dtype=byteorder + "u2").astype(np.uint32)
        return (upper << 16).view(np.float32)
    array = np.frombuffer(memory, dtype=np.dtype(dtype).newbyteorder(byteorder))
    if array.dtype.itemsize == 2 and array.dtype.kind == "f":
        return array.astype(np.float32)
    return array.astype(array.dtype.newbyteorder("="), copy=False)
