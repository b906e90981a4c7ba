"""The safetensors format: a JSON header with names, types, shapes and places, then the numbers.

Source: https://github.com/huggingface/safetensors, "Format".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from minidl.autograd import Tensor
from minidl.serialization.atomic_file import write_atomically
from minidl.serialization.half_precision import BFLOAT16, to_float32

DTYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": BFLOAT16, "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1",
    "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "u1", "BOOL": "?",
}  # fmt: skip


def write_safetensors(
    path: Path | str, arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str] | None = None
) -> None:
    """Write arrays by name, and texts by name as metadata, to one file, atomically."""
    if "__metadata__" in arrays:  # the library would write a file that nobody can read
        raise ValueError("no array can have the name '__metadata__', which safetensors uses for the texts")
    # The library writes the memory of an array as it lies, whatever its strides.
    in_c_order = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    write_atomically(path, safetensors.numpy.save(in_c_order, dict(metadata) if metadata else None))


def read_safetensors(path: Path | str) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The arrays in a file by name, half precision as float32, and the texts beside them."""
    content = Path(path).read_bytes()
    try:
        tensors = safetensors.deserialize(content)
    except safetensors.SafetensorError as error:
        raise ValueError(f"{path}: truncated, damaged or no safetensors file ({error})") from error
    arrays = {}
    for name, tensor in sorted(tensors, key=lambda item: item[0]):  # they come in any order
        if tensor["dtype"] not in DTYPES:
            raise ValueError(f"{path}: {name} has the type {tensor['dtype']}, expected one of {', '.join(DTYPES)}")
        memory = bytearray(tensor["data"])  # one that can be written to
        dtype = DTYPES[tensor["dtype"]]
        try:
            arrays[name] = to_float32(memory, dtype).reshape(tensor["shape"])
        except ValueError as error:  # NumPy has at most 64 axes
            raise ValueError(f"{path}: {name} cannot be an array ({error})") from error
    header_size = int.from_bytes(content[:8], "little")
    return arrays, json.loads(content[8 : 8 + header_size]).get("__metadata__") or {}


def load(path: Path) -> dict[str, Any]:
    return {name: Tensor(array) for name, array in read_safetensors(path)[0].items()}
