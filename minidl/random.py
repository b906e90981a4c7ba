"""Seeded streams of random numbers, one for each purpose, so that drawing from one never changes another.

Each stream is a counter-based generator (Philox: Salmon et al., Parallel random numbers: as easy as 1, 2, 3, 2011) with
the key (seed, stream): the n-th number depends only on the key and n. Numbers are drawn on the CPU, so they are the
same on every device and for any number of threads.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

STREAMS = ("initialization", "shuffling", "dropout", "augmentation")

_generators: dict[str, np.random.Generator] = {}


def manual_seed(seed: int) -> None:
    """Restart all streams from `seed` (0 when the program starts).

    Examples
    --------
    >>> import minidl
    >>> minidl.manual_seed(7)
    >>> a = minidl.random.generator("dropout").random()
    >>> minidl.manual_seed(7)
    >>> a == minidl.random.generator("dropout").random()
    True
    """
    if not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**64:
        raise ValueError(f"seed must be an integer from 0 to 2**64 - 1, got {seed!r}")
    for number, name in enumerate(STREAMS):
        key = np.array([seed, number], dtype=np.uint64)
        _generators[name] = np.random.Generator(np.random.Philox(key=key))


def generator(stream: str) -> np.random.Generator:
    """The generator of a stream: ``"initialization"``, ``"shuffling"``, ``"dropout"`` or ``"augmentation"``."""
    if stream not in _generators:
        raise ValueError(f"stream must be one of {', '.join(STREAMS)}, got {stream!r}")
    return _generators[stream]


def get_state() -> dict[str, Any]:
    """The state of every stream, as plain numbers and lists that JSON can hold."""
    return {name: _plain(generator.bit_generator.state) for name, generator in _generators.items()}


def set_state(state: dict[str, Any]) -> None:
    """Set every stream to a state that :func:`get_state` returned.

    Examples
    --------
    >>> import minidl
    >>> state = minidl.random.get_state()
    >>> x = minidl.rand(3)
    >>> minidl.random.set_state(state)
    >>> bool((minidl.rand(3) == x).all())
    True
    """
    if set(state) != set(STREAMS):
        raise ValueError(f"state must hold the streams {', '.join(STREAMS)}, got {', '.join(state) or 'none'}")
    for name, stream_state in state.items():
        _generators[name].bit_generator.state = _arrays(stream_state)


@contextmanager
def fork(seed: int) -> Iterator[None]:
    """Restart all streams from `seed` inside this ``with``, and restore their states after it.

    Examples
    --------
    >>> import minidl
    >>> before = minidl.random.get_state()
    >>> with minidl.random.fork(seed=1):
    ...     x = minidl.rand(3)
    >>> minidl.random.get_state() == before
    True
    """
    state = get_state()
    try:
        manual_seed(seed)
        yield
    finally:
        set_state(state)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [int(item) for item in value] if isinstance(value, np.ndarray) else value


def _arrays(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _arrays(item) for key, item in value.items()}
    return np.array(value, dtype=np.uint64) if isinstance(value, list) else value


manual_seed(0)
