"""From a list of samples to one batch: arrays are stacked along a new first axis, however they are nested."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from minidl import kernels
from minidl.autograd import Tensor, as_array, is_array


def _is_array(value: Any) -> bool:
    return isinstance(value, np.generic) or is_array(value)


def _rebuild(like: Sequence, fields: list) -> Sequence:
    """A sequence of `fields`: a list for a list, the same named tuple for a named tuple, else a tuple."""
    if isinstance(like, list):
        return fields
    return type(like)(*fields) if hasattr(like, "_fields") else tuple(fields)


def default_collate(samples: Sequence[Any]) -> Any:
    """A batch of samples: batch[i] = samples[i], for every field of the samples.

    Parameters
    ----------
    samples : sequence
        Arrays, Tensors or numbers of one shape and type; or tuples, lists or dicts of them, to any depth. Texts are
        collected in a list.

    Returns
    -------
    Tensor, or a tuple, list or dict of Tensors
        Of shape (len(samples), *shape of one). Python floats, and ints beside floats, become float32; ints int64, bools
        bool.

    Raises
    ------
    TypeError, ValueError
        For values that cannot be batched, such as Pillow images, and for samples of different shapes.

    Examples
    --------
    >>> import numpy as np
    >>> from minidl.data import default_collate
    >>> x, y = default_collate([(np.zeros(3), 1), (np.ones(3), 2)])
    >>> x.shape, y
    ((2, 3), tensor([1, 2]))
    """
    return to_tensors(collate(samples))


def collate(samples: Sequence[Any]) -> Any:
    """:func:`default_collate` in arrays, as worker processes send them."""
    if len(samples) == 0:
        raise ValueError("cannot make a batch of no samples")
    first = samples[0]
    if isinstance(first, Tensor):
        samples = [sample.data for sample in samples]
        first = samples[0]
    if _is_array(first):
        return _stack(samples)
    if isinstance(first, (bool, int, float)):
        return as_array(samples)
    if isinstance(first, (str, bytes)):
        return list(samples)
    if isinstance(first, (Mapping, Sequence)):
        try:
            return _field_by_field(collate, samples)
        except RecursionError:
            raise ValueError("the samples of a batch are nested too deep, or hold themselves") from None
    hint = "; end the transform with ToTensor()" if type(first).__module__.startswith("PIL.") else ""
    raise TypeError(
        f"a batch cannot hold {type(first).__name__}: expected arrays, Tensors, numbers, text, or tuples, lists or "
        f"dicts of them{hint}"
    )


def join_batches(batches: Sequence[Any], order: np.ndarray) -> Any:
    """One batch of the samples of several, in another order: that of numbers 0, 1, ... through all of them."""
    first = batches[0]
    if isinstance(first, list) and all(isinstance(text, (str, bytes)) for text in first):
        texts = [text for batch in batches for text in batch]
        return [texts[place] for place in order]
    if isinstance(first, (Mapping, tuple, list)):
        return _field_by_field(lambda parts: join_batches(parts, order), batches)
    arrays = to_arrays(batches)
    _check_shapes({x.shape[1:] for x in arrays})
    xp = kernels.array_module(arrays[0])
    return xp.concatenate(arrays)[xp.asarray(order)]


def _field_by_field(combine: Callable[[list], Any], samples: Sequence[Any]) -> Any:
    """What `combine` makes of each field of samples that are tuples, lists or dicts, in a sample of the same kind."""
    first = samples[0]
    if isinstance(first, Mapping):
        for sample in samples:
            if sample.keys() != first.keys():
                raise ValueError(f"the samples of a batch have different keys: {list(first)} and {list(sample)}")
        return {key: combine([sample[key] for sample in samples]) for key in first}
    lengths = {len(sample) for sample in samples}
    if len(lengths) > 1:
        raise ValueError(f"the samples of a batch have different numbers of fields: {sorted(lengths)}")
    return _rebuild(first, [combine(list(field)) for field in zip(*samples, strict=True)])


def _stack(samples: Sequence[np.ndarray]) -> np.ndarray:
    xp = np if isinstance(samples[0], np.generic) else kernels.array_module(samples[0])
    try:
        return np.array(samples) if xp is np else xp.stack(samples)  # several times as fast as np.stack
    except ValueError:
        _check_shapes({np.shape(sample) for sample in samples})
        raise


def _check_shapes(shapes: set[tuple[int, ...]]) -> None:
    if len(shapes) > 1:
        raise ValueError(
            f"the samples of a batch must have one shape, got {sorted(shapes)}: resize or crop them in the dataset's "
            "transform"
        )


def map_leaves(function: Callable[[Any], Any], batch: Any) -> Any:
    """The batch with `function` applied to every value that is no tuple, list or dict."""
    if isinstance(batch, Mapping):
        return {key: map_leaves(function, value) for key, value in batch.items()}
    if isinstance(batch, (tuple, list)):
        return _rebuild(batch, [map_leaves(function, value) for value in batch])
    return function(batch)


def to_tensors(batch: Any) -> Any:
    """The batch with a Tensor in place of every array."""
    return map_leaves(lambda value: Tensor(value) if _is_array(value) else value, batch)


def to_arrays(batch: Any) -> Any:
    """The batch with the array in place of every Tensor."""
    return map_leaves(lambda value: value.data if isinstance(value, Tensor) else value, batch)
