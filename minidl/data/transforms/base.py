"""What all transforms share: which images they take, how they use Pillow, and where they get random numbers.

An image is a Pillow image; or an array or Tensor (C, H, W), bytes in 0..255 or floating in 0..1; or a batch of those,
(N, C, H, W), in which a random transform draws anew for every image.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from PIL import Image

from minidl.autograd import Tensor
from minidl.data.seeding import augmentation_generator
from minidl.random import check_generator

INTERPOLATIONS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


class Transform:
    """A function of an image: a subclass defines `on_image` for Pillow images, `on_array` for arrays (..., C, H, W)."""

    batched = True  # takes a batch (N, C, H, W) at once

    def __call__(self, image: Any) -> Any:
        if isinstance(image, Tensor):
            return Tensor(self(image.data))
        if isinstance(image, Image.Image):
            return self.on_image(image)
        if not isinstance(image, np.ndarray):
            raise TypeError(
                f"{type(self).__name__} takes a Pillow image, an array or a Tensor, got {type(image).__name__}"
            )
        if image.ndim not in (3, 4):
            raise ValueError(
                f"{type(self).__name__} takes images of shape (C, H, W) or (N, C, H, W), got {image.shape}"
            )
        return self.on_array(image)

    def on_image(self, image: Image.Image) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must define on_image(self, image)")

    def on_array(self, array: np.ndarray) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must define on_array(self, array)")

    def __repr__(self) -> str:
        shown = {name: value for name, value in vars(self).items() if value is not None}
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in shown.items())})"


class RandomTransform(Transform):
    """A transform in two steps: `draw` picks its parameters for one image, `apply_image` and `apply_array` use them."""

    def __init__(self, generator: np.random.Generator | None = None):
        check_generator(generator)
        self.generator = generator

    def draw(self, generator: np.random.Generator, height: int, width: int) -> Any:
        """The random parameters for one image of height x width pixels."""
        raise NotImplementedError(f"{type(self).__name__} must define draw(self, generator, height, width)")

    def apply_image(self, image: Image.Image, parameters: Any) -> Image.Image:
        raise NotImplementedError(f"{type(self).__name__} must define apply_image(self, image, parameters)")

    def apply_array(self, array: np.ndarray, parameters: Any) -> np.ndarray:
        """Sends each plane (H, W) through Pillow, unless a subclass has a faster way."""
        return through_pillow(array, lambda plane: self.apply_image(plane, parameters))

    def on_image(self, image: Image.Image) -> Image.Image:
        return self.apply_image(image, self.draw(augmentation_generator(self.generator), image.height, image.width))

    def on_array(self, array: np.ndarray) -> np.ndarray:
        if array.ndim == 4:
            return np.stack([self.on_array(image) for image in array])
        return self.apply_array(array, self.draw(augmentation_generator(self.generator), *array.shape[-2:]))


class Compose:
    """Transforms one after another: y = t_n(... t_2(t_1(x))).

    Parameters
    ----------
    transforms : sequence of callables

    Examples
    --------
    >>> import numpy as np
    >>> from minidl.data.transforms import CenterCrop, Compose, Normalize
    >>> compose = Compose([CenterCrop(2), Normalize([0.5], [0.5])])
    >>> compose(np.ones((1, 4, 4), np.float32)).shape
    (1, 2, 2)
    """

    def __init__(self, transforms: Sequence[Callable[[Any], Any]]):
        self.transforms = list(transforms)
        for position, transform in enumerate(self.transforms):
            if not callable(transform) or isinstance(transform, type):
                raise TypeError(
                    f"transforms[{position}] of Compose must be a callable such as Grayscale(), got {transform!r}"
                )

    @property
    def batched(self) -> bool:
        return all(getattr(transform, "batched", False) for transform in self.transforms)

    def __call__(self, image: Any) -> Any:
        for transform in self.transforms:
            image = transform(image)
        return image

    def __repr__(self) -> str:
        return f"Compose([{', '.join(map(repr, self.transforms))}])"


def size_pair(size: int | Sequence[int]) -> tuple[int, int]:
    """(height, width) from one number or two."""
    pair = tuple(size) if isinstance(size, Iterable) else (size, size)
    if len(pair) != 2 or any(
        isinstance(side, bool) or not isinstance(side, (int, np.integer)) or side < 1 for side in pair
    ):
        raise ValueError(f"size must be a positive int or a pair (height, width) of them, got {size!r}")
    return int(pair[0]), int(pair[1])


def check_interpolation(interpolation: str, allowed: Sequence[str] = tuple(INTERPOLATIONS)) -> str:
    if interpolation not in allowed:
        raise ValueError(f"interpolation must be one of {', '.join(allowed)}, got {interpolation!r}")
    return interpolation


def check_range(name: str, values: Sequence[float], lower: float, upper: float = np.inf) -> tuple[float, float]:
    """The pair (smallest, largest), finite; ValueError unless lower <= smallest <= largest <= upper."""
    pair = tuple(float(value) for value in values) if isinstance(values, Iterable) else ()
    if len(pair) != 2 or not lower <= pair[0] <= pair[1] <= upper or not np.isfinite(pair).all():
        raise ValueError(f"{name} must be a pair (smallest, largest) within {lower}..{upper}, got {values}")
    return pair


def check_pixels(array: np.ndarray) -> None:
    """Raises TypeError for an array whose range of values is not known."""
    if array.dtype != np.uint8 and array.dtype.kind != "f":
        raise TypeError(f"an image must hold bytes (uint8, 0..255) or floating values, got {array.dtype}")


def fill_of_bytes(fill: float) -> int:
    """`fill` as the value of a byte."""
    if not 0 <= fill <= 255 or fill != int(fill):
        raise ValueError(f"fill must be a whole number from 0 to 255 for an image of bytes, got {fill}")
    return int(fill)


def through_pillow(array: np.ndarray, function: Callable[[Image.Image], Image.Image]) -> np.ndarray:
    """The array (..., H, W), each plane (H, W) sent through a Pillow function as bytes or as 32-bit floats."""
    check_pixels(array)
    planes = array.reshape(-1, *array.shape[-2:])
    planes = planes if array.dtype == np.uint8 else planes.astype(np.float32, copy=False)
    results = np.stack([np.asarray(function(Image.fromarray(np.ascontiguousarray(plane)))) for plane in planes])
    return results.reshape(*array.shape[:-2], *results.shape[-2:]).astype(array.dtype, copy=False)
