"""Weights to start from: those of a network that was trained for something else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from minidl.autograd import Tensor
from minidl.nn import Module
from minidl.serialization import load

PREFIX = "model."  # of the weights in a checkpoint of minidl


def load_pretrained(model: Module, path: Path | str, head: Sequence[str] | None = None) -> None:
    """Copy the weights in a file into a model, except those of its head, which keeps its initial values.

    Parameters
    ----------
    model : Module
        With the same layers as the network in the file; its head may have another size.
    path : path
        A checkpoint of `fit`, or what `minidl.load` reads: safetensors, ``.npz``, PyTorch's ``.pth`` of a state dict
        (or of a dict that holds one under ``"state_dict"`` or ``"model"``).
    head : sequence of str, optional
        The names of the layers that keep their initial values; default: the layer with the last parameter.

    Raises
    ------
    FileNotFoundError, ValueError
        For a file that cannot be read, or whose weights do not fit the model; the message names which.

    Examples
    --------
    >>> import minidl, tempfile
    >>> from minidl import nn, training
    >>> digits, letters = (nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, classes)) for classes in (10, 26))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     minidl.save(f"{folder}/digits.safetensors", digits.state_dict())
    ...     training.load_pretrained(letters, f"{folder}/digits.safetensors")
    >>> (letters[0].weight.data == digits[0].weight.data).all()
    np.True_
    """
    found = _state_dict(path)
    own = model.state_dict()
    if head is None:
        head = [[name for name, _ in model.named_parameters()][-1].rpartition(".")[0]]
    for layer in head:
        if not any(name.startswith(f"{layer}.") for name in own):
            raise ValueError(f"head must name layers of the model, got {layer!r}")
    body = {name: own[name] for name in own if not name.startswith(tuple(f"{layer}." for layer in head))}
    wrong = [name for name, tensor in body.items() if name not in found or found[name].shape != tensor.shape]
    if wrong:
        what = "; ".join(
            f"{name} {tuple(body[name].shape)}, in the file "
            + (str(tuple(found[name].shape)) if name in found else "missing")
            for name in wrong[:3]
        )
        raise ValueError(f"{path} holds the weights of another network: {what}")
    model.load_state_dict(own | {name: found[name] for name in body})


def _state_dict(path: Path | str) -> Mapping[str, Tensor]:
    content = load(path)
    if not isinstance(content, Mapping):
        raise ValueError(f"{path} holds a {type(content).__name__}, expected a dict of tensors (a state dict)")
    for key in ("state_dict", "model"):
        if isinstance(content.get(key), Mapping):
            content = content[key]
    tensors = {name: value for name, value in content.items() if isinstance(value, Tensor)}
    of_checkpoint = {name.removeprefix(PREFIX): t for name, t in tensors.items() if name.startswith(PREFIX)}
    return of_checkpoint or tensors
