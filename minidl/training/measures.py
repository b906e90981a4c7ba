"""Metrics, and their means over all batches of an epoch or an evaluation.

A metric is a function of (output, target) that returns the mean over a batch. In the mean over an epoch each batch has
the weight of its samples. Values stay on their device until they are asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from minidl.autograd import Tensor

Metric = Callable[[Tensor, Tensor], Any]

IGNORED = -100  # the default ignore_index of F.cross_entropy


def accuracy(output: Tensor, target: Tensor) -> Any:
    """The share of targets that are met: mean of (argmax_c output[:, c] == target), a number from 0 to 1.

    Parameters
    ----------
    output : Tensor (N, C, ...)
        Scores of C >= 2 classes.
    target : Tensor (N, ...) of int, or (N, C, ...) of float
        The classes; those that are -100, which `F.cross_entropy` ignores too, are not counted. Or a probability for
        each class, of which the largest counts.

    Raises
    ------
    ValueError
        For other shapes, such as one score for two classes.
    """
    if holds_classes(output, target):
        return (output.data.argmax(axis=1) == target.data).sum() / (target.data != IGNORED).sum()
    if _are_scores(output) and target.shape == output.shape and target.data.dtype.kind == "f":
        return (output.data.argmax(axis=1) == target.data.argmax(axis=1)).mean()
    raise ValueError(
        "accuracy needs an output (N, C, ...) with the scores of C >= 2 classes, and a target (N, ...) of integers or "
        f"(N, C, ...) of floats, got {output.data.dtype} {output.shape} and {target.data.dtype} {target.shape}; for "
        "others, metrics takes a function of (output, target)"
    )


def holds_classes(output: Tensor, target: Tensor) -> bool:
    """Whether a target holds the number of a class for each place of the output that has scores of classes."""
    labels_fit = target.shape == (*output.shape[:1], *output.shape[2:]) and target.data.dtype.kind in "iub"
    return _are_scores(output) and labels_fit


def _are_scores(output: Tensor) -> bool:
    return output.ndim >= 2 and output.shape[1] >= 2


METRICS: dict[str, Metric] = {"accuracy": accuracy}


def named_metrics(metrics: Mapping[str, Metric] | Iterable[str | Metric]) -> dict[str, Metric]:
    """Metrics by name: ``["accuracy", my_function]`` or ``{"name": function}``."""
    if isinstance(metrics, str) or callable(metrics):
        metrics = [metrics]
    if isinstance(metrics, Mapping):
        return dict(metrics)
    named = {}
    for metric in metrics:
        if callable(metric):
            named[getattr(metric, "__name__", type(metric).__name__)] = metric
        elif metric in METRICS:
            named[metric] = METRICS[metric]
        else:
            raise ValueError(
                f"metrics must be functions of (output, target) or one of {', '.join(METRICS)}, got {metric!r}"
            )
    return named


def metric_values(metrics: Mapping[str, Metric], output: Tensor, target: Tensor) -> dict[str, Any]:
    """The value of every metric on one batch."""
    return {name: metric(output, target) for name, metric in metrics.items()}


class Mean:
    """The mean of values that each stand for `samples` samples: sum_i samples_i * value_i / sum_i samples_i."""

    def __init__(self) -> None:
        self.total: Any = 0.0
        self.samples = 0

    def add(self, value: Any, samples: int) -> None:
        value = value.data if isinstance(value, Tensor) else value
        self.total = self.total + value * np.float64(samples)  # in float64, on the value's own device
        self.samples += samples

    @property
    def value(self) -> float:
        """The mean so far; reading it waits for the device."""
        return float(self.total) / self.samples


class Measures:
    """The means over one pass through the data, by name."""

    def __init__(self) -> None:
        self.means: dict[str, Mean] = {}

    def add(self, values: Mapping[str, Any], samples: int) -> None:
        """Add what was measured on a batch of `samples`, means over the batch."""
        for name, value in values.items():
            if np.shape(value) not in ((), (1,)):
                raise ValueError(f"{name} must be one number, a mean over the batch, got shape {np.shape(value)}")
            self.means.setdefault(name, Mean()).add(value, samples)

    def values(self, prefix: str = "") -> dict[str, float]:
        return {f"{prefix}{name}": mean.value for name, mean in self.means.items()}
