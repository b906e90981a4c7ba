"""What ``torch.save`` writes, read without PyTorch and without running anything in it.

The file is a zip archive of uncompressed members below one folder:

    archive/data.pkl        a pickle of the dicts and of how each tensor lies in a storage
    archive/data/0, 1, ...  the storages: plain numbers
    archive/byteorder       "little" or "big"; absent in older files

A pickle is a program that may call any function it can name. `StateDictUnpickler` lets it name the few below, which
build containers and views of storages, and refuses every other by its name.

Source: PyTorch 2.x, torch/serialization.py and torch/_utils.py.
"""

from __future__ import annotations

import io
import pickle
import pickletools
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from minidl.autograd import Tensor
from minidl.serialization.half_precision import BFLOAT16, to_float32

# torch.<name> as a storage's type -> the type of its numbers
STORAGES = {
    "DoubleStorage": "f8", "FloatStorage": "f4", "HalfStorage": "f2", "BFloat16Storage": BFLOAT16, "LongStorage": "i8",
    "IntStorage": "i4", "ShortStorage": "i2", "CharStorage": "i1", "ByteStorage": "u1", "BoolStorage": "?",
}  # fmt: skip


def load(path: Path) -> Any:
    """What a file of PyTorch holds; tensors that share memory there share it here."""
    with open(path, "rb") as file:
        if file.read(2) != b"PK":
            raise ValueError(
                f"{path}: not a zip archive as torch.save writes since PyTorch 1.6; if it is older, "
                "load it in PyTorch and save it again, or save it as .safetensors"
            )
    try:
        with zipfile.ZipFile(path) as archive:
            return _read(archive)
    except Refused as error:
        raise ValueError(f"{path}: {error}") from None
    except Exception as error:  # a damaged archive or pickle fails in any way
        raise ValueError(f"{path}: truncated or damaged file of PyTorch ({type(error).__name__}: {error})") from error


class Refused(Exception):
    """The file holds something that is understood but not allowed."""


def _read(archive: zipfile.ZipFile) -> Any:
    names = [name for name in archive.namelist() if name.endswith("/data.pkl") and name.count("/") == 1]
    if len(names) != 1:
        raise Refused("no file that torch.save wrote: the archive has no <folder>/data.pkl")
    folder = names[0].removesuffix("data.pkl")

    def member(name: str) -> bytes:
        info = archive.getinfo(folder + name)
        if info.compress_type != zipfile.ZIP_STORED:
            raise Refused(f"its member {info.filename} is compressed, which torch.save never does")
        return archive.read(info)

    byteorder = member("byteorder").decode() if folder + "byteorder" in archive.namelist() else "little"
    return StateDictUnpickler(member, {"little": "<", "big": ">"}[byteorder]).load()


def _check_places(program: bytes) -> None:
    """Refuse to store at a place that the pickle has not the length for: Python would take memory up to that place."""
    for opcode, place, _ in pickletools.genops(program):
        if opcode.name in ("PUT", "BINPUT", "LONG_BINPUT") and place > len(program):
            raise Refused(f"damaged: its pickle of {len(program)} bytes stores an object at place {place}")


class StateDictUnpickler(pickle.Unpickler):
    """An unpickler that knows only containers, storages and tensors.

    Names are resolved to objects whose attributes a pickle cannot set: builtin types, strings, and `__call__` of bound
    methods (a method itself shares the attributes of its function, and changing those would outlast the load).
    """

    def __init__(self, member: Callable[[str], bytes], byteorder: str):
        program = member("data.pkl")
        _check_places(program)
        super().__init__(io.BytesIO(program))
        self.member, self.byteorder = member, byteorder
        self.storages: dict[str, np.ndarray] = {}

    def find_class(self, module: str, name: str) -> Any:
        if module == "torch" and name in STORAGES:
            return name
        allowed = {
            ("collections", "OrderedDict"): OrderedDict,
            ("collections", "Counter"): dict,  # milestones; an attribute of Counter itself could be set
            ("builtins", "set"): set,
            ("__builtin__", "set"): set,  # its name in Python 2, which protocol 2 writes
            ("torch", "Size"): tuple,
            ("torch._utils", "_rebuild_tensor_v2"): self.rebuild_tensor.__call__,
            ("torch._utils", "_rebuild_parameter"): self.rebuild_parameter.__call__,
        }
        if (module, name) not in allowed:
            raise Refused(
                f"refused, because it asks for {module}.{name}: only tensors, numbers and text, and dicts, lists, "
                "tuples and sets of them are read; nothing in it was run (of a model that was saved whole, save "
                "model.state_dict() instead)"
            )
        return allowed[module, name]

    def persistent_load(self, reference: tuple) -> np.ndarray:
        """The storage ('storage', type, key, where it was, number of elements) as a flat array."""
        kind, storage, key, _, elements = reference
        if kind != "storage" or storage not in STORAGES:
            raise Refused(f"it refers to {storage!r}, expected one of {', '.join(STORAGES)}")
        if key not in self.storages:
            array = to_float32(bytearray(self.member(f"data/{key}")), STORAGES[storage], self.byteorder)
            if len(array) != elements:
                raise Refused(f"truncated: the storage {key} holds {len(array)} numbers, expected {elements}")
            self.storages[key] = array
        return self.storages[key]

    def rebuild_tensor(
        self,
        storage: np.ndarray,
        offset: int,
        size: tuple,
        stride: tuple,
        requires_grad: Any = None,
        hooks: Any = None,
        metadata: dict[str, bool] | None = None,
    ) -> Tensor:
        """The tensor whose element [i, j, ...] is storage[offset + i * stride[0] + j * stride[1] + ...]."""
        if metadata and metadata.get("neg"):
            raise Refused("a tensor is the negative of its storage; save tensor.resolve_neg() instead")
        if min(offset, *size, *stride, 0) < 0 or len(size) != len(stride):
            raise Refused(f"a tensor has the offset {offset}, size {size} and stride {stride}")
        last = offset + sum((n - 1) * step for n, step in zip(size, stride))
        if 0 not in size and last >= len(storage):
            raise Refused(
                f"a tensor of size {size} and stride {stride} reaches beyond its storage of {len(storage)} numbers"
            )
        strides = [step * storage.itemsize for step in stride]
        return Tensor(np.lib.stride_tricks.as_strided(storage[offset:], size, strides))

    def rebuild_parameter(self, data: Tensor, *_: Any) -> Tensor:
        return data
