"""Transforms of images, under torchvision's names: preparation, and random changes for augmentation.

Each takes a Pillow image, an array or Tensor (C, H, W), or a batch (N, C, H, W). A random one draws from `generator=`;
without one, from the item's own generator in a DataLoader and from the "augmentation" stream elsewhere.
"""

from minidl.data.transforms.base import Compose, RandomTransform, Transform
from minidl.data.transforms.color import ColorJitter, Grayscale, Normalize, ToTensor
from minidl.data.transforms.crop import CenterCrop, RandomCrop, RandomResizedCrop
from minidl.data.transforms.geometry import (
    RandomAffine,
    RandomHorizontalFlip,
    RandomRotation,
    RandomVerticalFlip,
    Resize,
)

__all__ = [
    "CenterCrop", "ColorJitter", "Compose", "Grayscale", "Normalize", "RandomAffine", "RandomCrop",
    "RandomHorizontalFlip", "RandomResizedCrop", "RandomRotation", "RandomTransform", "RandomVerticalFlip", "Resize",
    "ToTensor", "Transform",
]  # fmt: skip
