"""Transforms that cut out a part of the picture."""

import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from PIL import Image

from minidl.data.seeding import augmentation_generator
from minidl.data.transforms.base import (
    INTERPOLATIONS,
    RandomTransform,
    Transform,
    check_interpolation,
    check_range,
    fill_of_bytes,
    size_pair,
)

PADDED_MODES = ("1", "L", "LA", "RGB", "RGBA", "I", "I;16", "F")
PADDING_MODES = ("constant", "edge", "reflect", "symmetric")


def _pad_array(array: np.ndarray, padding: tuple[int, int, int, int], fill: float, mode: str) -> np.ndarray:
    """The array (..., H, W) with (left, top, right, bottom) pixels more."""
    if not any(padding):
        return array
    fill = fill_of_bytes(fill) if array.dtype == np.uint8 else fill
    left, top, right, bottom = padding
    widths = [(0, 0)] * (array.ndim - 2) + [(top, bottom), (left, right)]
    return np.pad(array, widths, mode, constant_values=fill) if mode == "constant" else np.pad(array, widths, mode)


def _pad_image(image: Image.Image, padding: tuple[int, int, int, int], fill: float, mode: str) -> Image.Image:
    if not any(padding):
        return image
    if image.mode not in PADDED_MODES:  # the array of another mode does not say which picture it is
        raise ValueError(
            f"a picture must have one of the modes {', '.join(PADDED_MODES)} to be padded, got mode {image.mode!r}: "
            "convert it first, with picture.convert('RGB')"
        )
    pixels = np.asarray(image)  # (H, W) or (H, W, C)
    planes = np.moveaxis(pixels, -1, 0) if pixels.ndim == 3 else pixels
    padded = _pad_array(planes, padding, fill, mode)
    return Image.fromarray(np.ascontiguousarray(np.moveaxis(padded, 0, -1) if pixels.ndim == 3 else padded))


class CenterCrop(Transform):
    """Cuts out the middle; an image that is smaller is padded with zeros first.

    Parameters
    ----------
    size : int or (height, width)

    Examples
    --------
    >>> import numpy as np
    >>> from minidl.data.transforms import CenterCrop
    >>> CenterCrop(2)(np.arange(16, dtype=np.uint8).reshape(1, 4, 4)).tolist()
    [[[5, 6], [9, 10]]]
    """

    def __init__(self, size: int | Sequence[int]):
        self.size = size_pair(size)

    def on_image(self, image: Image.Image) -> Image.Image:
        image = _pad_image(image, self._padding(image.height, image.width), 0, "constant")
        top, left = self._corner(image.height, image.width)
        height, width = self.size
        return image.crop((left, top, left + width, top + height))

    def on_array(self, array: np.ndarray) -> np.ndarray:
        array = _pad_array(array, self._padding(*array.shape[-2:]), 0, "constant")
        top, left = self._corner(*array.shape[-2:])
        height, width = self.size
        return array[..., top : top + height, left : left + width]

    def _padding(self, height: int, width: int) -> tuple[int, int, int, int]:
        lack_y, lack_x = max(0, self.size[0] - height), max(0, self.size[1] - width)
        return lack_x // 2, lack_y // 2, (lack_x + 1) // 2, (lack_y + 1) // 2

    def _corner(self, height: int, width: int) -> tuple[int, int]:
        return round((height - self.size[0]) / 2), round((width - self.size[1]) / 2)


class RandomCrop(RandomTransform):
    """Cuts out a part of a given size at a random place, after padding: y[c, i, j] = padded[c, top + i, left + j].

    top ~ uniform{0, ..., H' - height}, left ~ uniform{0, ..., W' - width}, H' and W' the size after padding.

    Parameters
    ----------
    size : int or (height, width)
    padding : int, (x, y) or (left, top, right, bottom), optional
        Pixels added on the sides.
    pad_if_needed : bool
        Pad an image that is still too small, which otherwise is an error.
    fill : float
        The value of padding, in the image's units.
    padding_mode : {"constant", "edge", "reflect", "symmetric"}
    generator : numpy.random.Generator, optional

    Examples
    --------
    >>> import numpy as np
    >>> from minidl.data.transforms import RandomCrop
    >>> RandomCrop(32, padding=4)(np.zeros((128, 3, 32, 32), np.float32)).shape
    (128, 3, 32, 32)
    """

    def __init__(
        self,
        size: int | Sequence[int],
        padding: int | Sequence[int] | None = None,
        pad_if_needed: bool = False,
        fill: float = 0,
        padding_mode: str = "constant",
        generator: np.random.Generator | None = None,
    ):
        super().__init__(generator)
        self.size = size_pair(size)
        self.padding = None if padding is None else _four_sides(padding)
        self.pad_if_needed = pad_if_needed
        self.fill = fill
        if padding_mode not in PADDING_MODES:
            raise ValueError(f"padding_mode must be one of {', '.join(PADDING_MODES)}, got {padding_mode!r}")
        self.padding_mode = padding_mode

    def on_image(self, image: Image.Image) -> Image.Image:
        image = _pad_image(image, self._all_padding(image.height, image.width), self.fill, self.padding_mode)
        [top], [left] = (corners.tolist() for corners in self._draw_corners(1, image.height, image.width))
        height, width = self.size
        return image.crop((left, top, left + width, top + height))

    def on_array(self, array: np.ndarray) -> np.ndarray:
        if array.ndim == 3:
            return self.on_array(array[None])[0]
        array = _pad_array(array, self._all_padding(*array.shape[-2:]), self.fill, self.padding_mode)
        tops, lefts = self._draw_corners(len(array), *array.shape[-2:])
        windows = sliding_window_view(array, self.size, axis=(2, 3))  # (N, C, H'-h+1, W'-w+1, h, w), no copy
        return windows[np.arange(len(array)), :, tops, lefts]  # (N, C, h, w)

    def _all_padding(self, height: int, width: int) -> tuple[int, int, int, int]:
        left, top, right, bottom = self.padding or (0, 0, 0, 0)
        if self.pad_if_needed:
            lack_y, lack_x = self.size[0] - (height + top + bottom), self.size[1] - (width + left + right)
            left, right = left + max(0, lack_x), right + max(0, lack_x)
            top, bottom = top + max(0, lack_y), bottom + max(0, lack_y)
        return left, top, right, bottom

    def _draw_corners(self, count: int, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
        if self.size[0] > height or self.size[1] > width:
            raise ValueError(
                f"RandomCrop of {self.size[0]}x{self.size[1]} from an image of {height}x{width} (with padding): set "
                "padding or pad_if_needed=True"
            )
        generator = augmentation_generator(self.generator)
        tops = generator.integers(0, height - self.size[0] + 1, count)
        return tops, generator.integers(0, width - self.size[1] + 1, count)


def _four_sides(padding: int | Sequence[int]) -> tuple[int, int, int, int]:
    sides = tuple(padding) if isinstance(padding, Iterable) else (padding, padding)
    sides = sides * 2 if len(sides) == 2 else sides
    if len(sides) != 4 or any(not isinstance(side, (int, np.integer)) or side < 0 for side in sides):
        raise ValueError(f"padding must be an int >= 0, (x, y) or (left, top, right, bottom), got {padding!r}")
    return sides


class RandomResizedCrop(RandomTransform):
    """Cuts out a part of random area and proportions and resizes it: the usual augmentation of photographs.

    area ~ uniform(scale) * H * W, ratio = exp(uniform(log ratio)), width = sqrt(area * ratio),
    height = sqrt(area / ratio), drawn up to ten times until it fits; else the largest part in the middle whose ratio is
    in range.

    Parameters
    ----------
    size : int or (height, width)
        Of the result.
    scale : (smallest, largest)
        The part's share of the image's area, in 0..1.
    ratio : (smallest, largest)
        The part's width / height.
    interpolation : {"bilinear", "nearest", "bicubic", "lanczos"}
    generator : numpy.random.Generator, optional

    Notes
    -----
    Source: C. Szegedy et al., "Going deeper with convolutions", 2015, section 6.

    Examples
    --------
    >>> import numpy as np
    >>> from minidl.data.transforms import RandomResizedCrop
    >>> RandomResizedCrop(24)(np.zeros((3, 40, 60), np.uint8)).shape
    (3, 24, 24)
    """

    attempts = 10

    def __init__(
        self,
        size: int | Sequence[int],
        scale: Sequence[float] = (0.08, 1.0),
        ratio: Sequence[float] = (3 / 4, 4 / 3),
        interpolation: str = "bilinear",
        generator: np.random.Generator | None = None,
    ):
        super().__init__(generator)
        self.size = size_pair(size)
        self.scale = check_range("scale", scale, np.finfo(float).tiny, 1)
        self.ratio = check_range("ratio", ratio, np.finfo(float).tiny)
        self.interpolation = check_interpolation(interpolation)

    def draw(self, generator: np.random.Generator, height: int, width: int) -> tuple[int, int, int, int]:
        if 0 in (height, width):
            raise ValueError(f"RandomResizedCrop takes images of at least one pixel, got {height}x{width}")
        for _ in range(self.attempts):
            area = generator.uniform(*self.scale) * height * width
            ratio = math.exp(generator.uniform(math.log(self.ratio[0]), math.log(self.ratio[1])))
            part_width, part_height = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
            if 0 < part_width <= width and 0 < part_height <= height:
                top = int(generator.integers(0, height - part_height + 1))
                left = int(generator.integers(0, width - part_width + 1))
                return top, left, part_height, part_width
        ratio = min(max(width / height, self.ratio[0]), self.ratio[1])
        part_width, part_height = min(width, max(1, round(height * ratio))), min(height, max(1, round(width / ratio)))
        return (height - part_height) // 2, (width - part_width) // 2, part_height, part_width

    def apply_image(self, image: Image.Image, parameters: tuple[int, int, int, int]) -> Image.Image:
        top, left, height, width = parameters
        part = image.crop((left, top, left + width, top + height))
        return part.resize((self.size[1], self.size[0]), INTERPOLATIONS[self.interpolation])
