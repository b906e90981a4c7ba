"""Short films of single images that move: which way they go, grow or turn is the class."""

from __future__ import annotations

import numpy as np
from PIL import Image

from minidl.data.images import ImageDataset

# What a motion of speed 1 adds to the pose in each step: pixels right, pixels down, log of the size, degrees
# counter-clockwise.
MOTIONS = {
    "left": (-1.2, 0, 0, 0),
    "right": (1.2, 0, 0, 0),
    "up": (0, -1.2, 0, 0),
    "down": (0, 1.2, 0, 0),
    "growing": (0, 0, 0.09, 0),
    "shrinking": (0, 0, -0.09, 0),
    "turning left": (0, 0, 0, 12),
    "turning right": (0, 0, 0, -12),
}


def moving_images(
    images: np.ndarray, count: int, *, steps: int = 9, size: int = 32, generator: np.random.Generator
) -> ImageDataset:
    """Films of `steps` frames, each of one image that moves in one of eight ways, :data:`MOTIONS`.

    pose[t] = pose + (t - steps // 2) * speed * motion

    The pose in the middle frame and the speed have the same distribution for all motions, so the middle frame alone
    says nothing about the motion.

    Parameters
    ----------
    images : array (N, 1, H, W) of uint8
        Bright on dark; each film shows one, drawn at random.
    count : int
        How many films; film i has motion i mod 8.
    steps : int
        Frames in a film, an odd number.
    size : int
        Height and width of a frame.
    generator : numpy.random.Generator

    Returns
    -------
    ImageDataset
        Films (count, steps, size, size), frames in the place of channels, and their motions.

    Examples
    --------
    >>> import numpy as np
    >>> from minidl.data import moving_images
    >>> image = np.full((1, 1, 8, 8), 255, np.uint8)
    >>> films = moving_images(image, 16, steps=5, size=16, generator=np.random.default_rng(0))
    >>> films.images.shape, films.classes[films.labels[1]]
    ((16, 5, 16, 16), 'right')
    """
    if images.ndim != 4 or images.shape[1] != 1 or images.dtype != np.uint8 or len(images) == 0:
        raise ValueError(
            f"images must be uint8 of N >= 1 and shape (N, 1, H, W), got {images.dtype} of shape {images.shape}"
        )
    if steps < 1 or steps % 2 == 0:
        raise ValueError(f"steps must be an odd number, so that there is a frame in the middle, got {steps}")
    labels = np.arange(count) % len(MOTIONS)
    shown = generator.integers(0, len(images), count)
    unit = size / 32  # motions are in pixels of frames of 32
    low, high = (-3 * unit, -3 * unit, np.log(0.6), -15), (3 * unit, 3 * unit, np.log(0.9), 15)
    poses = generator.uniform(low, high, (count, 4))  # of the middle: x, y, log of the size, angle
    speeds = generator.uniform(0.7, 1.3, count)
    motions = np.array(list(MOTIONS.values())) * (unit, unit, 1, 1)  # (motions, 4)
    times = np.arange(steps) - steps // 2
    paths = poses[:, None] + times[:, None] * (speeds[:, None] * motions[labels])[:, None]  # (count, steps, 4)
    films = np.empty((count, steps, size, size), np.uint8)
    for film, path, number in zip(films, paths, shown):
        image = Image.fromarray(images[number, 0])
        for frame, pose in zip(film, path):
            frame[:] = _posed(image, size, *pose)
    return ImageDataset(films, labels, tuple(MOTIONS))


def _posed(image: Image.Image, size: int, x: float, y: float, log_scale: float, angle: float) -> Image.Image:
    """A frame of `size` pixels with the image's centre at (x, y) from its middle.

    At scale 1 the image fills 28 of 32 pixels of the frame, as MNIST's would.
    """
    scale = np.exp(log_scale) * (size * 28 / 32) / image.width
    cos, sin = np.cos(np.radians(angle)) / scale, np.sin(np.radians(angle)) / scale
    # Pillow asks where in the image each pixel (column, row) of the frame comes from:
    # source = rotation^-1 / scale * (pixel - middle - (x, y)) + the image's centre
    dx, dy = size / 2 + x, size / 2 + y
    matrix = (
        cos, -sin, image.width / 2 - cos * dx + sin * dy,
        sin, cos, image.height / 2 - sin * dx - cos * dy,
    )  # fmt: skip
    return image.transform((size, size), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)
