"""NumPy's .npz: a zip archive with one .npy file for each array."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from minidl.autograd import Tensor
from minidl.serialization.whole_file import write_whole


def save(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:  # np.savez would refuse an array named like its argument, "file"
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asarray(array), allow_pickle=False)
    write_whole(path, buffer.getbuffer())


def load(path: Path) -> dict[str, Any]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (ValueError, TypeError, OSError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"{path}: truncated, damaged or no .npz file of plain arrays ({error})") from error
    for name, array in arrays.items():
        if array.dtype.kind not in "fiub":
            raise ValueError(f"{path}: {name} has the type {array.dtype}, expected numbers")
    return {
        name: Tensor(array.astype(np.float32) if array.dtype == np.float16 else array) for name, array in arrays.items()
    }
