"""What the clusterings share: a base class, and checks of their arguments."""

from __future__ import annotations

import inspect
import numbers
from typing import Any

import numpy as np

from minidl.autograd import to_numpy


class Clustering:
    """What clusterings share. A subclass defines `fit`, which sets ``labels_``; its repr shows its parameters."""

    def fit(self, X: Any, y: Any = None) -> Clustering:
        raise NotImplementedError(f"{type(self).__name__} must define fit(self, X, y=None)")

    def fit_predict(self, X: Any, y: Any = None) -> np.ndarray:
        """Find the clusters of X (N, D) and return the label of each sample, (N,); `y` is not used."""
        return self.fit(X).labels_

    def __repr__(self) -> str:
        parameters = inspect.signature(type(self)).parameters
        return f"{type(self).__name__}({', '.join(f'{name}={getattr(self, name)!r}' for name in parameters)})"


def as_samples(X: Any, name: str = "X") -> np.ndarray:
    """The samples as an array (N, D), checked to have finite distances; float32 stays, other dtypes become float64."""
    X = to_numpy(X)
    if X.ndim != 2:
        hint = ": flatten images with X.reshape(len(X), -1)" if X.ndim > 2 else ""
        hint = ": one feature a sample is X.reshape(-1, 1)" if X.ndim == 1 else hint
        raise ValueError(f"{name} must have the shape (N, features), got {X.shape}{hint}")
    if X.size == 0:
        raise ValueError(f"{name} must have at least one sample of one feature, got the shape {X.shape}")
    if X.dtype.kind not in "fiub":
        raise TypeError(f"{name} must hold real numbers, got {X.dtype}")
    X = X.astype(np.float32 if X.dtype == np.float32 else np.float64, copy=False)
    if not np.isfinite(X.sum()) and not np.isfinite(X).all():
        row, column = np.argwhere(~np.isfinite(X))[0]
        raise ValueError(f"{name} holds {X[row, column]} at [{row}, {column}]: clustering needs finite values")
    # the sum over N samples and D features of (x - y)^2, at most N D (2 largest)^2, must be finite
    largest, limit = max(X.max(), -X.min()), np.sqrt(np.finfo(X.dtype).max / X.size) / 2
    if largest > limit:
        raise ValueError(
            f"{name} holds numbers up to {largest:.3g} in size, so that squared distances overflow {X.dtype}; scale it "
            f"to {limit:.3g} or less"
        )
    return X


def check_count(value: Any, name: str, at_least: int = 1, at_most: int | None = None, of: str = "") -> None:
    """TypeError or ValueError unless `value` is an integer in that range; `of` says where its upper end comes from."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name} must be an integer, got {value!r}")
    if value < at_least or (at_most is not None and value > at_most):
        expected = f"at least {at_least}" if at_most is None else f"in {at_least}..{at_most}{of}"
        raise ValueError(f"{name} must be {expected}, got {value}")


def check_number(value: Any, name: str, *, above_zero: bool) -> None:
    """TypeError or ValueError unless `value` is a finite number, of at least 0 or above it."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be a number, got {value!r}")
    if not (value > 0 if above_zero else value >= 0) or value == float("inf"):
        raise ValueError(f"{name} must be a number {'above' if above_zero else 'of at least'} 0, got {value}")


def by_first_sample(labels: np.ndarray) -> np.ndarray:
    """The same clusters, numbered 0, 1, ... in the order of their first samples."""
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse]
