"""Datasets, the DataLoader that makes batches of them, transforms, and well-known data sets."""

from minidl.data import transforms
from minidl.data.collate import default_collate
from minidl.data.dataset import ConcatDataset, Dataset, Subset, TensorDataset, random_split
from minidl.data.images import ImageDataset
from minidl.data.loader import DataLoader
from minidl.data.sampler import (
    BatchSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)
from minidl.data.seeding import augmentation_generator, get_worker_info
from minidl.data.sources.cifar10 import cifar10
from minidl.data.sources.digits import digits
from minidl.data.sources.fashion_mnist import fashion_mnist
from minidl.data.sources.image_folder import ImageFolder, image_folder, read_picture
from minidl.data.sources.mnist import mnist
from minidl.data.sources.moving_images import MOTIONS, moving_images
from minidl.data.sources.text import TextDataset, shakespeare, text

__all__ = [
    "BatchSampler", "ConcatDataset", "DataLoader", "Dataset", "ImageDataset", "ImageFolder", "MOTIONS", "RandomSampler",
    "Sampler", "SequentialSampler", "Subset", "SubsetRandomSampler", "TensorDataset", "TextDataset",
    "WeightedRandomSampler", "augmentation_generator", "cifar10", "default_collate", "digits", "fashion_mnist",
    "get_worker_info", "image_folder", "mnist", "moving_images", "random_split", "read_picture", "shakespeare", "text",
    "transforms",
]  # fmt: skip
