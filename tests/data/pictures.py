"""A picture to transform, and a generator for what is drawn."""

import numpy as np
from PIL import Image


def picture(height=12, width=16):
    return Image.fromarray(np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8))


def planes_of(image):
    return np.moveaxis(np.asarray(image), -1, 0)


def generator(seed=3):
    return np.random.default_rng(seed)
