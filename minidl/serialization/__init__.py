"""Weights in files: `save` and `load`, which never run anything that a file contains.

`safetensors_file.py` is the format that is written; `pytorch_file.py` reads PyTorch's, without PyTorch.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from minidl.autograd import Tensor
from minidl.serialization import npz_file, pytorch_file, safetensors_file
from minidl.serialization.atomic_file import PARTIAL, atomic_file, write_atomically
from minidl.serialization.paths import existing_file, in_existing_folder
from minidl.serialization.safetensors_file import read_safetensors, write_safetensors
from minidl.serialization.strict_json import json_text, python_number

__all__ = [
    "PARTIAL", "atomic_file", "existing_file", "in_existing_folder", "json_text", "load", "python_number",
    "read_safetensors", "save", "write_atomically", "write_safetensors",
]  # fmt: skip

READERS = {
    ".safetensors": safetensors_file.load,
    ".npz": npz_file.load,
    ".pt": pytorch_file.load,
    ".pth": pytorch_file.load,
}
WRITERS = {".safetensors": write_safetensors, ".npz": npz_file.save}


def save(path: Path | str, tensors: Mapping[str, Any]) -> None:
    """Write tensors by name to a file, atomically: a complete file replaces an old one, or none does.

    To resume training later, save a checkpoint instead: :func:`minidl.training.save_checkpoint`.

    Parameters
    ----------
    path : path
        Ends in ``.safetensors`` (PyTorch users read it with ``safetensors.torch.load_file``) or ``.npz``.
    tensors : dict of Tensor or array
        For example ``model.state_dict()``.

    Raises
    ------
    TypeError, ValueError
        For what is not a dict of tensors, and for a path with another ending.

    Examples
    --------
    >>> import minidl, tempfile
    >>> from minidl import nn
    >>> model = nn.Linear(2, 1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     minidl.save(f"{folder}/linear.safetensors", model.state_dict())
    ...     state = minidl.load(f"{folder}/linear.safetensors")
    >>> sorted(state)
    ['bias', 'weight']
    """
    if isinstance(path, Mapping):
        raise TypeError("save takes the path first: minidl.save(path, model.state_dict())")
    if not isinstance(tensors, Mapping):
        raise TypeError(
            f"tensors must be a dict of Tensors by name, such as model.state_dict(), got {type(tensors).__name__}"
        )
    path = Path(path)
    writer = _by_suffix(WRITERS, path, "write")
    arrays = {}
    for name, tensor in tensors.items():
        array = tensor.numpy() if isinstance(tensor, Tensor) else tensor
        if not isinstance(name, str) or not hasattr(array, "dtype") or not npz_file.is_storable(array.dtype):
            raise TypeError(
                "tensors must hold Tensors or arrays of numbers of at most 64 bits by name, got "
                f"{name!r}: {getattr(array, 'dtype', type(tensor).__name__)}; "
                "a model with its optimizer and what else there is goes through training.save_checkpoint"
            )
        arrays[name] = array
    writer(path, arrays)


def load(path: Path | str, map_location: str | None = None, weights_only: bool = True) -> Any:
    """Read the tensors in a file.

    Parameters
    ----------
    path : path
        ``.safetensors``, ``.npz``, or ``.pt``/``.pth`` as ``torch.save`` writes a state dict, a training checkpoint
        or a single tensor. PyTorch is not needed, and nothing in the file is run.
    map_location : str, optional
        The device of the tensors, ``"cpu"`` (the default) or ``"cuda"``.
    weights_only : bool
        Has no effect: only weights are ever read, and a file that asks for more is an error.

    Returns
    -------
    dict
        Tensors by name; from PyTorch what was saved: a tensor, or dicts, lists, numbers and text around tensors. Half
        precision (float16, bfloat16) becomes float32.

    Raises
    ------
    FileNotFoundError
    ValueError
        For a file that is truncated, damaged, of another format, or asks for more than tensors; the message names it.
    """
    if map_location is not None and not isinstance(map_location, str):
        raise TypeError(f"map_location must be the name of a device, got {map_location!r}")
    path = Path(path)
    reader = _by_suffix(READERS, path, "read")
    tensors = reader(existing_file(path, "file"))
    return tensors if map_location is None else _moved(tensors, map_location)


def _moved(value: Any, device: str) -> Any:
    """A Tensor, or each of those in dicts and lists, on another device."""
    if isinstance(value, Tensor):
        return value.to(device)
    if isinstance(value, Mapping):
        return {key: _moved(part, device) for key, part in value.items()}
    return type(value)(_moved(part, device) for part in value) if isinstance(value, (list, tuple)) else value


def _by_suffix(functions: dict[str, Any], path: Path, verb: str) -> Any:
    function = functions.get(path.suffix.lower())
    if function is None:
        raise ValueError(f"path must end in {', '.join(functions)} for minidl to {verb} it, got {path}")
    return function
