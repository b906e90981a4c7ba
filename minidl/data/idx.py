"""The IDX format of MNIST: a small header, then the array's bytes.

    0, 0, type, d       one byte each; type 8 is unsigned byte; d is the number of axes
    n_1 ... n_d         the shape, big-endian 32-bit
    the values          last axis fastest

Source: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits", section "File formats".
"""

import math
import struct
from pathlib import Path

import numpy as np

from minidl.data.files import open_data, read_exactly

UNSIGNED_BYTE = 8


def read_idx(path: Path | str, ndim: int) -> np.ndarray:
    """The array of bytes in an IDX file, plain or gzipped (.gz).

    Parameters
    ----------
    path : path
    ndim : int
        The number of axes that it must have: 3 for images (magic number 2051), 1 for labels (2049).

    Returns
    -------
    array of uint8, shape (n_1, ..., n_ndim)

    Raises
    ------
    ValueError
        For another magic number, an empty axis, and a file that holds fewer or more bytes than its header promises.
    """
    path = Path(path)
    with open_data(path) as stream:
        header = stream.read(4 + 4 * ndim)
        if len(header) < 4 + 4 * ndim:
            raise ValueError(
                f"{path}: truncated file, an IDX header of {ndim} axes needs {4 + 4 * ndim} bytes and the file holds "
                f"{len(header)}"
            )
        magic, *shape = struct.unpack(f">{1 + ndim}I", header)
        expected = UNSIGNED_BYTE << 8 | ndim
        if magic != expected:
            raise ValueError(
                f"{path}: not an IDX file of bytes with {ndim} axes: its magic number is {magic}, expected {expected}"
            )
        if 0 in shape:
            raise ValueError(
                f"{path}: the IDX header gives the shape {tuple(shape)}, expected at least 1 along every axis"
            )
        content = read_exactly(stream, math.prod(shape), path, f"the shape {tuple(shape)} in its IDX header")
    return np.frombuffer(content, dtype=np.uint8).reshape(shape)
