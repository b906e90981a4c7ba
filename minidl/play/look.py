"""One look through a trained classifier: its input, the output of every layer, the probabilities and the gradient."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

from minidl import functional as F
from minidl import nn
from minidl.autograd import Tensor, enable_grad, grad
from minidl.recipes import TrainedClassifier

MAPS = 64  # the most channels of a layer that are shown


def look(classifier: TrainedClassifier, pixels: np.ndarray) -> dict[str, Any]:
    """The output, the layers and the input gradient of a network for one picture, as values for JSON.

    Parameters
    ----------
    classifier : TrainedClassifier
    pixels : array (1 or 3, H, W)
        In 0..1; it is prepared like the pictures of the training, as `minidl predict` does.

    Returns
    -------
    dict
        ``label``, ``probabilities`` by class, and pictures of values (see `picture`): ``seen``, the input;
        ``gradient``, d logits[label] / d input; ``layers``, a list of ``name``, ``kind``, ``shape`` and ``values``.

    Raises
    ------
    ValueError
        If a layer gives NaN or infinities, as in a network whose training diverged; names the first.
    """
    x = Tensor(classifier.prepare(pixels)[None], requires_grad=True)  # (1, C, H, W)
    layers: list[dict[str, Any]] = []

    def record(name: str, module: nn.Module) -> Any:
        def hook(module: nn.Module, inputs: Any, output: Any) -> None:
            y = (output[0] if isinstance(output, tuple) else output).data
            if not np.isfinite(y).all():
                raise ValueError(f"the output of {name} is not finite: weights of the network are NaN, or too large")
            shape = list(y.shape[1:])
            layers.append({"name": name, "kind": type(module).__name__, "shape": shape, "values": picture(_maps(y))})

        return module.register_forward_hook(hook)

    hooks = [record(name, module) for name, module in classifier.model.named_modules() if not list(module.children())]
    try:
        with nn.utils.evaluation_mode(classifier.model), enable_grad():
            logits = classifier.model(x)  # (1, K)
    finally:
        for hook in hooks:
            hook.remove()
    label = int(logits.data.argmax())
    (dx,) = grad(logits[0, label], x)
    probabilities = F.softmax(logits.data[0].astype(np.float64), 0)
    return {
        "label": classifier.classes[label],
        "probabilities": dict(zip(classifier.classes, probabilities.tolist())),
        "seen": picture(x.data[0].mean(0, keepdims=True)),
        "gradient": picture(dx.data[0].mean(0, keepdims=True)),
        "layers": layers,
    }


def _maps(y: np.ndarray) -> np.ndarray:
    """The output of a layer for one sample as pictures (N, H, W)."""
    if y.ndim == 4:
        return y[0, :MAPS]  # channels
    if y.ndim == 3:
        return y  # (1, T, H): states over time, one row a step
    return y.reshape(1, 1, -1)  # a vector, one row


def picture(values: np.ndarray) -> dict[str, Any]:
    """Values (N, H, W) in -scale..scale as bytes 1..255, with 128 for 0; `scale` is the largest size among them."""
    scale = float(np.abs(values).max()) if values.size else 0.0
    levels = np.uint8(128 + np.rint(values * (127 / scale if scale else 0.0)))
    count, height, width = values.shape
    data = base64.b64encode(levels.tobytes()).decode()
    return {"count": count, "height": height, "width": width, "scale": scale, "data": data}
