"""Transforms of the values: from Pillow to arrays, normalization, grey, and random changes of colour."""

import numbers
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageEnhance

from minidl.autograd import Tensor
from minidl.data.transforms.base import RandomTransform, Transform, check_pixels, check_range

LUMA = np.array([0.299, 0.587, 0.114], np.float32).reshape(3, 1, 1)  # of R, G, B: ITU-R BT.601


class ToTensor(Transform):
    """From a Pillow image, or an array (H, W) or (H, W, C), to a float32 Tensor (C, H, W).

    Bytes 0..255 become 0..1, y[c, i, j] = x[i, j, c] / 255; a floating-point array keeps its values.

    Examples
    --------
    >>> import numpy as np
    >>> from minidl.data.transforms import ToTensor
    >>> ToTensor()(np.full((2, 3, 1), 255, np.uint8)).shape
    (1, 2, 3)
    """

    batched = False

    def __call__(self, image: Image.Image | np.ndarray) -> Tensor:
        if not isinstance(image, (Image.Image, np.ndarray)):
            raise TypeError(f"ToTensor takes a Pillow image or an array (H, W, C), got {type(image).__name__}")
        if isinstance(image, Image.Image) and image.mode in ("1", "P"):
            image = image.convert("L" if image.mode == "1" else "RGB")
        pixels = np.asarray(image)
        pixels = pixels[:, :, None] if pixels.ndim == 2 else pixels
        if pixels.ndim != 3 or pixels.shape[2] > 4:
            raise ValueError(
                f"ToTensor takes an array of shape (H, W) or (H, W, C) with at most 4 channels, got {np.shape(image)}; "
                "an image that is (C, H, W) already needs no ToTensor"
            )
        planes = np.ascontiguousarray(pixels.transpose(2, 0, 1))  # (C, H, W)
        if planes.dtype == np.uint8:
            return Tensor(np.divide(planes, np.float32(255)))
        if planes.dtype.kind != "f":
            raise TypeError(f"ToTensor takes bytes (uint8, 0..255) or floating values, got {planes.dtype}")
        return Tensor(planes.astype(np.float32, copy=False))


class Normalize(Transform):
    """Shifts and scales each channel: y[c] = (x[c] - mean[c]) / std[c].

    Parameters
    ----------
    mean, std : float or sequence of float
        One for each channel, in the units of the image, usually of 0..1; std > 0.

    Raises
    ------
    TypeError
        For bytes and other integers, because `mean` and `std` are in units of 0..1.

    Examples
    --------
    >>> import numpy as np
    >>> from minidl.data.transforms import Normalize
    >>> Normalize(0.5, 0.25)(np.full((1, 1, 1), 0.75, np.float32)).tolist()
    [[[1.0]]]
    """

    def __init__(self, mean: float | Sequence[float], std: float | Sequence[float]):
        self.mean = np.atleast_1d(np.asarray(mean, dtype=np.float64))
        self.std = np.atleast_1d(np.asarray(std, dtype=np.float64))
        if self.mean.ndim != 1 or self.mean.shape != self.std.shape:
            raise ValueError(
                f"mean and std must hold one number for each channel, got {self.mean.shape} and {self.std.shape}"
            )
        if not np.all(self.std > 0):
            raise ValueError(f"std must be > 0, got {self.std.tolist()}")

    def on_image(self, image: Image.Image) -> np.ndarray:
        raise TypeError("Normalize takes floating images in 0..1, got a Pillow image: put ToTensor() before it")

    def on_array(self, array: np.ndarray) -> np.ndarray:
        if array.dtype.kind != "f":
            raise TypeError(
                f"Normalize takes floating images in 0..1, got {array.dtype}: convert with ToTensor(), or "
                "x.astype('float32') / 255"
            )
        if array.shape[-3] != len(self.mean):
            raise ValueError(
                f"Normalize has {len(self.mean)} means, the image has {array.shape[-3]} channels (shape {array.shape})"
            )
        mean, std = (values.astype(array.dtype).reshape(-1, 1, 1) for values in (self.mean, self.std))
        result = array - mean
        result /= std
        return result

    def __repr__(self) -> str:
        return f"Normalize(mean={self.mean.tolist()}, std={self.std.tolist()})"


class Grayscale(Transform):
    """Luminance: L = 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601).

    Parameters
    ----------
    num_output_channels : {1, 3}
        3 repeats L three times.

    Examples
    --------
    >>> import numpy as np
    >>> from minidl.data.transforms import Grayscale
    >>> Grayscale()(np.ones((3, 2, 2), np.float32)).shape
    (1, 2, 2)
    """

    def __init__(self, num_output_channels: int = 1):
        if num_output_channels not in (1, 3):
            raise ValueError(f"num_output_channels must be 1 or 3, got {num_output_channels}")
        self.num_output_channels = num_output_channels

    def on_image(self, image: Image.Image) -> Image.Image:
        gray = image.convert("L")
        return gray if self.num_output_channels == 1 else Image.merge("RGB", (gray, gray, gray))

    def on_array(self, array: np.ndarray) -> np.ndarray:
        gray = array if array.shape[-3] == 1 else _luminance(array)
        return gray if self.num_output_channels == 1 else np.repeat(gray, 3, axis=-3)


def _luminance(array: np.ndarray) -> np.ndarray:
    """(..., 3, H, W) to (..., 1, H, W)."""
    check_pixels(array)
    if array.shape[-3] != 3:
        raise ValueError(f"a colour image has 3 channels (R, G, B), got shape {array.shape}")
    gray = (array * LUMA).sum(axis=-3, keepdims=True, dtype=np.float32)
    return np.round(gray).astype(np.uint8) if array.dtype == np.uint8 else gray.astype(array.dtype)


class ColorJitter(RandomTransform):
    """Changes brightness, contrast, saturation and hue by random amounts, in random order.

    brightness: y = f x;    contrast: y = f x + (1 - f) mean(L);    saturation: y = f x + (1 - f) L

    L is the luminance of each pixel; the result is clipped to 0..1 (bytes: 0..255). Hue: d is added to the angle h of
    (h, s, v).

    Parameters
    ----------
    brightness, contrast, saturation : float or (smallest, largest)
        f ~ uniform(max(0, 1 - value), 1 + value), or between the two numbers.
    hue : float or (smallest, largest)
        d ~ uniform(-hue, hue) turns of the colour circle, at most 0.5.
    generator : numpy.random.Generator, optional

    Examples
    --------
    >>> import numpy as np
    >>> from minidl.data.transforms import ColorJitter
    >>> x = np.random.default_rng(0).random((3, 8, 8), dtype="float32") / 2
    >>> y = ColorJitter(brightness=0.3)(x)
    >>> np.allclose(y, y[0, 0, 0] / x[0, 0, 0] * x)  # one factor for all pixels
    True
    """

    def __init__(
        self,
        brightness: float | Sequence[float] = 0,
        contrast: float | Sequence[float] = 0,
        saturation: float | Sequence[float] = 0,
        hue: float | Sequence[float] = 0,
        generator: np.random.Generator | None = None,
    ):
        super().__init__(generator)
        self.brightness = _factor_range("brightness", brightness)
        self.contrast = _factor_range("contrast", contrast)
        self.saturation = _factor_range("saturation", saturation)
        self.hue = check_range("hue", (-hue, hue) if isinstance(hue, numbers.Real) else hue, -0.5, 0.5)

    def draw(self, generator: np.random.Generator, height: int, width: int) -> list[tuple[str, float]]:
        amounts = [
            (name, generator.uniform(*getattr(self, name))) for name in ("brightness", "contrast", "saturation", "hue")
        ]
        return [amounts[position] for position in generator.permutation(4)]

    def apply_image(self, image: Image.Image, parameters: list[tuple[str, float]]) -> Image.Image:
        enhancers = {
            "brightness": ImageEnhance.Brightness,
            "contrast": ImageEnhance.Contrast,
            "saturation": ImageEnhance.Color,
        }
        for name, amount in parameters:
            if name in enhancers:
                image = enhancers[name](image).enhance(amount)
            elif amount != 0 and image.mode in ("RGB", "RGBA"):
                image = _turn_hue(image, amount)
        return image

    def apply_array(self, array: np.ndarray, parameters: list[tuple[str, float]]) -> np.ndarray:
        if array.dtype == np.uint8:
            return np.round(self.apply_array(array / np.float32(255), parameters) * 255).astype(np.uint8)
        check_pixels(array)
        gray = array.shape[-3] == 1
        for name, amount in parameters:
            if name == "brightness":
                array = np.clip(amount * array, 0, 1)
            elif name == "contrast":
                array = np.clip(amount * array + (1 - amount) * (array if gray else _luminance(array)).mean(), 0, 1)
            elif name == "saturation" and not gray:
                array = np.clip(amount * array + (1 - amount) * _luminance(array), 0, 1)
            elif name == "hue" and not gray and amount != 0:
                h, s, v = rgb_to_hsv(array)
                array = hsv_to_rgb(h + amount, s, v).astype(array.dtype)
        return array


def _factor_range(name: str, value: float | Sequence[float]) -> tuple[float, float]:
    if not isinstance(value, numbers.Real):
        return check_range(name, value, 0)
    if not 0 <= value < np.inf:
        raise ValueError(f"{name} must be >= 0, got {value}")
    return (max(0.0, 1 - value), 1.0 + value)


def _turn_hue(image: Image.Image, turns: float) -> Image.Image:
    hue, saturation, value = image.convert("RGB").convert("HSV").split()
    turned = (np.asarray(hue).astype(np.int16) + round(turns * 255)) % 256
    result = Image.merge("HSV", (Image.fromarray(turned.astype(np.uint8)), saturation, value)).convert("RGB")
    if image.mode == "RGBA":
        result.putalpha(image.getchannel("A"))
    return result


def rgb_to_hsv(array: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hue (turns, 0..1), saturation and value (0..1) of (3, H, W) colours in 0..1, each (H, W).

    v = max(r, g, b), d = v - min(r, g, b), s = d / v, and h in sixths of a turn: (g - b) / d where r is the largest,
    2 + (b - r) / d where g is, 4 + (r - g) / d where b is.
    """
    r, g, b = array
    v = array.max(axis=0)
    d = v - array.min(axis=0)
    safe = np.where(d == 0, 1, d)
    sixths = np.where(v == r, (g - b) / safe, np.where(v == g, 2 + (b - r) / safe, 4 + (r - g) / safe))
    return (sixths / 6) % 1, d / np.where(v == 0, 1, v), v


def hsv_to_rgb(h: np.ndarray, s: np.ndarray, v: np.ndarray) -> np.ndarray:
    """(3, H, W) colours in 0..1; h in turns, whole ones do not count.

    channel = v - v s max(0, min(k, 4 - k, 1)), k = (n + 6 h) mod 6, n = 5, 3, 1 for r, g, b.
    """
    k = (np.array([5, 3, 1], h.dtype).reshape(3, 1, 1) + 6 * h) % 6
    return v - v * s * np.clip(np.minimum(k, 4 - k), 0, 1)
