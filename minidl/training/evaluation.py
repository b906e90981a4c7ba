"""evaluate and predict: a trained network on data it may not have seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from minidl import functional as F
from minidl.autograd import Tensor
from minidl.nn import Module, utils
from minidl.training.batches import as_loader, device_of_model, inputs_and_target, is_list_of_samples, parts_of
from minidl.training.measures import Measures, holds_classes, metric_values, named_metrics


def evaluate(
    model: Module,
    data: Any,
    *,
    loss: Callable[[Tensor, Tensor], Tensor] | None = F.cross_entropy,
    metrics: Any = None,
    batch_size: int = 256,
) -> dict[str, float]:
    """The loss and the metrics of a model on data, as means over all samples.

    Parameters
    ----------
    model : Module
        Returns one Tensor, as for :func:`fit`.
    data : Dataset, DataLoader or tuple of arrays
        Samples (x, ..., target): the model is called with all but the last.
    loss : callable, optional
        ``loss(output, target)``, a mean over the batch; None leaves it out.
    metrics : sequence or dict, optional
        ``"accuracy"``, and functions of (output, target) that give a mean over the batch. Unless given, the accuracy
        where the target holds integers (N, ...) for scores (N, C, ...) of C >= 2 classes; else none.
    batch_size : int
        Samples computed at once; apart from rounding, the result does not depend on it.

    Returns
    -------
    dict of float
        ``{"loss": ..., "accuracy": ...}``

    Examples
    --------
    >>> import numpy as np
    >>> from minidl import nn, training
    >>> training.evaluate(nn.Identity(), (np.array([[2.0, 1.0], [0.0, 3.0]]), np.array([0, 0])), loss=None)
    {'accuracy': 0.5}
    """
    if loss is not None:
        check_loss(loss)
    measures, metrics = Measures(), None if metrics is None else named_metrics(metrics)
    device = device_of_model(model)
    with utils.evaluation_mode(model):
        for batch in as_loader(data, batch_size):
            inputs, target = inputs_and_target(batch, device)
            output = model(*inputs)
            values = {"loss": cost_of(loss, output, target)} if loss is not None else {}
            if metrics is None:
                metrics = named_metrics(["accuracy"] if holds_classes(output, target) else [])
            measures.add(values | metric_values(metrics, output, target), len(target))
    return measures.values()


def check_loss(loss: Any) -> None:
    """Raise if `loss` is no function of (output, target)."""
    if isinstance(loss, type) or not callable(loss):
        raise TypeError(f"loss must be a function, such as F.mse_loss or nn.CrossEntropyLoss(), got {loss!r}")


def cost_of(loss: Callable[[Tensor, Tensor], Tensor], output: Tensor, target: Tensor) -> Tensor:
    """loss(output, target); an error for the cross-entropy of one class, which is 0 whatever the output."""
    if loss is F.cross_entropy and output.ndim > 1 and output.shape[1] == 1:
        raise ValueError(
            f"loss is cross_entropy, which learns nothing from an output of one class, got shape {output.shape}; for "
            "numbers write loss=F.mse_loss, for yes or no loss=F.binary_cross_entropy_with_logits"
        )
    return loss(output, target)


def predict(model: Module, data: Any, *, batch_size: int = 256) -> Tensor:
    """The outputs of a model for all samples, in their order.

    Parameters
    ----------
    model : Module
        Returns one Tensor, whose first axis is that of the samples.
    data : array or Tensor, or a Dataset or DataLoader
        The inputs. If samples have several parts, the last one is taken for the target and left out.
    batch_size : int
        Samples computed at once.

    Raises
    ------
    TypeError
        For a list of inputs, which may be meant as one array or as several.

    Examples
    --------
    >>> import numpy as np
    >>> from minidl import nn, training
    >>> training.predict(nn.ReLU(), np.array([[-1.0, 2.0]]))
    tensor([[0., 2.]], dtype=float64)
    """
    if isinstance(data, list) and not is_list_of_samples(data):
        raise TypeError("data must be an array, a Dataset or a DataLoader, got a list; of inputs write np.stack(data)")
    device = device_of_model(model)
    outputs = []
    with utils.evaluation_mode(model):
        for batch in as_loader(data, batch_size):
            parts = parts_of(batch, device)
            outputs.append(model(*parts[: max(1, len(parts) - 1)]))
        return F.cat(outputs, 0)
