"""JSON that every program reads."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np

from minidl.autograd import Tensor


def python_number(value: Any) -> Any:
    """What ``json.dumps(default=...)`` writes in place of a number of NumPy's or of a Tensor of one number."""
    if isinstance(value, (np.generic, Tensor)):
        return value.item()
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def json_text(value: Any, indent: int | None = None) -> str:
    """A value as JSON, with null for infinities and NaN, which JSON does not have.

    Examples
    --------
    >>> from minidl.serialization.strict_json import json_text
    >>> json_text({"loss": [0.5, float("nan")]})
    '{"loss": [0.5, null]}'
    """
    return json.dumps(_finite(value), indent=indent, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, (np.generic, Tensor)):
        value = value.item()
    if isinstance(value, dict):
        return {name: _finite(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
