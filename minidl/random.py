"""Seeded streams of random numbers, one for each purpose, so that drawing from one never changes another.

Each stream is a counter-based generator (Philox: Salmon et al., Parallel random numbers: as easy as 1, 2, 3, 2011) with
the key (seed, stream): the n-th number depends only on the key and n. Numbers are drawn on the CPU, so they are the
same on every device and for any number of threads.
"""

from __future__ import annotations

import secrets
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
    for number, name in enumerate(STREAMS):
        _generators[name] = np.random.Generator(_philox(seed, number))


def _philox(seed: int, number: int) -> np.random.Philox:
    if not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**64:
        raise ValueError(f"seed must be an integer from 0 to 2**64 - 1, got {seed!r}")
    return np.random.Philox(key=np.array([seed, number], dtype=np.uint64))


def _seed_of(generator: np.random.Generator) -> int:
    """What `_philox` was given: the first number of the key, so that a state brings its seed along."""
    return int(generator.bit_generator.state["state"]["key"][0])


def initial_seed() -> int:
    """The seed that the streams were started from; in a worker process of a DataLoader one of its own.

    Examples
    --------
    >>> import minidl
    >>> minidl.manual_seed(7)
    >>> minidl.initial_seed()
    7
    """
    return _seed_of(_generators[STREAMS[0]])


def generator(stream: str) -> np.random.Generator:
    """The generator of a stream: ``"initialization"``, ``"shuffling"``, ``"dropout"`` or ``"augmentation"``."""
    if stream not in _generators:
        raise ValueError(f"stream must be one of {', '.join(STREAMS)}, got {stream!r}")
    return _generators[stream]


class Generator(np.random.Generator):
    """A generator of your own, made and seeded as in PyTorch: one of NumPy's, with which it shares all methods.

    What takes a ``generator`` takes either: ``minidl.Generator().manual_seed(7)`` or ``numpy.random.default_rng(7)``.

    Parameters
    ----------
    device : str
        Has no effect: numbers are drawn on the CPU, for every device.

    Examples
    --------
    >>> import minidl
    >>> a, b = (minidl.rand(3, generator=minidl.Generator().manual_seed(7)) for _ in range(2))
    >>> minidl.equal(a, b)
    True
    """

    def __init__(self, device: str = "cpu"):
        super().__init__(_philox(0, len(STREAMS)))

    def manual_seed(self, seed: int) -> Generator:
        """Start anew from `seed`; returns the generator itself."""
        self.bit_generator.state = _philox(seed, len(STREAMS)).state
        return self

    def seed(self) -> int:
        """Start anew from a seed that nobody can foretell; returns it."""
        seed = secrets.randbits(64)
        self.manual_seed(seed)
        return seed

    def initial_seed(self) -> int:
        """The seed that it was started from, 0 unless another was given."""
        return _seed_of(self)

    def get_state(self) -> dict[str, Any]:
        """The state, as plain numbers and lists that JSON can hold."""
        return _plain(self.bit_generator.state)

    def set_state(self, state: dict[str, Any]) -> Generator:
        """Go on from a state that :meth:`get_state` returned; returns the generator itself.

        Examples
        --------
        >>> import minidl
        >>> generator = minidl.Generator().manual_seed(7)
        >>> state = generator.get_state()
        >>> x = minidl.rand(3, generator=generator)
        >>> minidl.equal(x, minidl.rand(3, generator=generator.set_state(state)))
        True
        """
        if not isinstance(state, dict) or set(state) != set(self.get_state()):
            raise ValueError(f"state must be what get_state of a minidl.Generator returned, got {state!r}")
        self.bit_generator.state = _arrays(state)
        return self

    def __reduce__(self) -> tuple:
        return _restored, (self.get_state(),)


def _restored(state: dict[str, Any]) -> Generator:
    """A generator in a state: of one that was pickled or copied, or of a stream."""
    return Generator().set_state(state)


def chosen(own: np.random.Generator | None, stream: str) -> np.random.Generator:
    """A generator of the user's own, or if there is none that of a stream."""
    check_generator(own)
    return generator(stream) if own is None else own


def check_generator(generator: object) -> None:
    """Raise a TypeError for what is neither a generator nor None."""
    if generator is not None and not isinstance(generator, np.random.Generator):
        raise TypeError(
            f"generator must be a numpy.random.Generator, got {generator!r}; make one with "
            "numpy.random.default_rng(seed) or minidl.Generator().manual_seed(seed)"
        )


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
    _generators.update({name: _restored(stream_state) for name, stream_state in state.items()})


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
