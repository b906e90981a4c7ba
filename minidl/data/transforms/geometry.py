"""Transforms of the whole picture's geometry: resize, flip, rotate, affine."""

import math
import numbers
from collections.abc import Sequence

import numpy as np
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
    through_pillow,
)

AFFINE_INTERPOLATIONS = ("nearest", "bilinear", "bicubic")


class Resize(Transform):
    """Resizes with antialiasing: each pixel is a mean, weighted by the filter, over the area it covers in the original.

    Parameters
    ----------
    size : int or (height, width)
        One number sets the shorter side and keeps the proportions: long = int(size * long / short).
    interpolation : {"bilinear", "nearest", "bicubic", "lanczos"}

    Examples
    --------
    >>> import numpy as np
    >>> from minidl.data.transforms import Resize
    >>> Resize(4)(np.zeros((3, 8, 16), np.float32)).shape
    (3, 4, 8)
    """

    def __init__(self, size: int | Sequence[int], interpolation: str = "bilinear"):
        pair = size_pair(size)  # also checks a single number
        self.size = size if isinstance(size, (int, np.integer)) else pair
        self.interpolation = check_interpolation(interpolation)

    def on_image(self, image: Image.Image) -> Image.Image:
        height, width = self._target(image.height, image.width)
        return image.resize((width, height), INTERPOLATIONS[self.interpolation])

    def on_array(self, array: np.ndarray) -> np.ndarray:
        return through_pillow(array, self.on_image)

    def _target(self, height: int, width: int) -> tuple[int, int]:
        if not isinstance(self.size, (int, np.integer)):
            return self.size
        short, long = sorted((height, width))
        if short == 0:
            raise ValueError(f"Resize takes images of at least one pixel, got {height}x{width}")
        longer = int(self.size * long / short)
        return (self.size, longer) if height <= width else (longer, self.size)


class _RandomFlip(RandomTransform):
    """Mirrors an image with probability p."""

    axis: int  # of the array that is mirrored
    transposition: Image.Transpose

    def __init__(self, p: float = 0.5, generator: np.random.Generator | None = None):
        super().__init__(generator)
        if not 0 <= p <= 1:
            raise ValueError(f"p must be a probability in 0..1, got {p}")
        self.p = p

    def draw(self, generator: np.random.Generator, height: int, width: int) -> bool:
        return generator.random() < self.p

    def apply_image(self, image: Image.Image, parameters: bool) -> Image.Image:
        return image.transpose(self.transposition) if parameters else image

    def apply_array(self, array: np.ndarray, parameters: bool) -> np.ndarray:
        return np.flip(array, self.axis) if parameters else array

    def on_array(self, array: np.ndarray) -> np.ndarray:
        if array.ndim == 3:
            return super().on_array(array)
        flipped = augmentation_generator(self.generator).random(len(array)) < self.p
        result = array.copy()
        result[flipped] = np.flip(array[flipped], self.axis)
        return result


class RandomHorizontalFlip(_RandomFlip):
    """Mirrors left and right with probability p: y[c, i, j] = x[c, i, W-1-j].

    Parameters
    ----------
    p : float
    generator : numpy.random.Generator, optional

    Examples
    --------
    >>> import numpy as np
    >>> from minidl.data.transforms import RandomHorizontalFlip
    >>> RandomHorizontalFlip(p=1)(np.array([[[1, 2, 3]]], np.uint8)).tolist()
    [[[3, 2, 1]]]
    """

    axis = -1
    transposition = Image.Transpose.FLIP_LEFT_RIGHT


class RandomVerticalFlip(_RandomFlip):
    """Mirrors top and bottom with probability p: y[c, i, j] = x[c, H-1-i, j].

    Parameters
    ----------
    p : float
    generator : numpy.random.Generator, optional

    Examples
    --------
    >>> import numpy as np
    >>> from minidl.data.transforms import RandomVerticalFlip
    >>> RandomVerticalFlip(p=1)(np.array([[[1], [2]]], np.uint8)).tolist()
    [[[2], [1]]]
    """

    axis = -2
    transposition = Image.Transpose.FLIP_TOP_BOTTOM


def _degree_range(degrees: float | Sequence[float]) -> tuple[float, float]:
    if isinstance(degrees, numbers.Real):
        if not 0 <= degrees < math.inf:
            raise ValueError(f"degrees must be >= 0 or a pair (smallest, largest), got {degrees}")
        return (-float(degrees), float(degrees))
    return check_range("degrees", degrees, -np.inf)


class RandomRotation(RandomTransform):
    """Rotates counter-clockwise by a random angle; pixels from outside the image are `fill`.

    angle ~ uniform(-degrees, degrees)

    Parameters
    ----------
    degrees : float or (smallest, largest)
        Degrees of arc.
    interpolation : {"nearest", "bilinear", "bicubic"}
    expand : bool
        Enlarge the image so that nothing is cut off.
    center : (x, y), optional
        Pixels from the upper left corner; default the image's centre.
    fill : float
        In the image's units.
    generator : numpy.random.Generator, optional

    Examples
    --------
    >>> import numpy as np
    >>> from minidl.data.transforms import RandomRotation
    >>> RandomRotation((90, 90))(np.array([[[1, 2], [3, 4]]], np.uint8)).tolist()
    [[[2, 4], [1, 3]]]
    """

    def __init__(
        self,
        degrees: float | Sequence[float],
        interpolation: str = "nearest",
        expand: bool = False,
        center: tuple[float, float] | None = None,
        fill: float = 0,
        generator: np.random.Generator | None = None,
    ):
        super().__init__(generator)
        self.degrees = _degree_range(degrees)
        self.interpolation = check_interpolation(interpolation, AFFINE_INTERPOLATIONS)
        self.expand = expand
        self.center = center
        self.fill = fill

    @property
    def batched(self) -> bool:
        """Not where every image gets a size of its own."""
        return not self.expand

    def draw(self, generator: np.random.Generator, height: int, width: int) -> float:
        return generator.uniform(*self.degrees)

    def apply_image(self, image: Image.Image, parameters: float) -> Image.Image:
        return image.rotate(
            parameters,
            INTERPOLATIONS[self.interpolation],
            expand=self.expand,
            center=self.center,
            fillcolor=_fill(image, self.fill),
        )


class RandomAffine(RandomTransform):
    """Rotates, shears, scales and moves an image by random amounts, about its centre.

    A point p of the image goes to centre + translation + scale * R(angle) * S(shear) * (p - centre),

        S(sx, sy) = [[1, -tan sx], [-tan sy, 1 + tan sx tan sy]]        R(a) = [[cos a, -sin a], [sin a, cos a]]

    with x to the right and y down, so that a positive angle turns clockwise.

    Parameters
    ----------
    degrees : float or (smallest, largest)
        angle ~ uniform(-degrees, degrees), degrees of arc.
    translate : (a, b), optional
        Moves by uniform(-a, a) * width and uniform(-b, b) * height, rounded to pixels; fractions in 0..1.
    scale : (smallest, largest), optional
        scale ~ uniform(smallest, largest).
    shear : float, pair or four numbers, optional
        Degrees of arc: sx ~ uniform(-shear, shear) or uniform(shear[0], shear[1]); sy ~ uniform(shear[2], shear[3]),
        else 0.
    interpolation : {"nearest", "bilinear", "bicubic"}
    fill : float
        The value of pixels from outside the image, in its units.
    center : (x, y), optional
        Pixels from the upper left corner; default the image's centre.
    generator : numpy.random.Generator, optional
    """

    def __init__(
        self,
        degrees: float | Sequence[float],
        translate: Sequence[float] | None = None,
        scale: Sequence[float] | None = None,
        shear: float | Sequence[float] | None = None,
        interpolation: str = "nearest",
        fill: float = 0,
        center: tuple[float, float] | None = None,
        generator: np.random.Generator | None = None,
    ):
        super().__init__(generator)
        self.degrees = _degree_range(degrees)
        if translate is not None and (np.shape(translate) != (2,) or not all(0 <= part <= 1 for part in translate)):
            raise ValueError(f"translate must be a pair of fractions in 0..1, got {translate!r}")
        self.translate = None if translate is None else tuple(translate)
        self.scale = None if scale is None else check_range("scale", scale, np.finfo(float).tiny)
        self.shear = None if shear is None else _shear_range(shear)
        self.interpolation = check_interpolation(interpolation, AFFINE_INTERPOLATIONS)
        self.fill = fill
        self.center = center

    def draw(
        self, generator: np.random.Generator, height: int, width: int
    ) -> tuple[float, tuple[int, int], float, tuple[float, float]]:
        angle = generator.uniform(*self.degrees)
        across, down = self.translate or (0, 0)
        translation = (
            round(generator.uniform(-across, across) * width),
            round(generator.uniform(-down, down) * height),
        )
        scale = generator.uniform(*(self.scale or (1, 1)))
        low_x, high_x, low_y, high_y = self.shear or (0, 0, 0, 0)
        return angle, translation, scale, (generator.uniform(low_x, high_x), generator.uniform(low_y, high_y))

    def apply_image(
        self, image: Image.Image, parameters: tuple[float, tuple[int, int], float, tuple[float, float]]
    ) -> Image.Image:
        center = self.center or (image.width / 2, image.height / 2)
        matrix = inverse_affine(center, *parameters)
        return image.transform(
            image.size,
            Image.Transform.AFFINE,
            matrix,
            INTERPOLATIONS[self.interpolation],
            fillcolor=_fill(image, self.fill),
        )


def _shear_range(shear: float | Sequence[float]) -> tuple[float, float, float, float]:
    if isinstance(shear, numbers.Real):
        return (*_degree_range(shear), 0.0, 0.0)
    if len(shear) not in (2, 4):
        raise ValueError(f"shear must be one number, two or four, got {shear!r}")
    low_y, high_y = check_range("shear[2:]", shear[2:], -np.inf) if len(shear) == 4 else (0.0, 0.0)
    return (*check_range("shear[:2]", shear[:2], -np.inf), low_y, high_y)


def inverse_affine(
    center: tuple[float, float],
    angle: float,
    translation: tuple[float, float],
    scale: float,
    shear: tuple[float, float],
) -> tuple[float, ...]:
    """The six numbers (a, b, c, d, e, f) by which Pillow finds the source of pixel (x, y).

    It reads (a x + b y + c, d x + e y + f), which is the inverse of RandomAffine's map:
    source = centre + S^-1 R^-1 (p - centre - translation) / scale.
    """
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    tx, ty = (math.tan(math.radians(degrees)) for degrees in shear)
    # S^-1 R^-1 = [[1 + tx ty, tx], [ty, 1]] [[cos, sin], [-sin, cos]], as S has the determinant 1
    a, b = ((1 + tx * ty) * cos - tx * sin) / scale, ((1 + tx * ty) * sin + tx * cos) / scale
    d, e = (ty * cos - sin) / scale, (ty * sin + cos) / scale
    x, y = center[0] + translation[0], center[1] + translation[1]
    return a, b, center[0] - a * x - b * y, d, e, center[1] - d * x - e * y


def _fill(image: Image.Image, fill: float) -> float | tuple[float, ...]:
    """The fill value for each band of the image."""
    fill = fill if image.mode[0] in "IF" else fill_of_bytes(fill)
    bands = len(image.getbands())
    return fill if bands == 1 else (fill,) * bands
