"""NumPy's .npz: a zip archive with one .npy file for each array."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from minidl.autograd import Tensor
from minidl.serialization.atomic_file import write_atomically


def is_storable(dtype: np.dtype) -> bool:
    """Whether a Tensor can hold such numbers, and so a file: integers, bools and floats of at most 64 bits."""
    return dtype.kind in "fiub" and dtype.itemsize <= 8


def save(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:  # np.savez would refuse an array named like its argument, "file"
        for name, array in arrays.items():
            if "\0" in name:
                raise ValueError(f"a name in a .npz file ends at a null character, got {name!r}")
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asarray(array), allow_pickle=False)
    write_atomically(path, buffer.getbuffer())


def load(path: Path) -> dict[str, Any]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            # by the members' own names: archive["a.npy"] may be the array "a"
            arrays = {member.removesuffix(".npy"): archive[member] for member in archive.zip.namelist()}
    except Exception as error:  # a damaged archive fails in any way
        raise ValueError(f"{path}: truncated, damaged or no .npz file of plain arrays ({error})") from error
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray):  # the bytes of a member that is no array
            raise ValueError(f"{path}: its member {name} is no array")
        if not is_storable(array.dtype):
            raise ValueError(f"{path}: {name} has the type {array.dtype}, expected numbers of at most 64 bits")
    return {
        # in either byte order: dtype(">f2") is not equal to float16
        name: Tensor(array.astype(np.float32) if array.dtype.type is np.float16 else array)
        for name, array in arrays.items()
    }
